"""Makes the programmes' side of a new sandbox, registers and adapters' configurations, in a process of its own.

It refuses to know keys and certificates. It runs beside the bootstrap, which makes everything else, so that two cores
have work: ``python -m spean.sandbox.programmes FOLDER BASE_PORT CAST HOUSEHOLDS``.
"""

import gc
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters.packaged import adapter_yaml
from adapters.services import PROGRAMMES
from adapters.synthetic import ALL, BASE, generate
from adapters.synthetic.servers.names import CLIENT
from spean.commands.common import PRIVATE, write_new
from spean.sandbox.casts import CASTS, FULL, Cast
from spean.sandbox.plan import LOOPBACK, Institution, Layout, Ports
from spean.sandbox.report import FOLDERS, registry_of

_SECRET_BYTES: Final = 16
_WSDL: Final = "disability.wsdl"


def main() -> int:
    """Write the registers and an ADAPTER.yaml for each programme."""
    gc.disable()  # a process of seconds that makes a million objects and keeps most of them
    layout, cast = Layout(Path(sys.argv[1])), CASTS[sys.argv[3]]
    ports = cast.ports(int(sys.argv[2]))
    layout.registries.mkdir(parents=True)
    generate(layout.registries, households=int(sys.argv[4]), registers=ALL if cast is FULL else BASE)
    _write_secrets(layout, cast)
    for each in cast.institutions:
        for programme in each.programmes:
            _write_adapter(each, programme, layout, ports)
    return 0


def _write_secrets(layout: Layout, cast: Cast) -> None:
    for programme in cast.sources:
        text = f"{secrets.token_urlsafe(_SECRET_BYTES)}\n"
        write_new(layout.secret(programme), text.encode(), mode=PRIVATE)


def _write_adapter(each: Institution, programme: str, layout: Layout, ports: Ports) -> None:
    text = adapter_yaml(
        programme,
        listen=f"{LOOPBACK}:{ports.adapter(programme)}",
        source=_source(programme, layout, ports),
        sender_id=str(each.subsystem),
        events=_events(each, ports),
    )
    write_new(layout.adapter(programme), text.encode())
    if programme == "mosvy-disability":
        shutil.copyfile(PROGRAMMES / programme / _WSDL, layout.adapter(programme).with_name(_WSDL))


def _events(each: Institution, ports: Ports) -> Mapping[str, Any] | None:
    """Only the institutions of the full sandbox tell each other of changes. Nobody waits for long in a story."""
    if ports.institutions != FULL.institutions:
        return None
    url = f"http://{LOOPBACK}:{ports.node(each).client_http}"
    return {"security_server": {"url": url}, "retry": {"first_seconds": 1, "most_seconds": 4}, "timeout_seconds": 5}


def _source(programme: str, layout: Layout, ports: Ports) -> Mapping[str, Any]:
    registry = str(layout.registries / registry_of(programme))
    if programme in FOLDERS:
        return {"kind": "files", "folder": registry}
    if programme == "crosswalk":  # empty until `spean crosswalk build`, which takes longer than a start may
        key, declaration = str(layout.registries / "crosswalk.key"), "package:crosswalk/crosswalk.yaml"
        return {"kind": "crosswalk", "url": f"sqlite:///{registry}", "key_file": key, "declaration": declaration}
    if programme not in ports.sources:
        return {"kind": "sql", "url": f"sqlite:///{registry}"}
    url, secret = f"http://{LOOPBACK}:{ports.source(programme)}", layout.secret(programme).name
    if programme == "pmrs":
        token = {"token_url": f"{url}/oauth/token", "client_id": CLIENT, "client_secret_file": secret}
        return {"kind": "rest", "url": url, "oauth2": token}
    return {"kind": "soap", "wsdl": _WSDL, "url": f"{url}/soap", "username": CLIENT, "password_file": secret}


if __name__ == "__main__":
    sys.exit(main())
