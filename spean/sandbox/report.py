"""Describes a running sandbox for scripts: ``sandbox.json``.

It refuses to be read back by the sandbox itself. It is written when every server is healthy, so that a script may wait
for it.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from adapters.synthetic import ExampleHousehold
from adapters.synthetic.stories import read_stories
from spean.commands.paths import OCSP_PATH, TSA_PATH
from spean.sandbox import query
from spean.sandbox.casts import SMALL, SOURCES, Cast
from spean.sandbox.files import adapter_url, service_url
from spean.sandbox.plan import INSTANCE, LOOPBACK, MEMBER_CLASS, SEARCH_PATH, Institution, Layout, Ports, Service

FOLDERS: Final = frozenset({"moeys-scholarships", "school-feeding"})
"""Programmes whose data are files dropped into a folder."""


def write(layout: Layout, ports: Ports, pids: Mapping[str, int], example: ExampleHousehold, cast: Cast = SMALL) -> None:
    """Write the report in one step: a script never reads half of it."""
    draft = layout.report.with_suffix(".new")
    draft.write_text(json.dumps(describe(layout, ports, pids, example, cast), indent=2, ensure_ascii=False) + "\n")
    draft.replace(layout.report)


def describe(
    layout: Layout, ports: Ports, pids: Mapping[str, int], example: ExampleHousehold, cast: Cast
) -> dict[str, Any]:
    """Give everything that a script needs to drive the sandbox."""
    return {
        "kind": cast.name,
        "instance": INSTANCE,
        "member_class": MEMBER_CLASS,
        "directory": str(layout.root),
        "base_port": ports.base,
        "message_port": ports.message,
        "ocsp_port": ports.ocsp,
        "authority": _authority(layout, ports) | _process(layout, "authority", pids),
        "central_server": _central(layout, ports) | _process(layout, "central", pids),
        "security_servers": [
            _node(each, layout, ports) | _process(layout, cast.node_process(each), pids) for each in cast.institutions
        ],
        "adapters": [
            _adapter(each, service, layout, ports) | _process(layout, cast.adapter_process(service.programme), pids)
            for each in cast.institutions
            for service in each.services
        ],
        "sources": [
            {"programme": each, "url": f"http://{LOOPBACK}:{ports.source(each)}"} | _process(layout, SOURCES, pids)
            for each in cast.sources
        ],
        "example": {
            "equity_card": example.card_no,
            "household": example.household_uuid,
            "khmer_ids": list(example.khmer_ids),
        },
        "stories": read_stories(layout.registries),
    }


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


def _adapter(each: Institution, service: Service, layout: Layout, ports: Ports) -> dict[str, Any]:
    url, root = service_url(service, ports), adapter_url(service.programme, ports)
    return {
        "programme": service.programme,
        "subsystem": str(each.subsystem),
        "service_code": service.code,
        "service": f"{each.subsystem}/{service.code}",
        "registry_type": service.registry,
        "record_type": service.record,
        "url": url,
        "search_path": SEARCH_PATH,
        "search_url": url + SEARCH_PATH,
        "path_on_the_bus": query.path_of(each, service),
        "health": f"{root}/health",
        "config": str(layout.adapter(service.programme)),
        "database": str(layout.registries / registry_of(service.programme)),
    }


def registry_of(programme: str) -> str:
    """Name the file, or folder of files, that a programme's data is in."""
    name = programme.replace("-", "_")
    return name if programme in FOLDERS else f"{name}.sqlite"
