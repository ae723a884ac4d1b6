"""Brings up a bus of two security servers for a measurement: a consumer, a provider, and a service that is the backend.

It refuses to measure. The servers are the sandbox's, made and started with the same functions and commands.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.measure import Target
from pki.token import KeyType
from securityserver.commands import apply_services
from spean.sandbox import bootstrap
from spean.sandbox.plan import LOOPBACK, MOP, NSAF, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Server, crew

SERVICE = "echo"


@asynccontextmanager
async def running(folder: Path, key_type: KeyType, backend: str) -> AsyncIterator[Target]:
    """Run consumer and provider with keys of one type; what is yielded is where a client sends its requests.

    Args:
        folder: empty; everything goes below it.
        key_type: of both servers' authentication and signing keys.
        backend: URL of the service that the provider offers.
    """
    layout = Layout(folder)
    with reserved(None) as ports:
        await asyncio.to_thread(bootstrap.make, layout, ports, key_type)
        services = layout.services(MOP)
        services.write_text(_services(backend))
        apply_services(layout.node(MOP), services)
        async with crew() as members:
            await members.spawn(_authorities(layout, ports))
            await members.ready()
            nodes = [_node(each, layout, ports) for each in (MOP, NSAF)]
            await members.spawn(nodes)
            await members.ready()
            yield Target(
                name=f"bus {key_type}",
                host=LOOPBACK,
                port=ports.node(NSAF).client_http,
                path=f"/r1/{MOP.subsystem}/{SERVICE}",
                headers={"X-Road-Client": str(NSAF.subsystem)},
                pids=_pids(members, nodes),
            )


def _services(backend: str) -> str:
    return f"""\
[[client]]
id = "{MOP.subsystem}"
connection = "http"

[[client.service]]
code = "{SERVICE}"
url = "{backend}"
timeout = 30

[[client.service.access]]
subject = "{NSAF.subsystem}"
"""


def _authorities(layout: Layout, ports: Ports) -> list[Server]:
    listen = f"{LOOPBACK}:{ports.authority}"
    authority = ("authority", "run", str(layout.authority), "--listen", listen)
    central = ("central", "run", str(layout.central))
    return [
        Server("authority", authority, LOOPBACK, ports.authority, "/healthz", layout.log("authority")),
        Server("central", central, LOOPBACK, ports.central, "/healthz", layout.log("central")),
    ]


def _node(each: Institution, layout: Layout, ports: Ports) -> Server:
    words = ("node", "run", str(layout.node(each)))
    return Server(each.key, words, LOOPBACK, ports.node(each).metrics, "/healthz", layout.log(each.key))


def _pids(members: Crew, servers: list[Server]) -> tuple[int, ...]:
    return tuple(each.pid for each in members.running if each.server in servers)
