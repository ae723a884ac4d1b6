"""Writes the configuration files of the sandbox's nodes, as an institution would write its own.

It refuses to make keys and to start anything. The bootstrap uses it once; the demonstration writes one more NODE.toml,
for a node behind a wire.
"""

from pathlib import Path
from typing import Final

from spean.commands.node_toml import NodeSettings, node_toml
from spean.sandbox.plan import LOOPBACK, MOP, NSAF, NSSF, SEARCH_PATH, Institution, Ports

MAY_SEARCH: Final = {MOP.key: NSAF.subsystem, NSSF.key: NSAF.subsystem}
"""Who may search which registry, and nothing else in it: the least right that the story needs."""


def node_file(institution: Institution, ports: Ports, *, behind_wire: bool = False) -> str:
    """Give a NODE.toml; behind a wire, the registered address is left to the wire."""
    own = ports.node(institution)
    message, ocsp = [f"{LOOPBACK}:{own.message}"], [f"{LOOPBACK}:{own.ocsp}", f"{institution.address}:{ports.ocsp}"]
    if not behind_wire:
        message.append(f"{institution.address}:{ports.message}")
    return node_toml(
        NodeSettings(
            server=institution.server,
            anchor=Path("anchor.xml"),
            message=message,
            ocsp=ocsp,
            client_http=[f"{LOOPBACK}:{own.client_http}"],
            client_https=[f"{LOOPBACK}:{own.client_https}"],
            metrics=[f"{LOOPBACK}:{own.metrics}"],
            peer_message_port=ports.message,
            peer_ocsp_port=ports.ocsp,
        )
    )


def services_file(institution: Institution, ports: Ports) -> str:
    """Give a SERVICES.toml: the institution's subsystem, and its registry with who may search in it."""
    client = f'[[client]]\nid = "{institution.subsystem}"\nconnection = "http"\n'
    if institution.service is None:
        return client
    return f"""{client}
[[client.service]]
code = "{institution.service.code}"
url = "{adapter_url(institution, ports)}"
timeout = 30

[[client.service.access]]
subject = "{MAY_SEARCH[institution.key]}"
method = "POST"
path = "{SEARCH_PATH}"
"""


def adapter_url(institution: Institution, ports: Ports) -> str:
    """Give the root of an institution's service at its adapter."""
    service = f"/{institution.service.code}" if institution.service else ""
    return f"http://{LOOPBACK}:{ports.adapter(institution)}{service}"
