"""Describes a running sandbox for scripts: ``sandbox.json``.

It refuses to be read back by the sandbox itself. It is written when every server is healthy, so that a script may wait
for it.
"""

import json
from collections.abc import Mapping
from typing import Any

from adapters.synthetic import ExampleHousehold
from spean.commands.paths import OCSP_PATH, TSA_PATH
from spean.sandbox import query
from spean.sandbox.files import adapter_url
from spean.sandbox.plan import INSTANCE, INSTITUTIONS, LOOPBACK, MEMBER_CLASS, SEARCH_PATH, Institution, Layout, Ports


def write(layout: Layout, ports: Ports, pids: Mapping[str, int], example: ExampleHousehold) -> None:
    """Write the report in one step: a script never reads half of it."""
    draft = layout.report.with_suffix(".new")
    draft.write_text(json.dumps(describe(layout, ports, pids, example), indent=2, ensure_ascii=False) + "\n")
    draft.replace(layout.report)


def describe(layout: Layout, ports: Ports, pids: Mapping[str, int], example: ExampleHousehold) -> dict[str, Any]:
    """Give everything that a script needs to drive the sandbox."""
    return {
        "instance": INSTANCE,
        "member_class": MEMBER_CLASS,
        "directory": str(layout.root),
        "base_port": ports.base,
        "message_port": ports.message,
        "ocsp_port": ports.ocsp,
        "authority": _authority(layout, ports) | _process(layout, "authority", pids),
        "central_server": _central(layout, ports) | _process(layout, "central", pids),
        "security_servers": [
            _node(each, layout, ports) | _process(layout, node_name(each), pids) for each in INSTITUTIONS
        ],
        "adapters": [
            _adapter(each, each.service.code, each.service.programme, layout, ports)
            | _process(layout, adapter_name(each.service.programme), pids)
            for each in INSTITUTIONS
            if each.service
        ],
        "example": {
            "equity_card": example.card_no,
            "household": example.household_uuid,
            "khmer_ids": list(example.khmer_ids),
        },
    }


def node_name(institution: Institution) -> str:
    """Name a node's process and log."""
    return f"node-{institution.key}"


def adapter_name(programme: str) -> str:
    """Name an adapter's process and log."""
    return f"adapter-{programme}"


def _process(layout: Layout, name: str, pids: Mapping[str, int]) -> dict[str, Any]:
    return {"process": name, "pid": pids.get(name), "log": str(layout.log(name))}


def _authority(layout: Layout, ports: Ports) -> dict[str, Any]:
    url = f"http://{LOOPBACK}:{ports.authority}"
    return {
        "url": url,
        "ocsp_url": url + OCSP_PATH,
        "tsa_url": url + TSA_PATH,
        "directory": str(layout.authority),
        "pin_file": str(layout.authority_pin),
    }


def _central(layout: Layout, ports: Ports) -> dict[str, Any]:
    return {
        "url": f"http://{LOOPBACK}:{ports.central}",
        "anchor": str(layout.anchor),
        "config": str(layout.central),
    }


def _node(each: Institution, layout: Layout, ports: Ports) -> dict[str, Any]:
    own, config = ports.node(each), layout.node(each)
    return {
        "id": str(each.server),
        "name": each.name,
        "name_km": each.khmer,
        "members": [str(each.member)],
        "subsystems": [str(each.subsystem)],
        "client_http": f"http://{LOOPBACK}:{own.client_http}",
        "client_https": f"https://localhost:{own.client_https}",  # the name in the certificate
        "client_https_certificate": str(config.parent / "data" / "internal-tls" / "certificate.pem"),
        "message_port": own.message,
        "ocsp_port": own.ocsp,
        "address": each.address,
        "message_address": f"{each.address}:{ports.message}",
        "ocsp_address": f"{each.address}:{ports.ocsp}",
        "metrics": f"http://{LOOPBACK}:{own.metrics}/metrics",
        "health": f"http://{LOOPBACK}:{own.metrics}/healthz",
        "data_directory": str(config.parent / "data"),
        "token_directory": str(config.parent / "token"),
        "pin_file": str(config.parent / "token.pin"),
        "config": str(config),
        "services": str(layout.services(each)),
    }


def _adapter(each: Institution, code: str, programme: str, layout: Layout, ports: Ports) -> dict[str, Any]:
    url = adapter_url(each, ports)
    return {
        "programme": programme,
        "subsystem": str(each.subsystem),
        "service_code": code,
        "service": f"{each.subsystem}/{code}",
        "url": url,
        "search_path": SEARCH_PATH,
        "search_url": url + SEARCH_PATH,
        "path_on_the_bus": query.path_of(each),
        "health": f"{url}/health",
        "config": str(layout.adapter(programme)),
        "database": str(layout.registries / f"{programme}.sqlite"),
    }
