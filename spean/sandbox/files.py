"""Writes the configuration files of the sandbox's nodes, as an institution would write its own.

It refuses to make keys and to start anything. The bootstrap uses it once; the demonstration writes one more NODE.toml,
for a node behind a wire.
"""

from pathlib import Path
from typing import Final

from spean.commands.node_toml import NodeSettings, node_toml
from spean.sandbox.casts import FULL
from spean.sandbox.plan import LOOPBACK, Institution, Ports, Service
from spean.sandbox.rights import rights

_ACCESS: Final = """
[[client.service.access]]
subject = "{subject}"
method = "POST"
path = "{path}"
"""


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
    """Give a SERVICES.toml: the institution's subsystem, and its registries with who may ask them what."""
    client = f'[[client]]\nid = "{institution.subsystem}"\nconnection = "http"\n'
    return client + "".join(_service(each, ports) for each in institution.services)


def _service(service: Service, ports: Ports) -> str:
    known = {str(each.subsystem) for each in ports.institutions}
    access = "".join(
        _ACCESS.format(subject=subject, path=path)
        for subject, path in rights(service, events=ports.institutions == FULL.institutions)
        if subject in known
    )
    return f"""
[[client.service]]
code = "{service.code}"
url = "{service_url(service, ports)}"
timeout = 30
{access}"""


def adapter_url(programme: str, ports: Ports) -> str:
    """Give the root of a programme's adapter."""
    return f"http://{LOOPBACK}:{ports.adapter(programme)}"


def service_url(service: Service, ports: Ports) -> str:
    """Give the root of a service at its adapter."""
    return f"{adapter_url(service.programme, ports)}/{service.code}"
