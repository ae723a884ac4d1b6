"""Brings up a bus of two security servers as processes: a consumer, a provider, and a service that is the backend.

It refuses to measure. The servers are the sandbox's, made and started with the same functions and commands;
measurements and tests that stop or kill servers share it.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Target
from pki.token import KeyType
from securityserver.commands import apply_services
from spean.sandbox import bootstrap
from spean.sandbox.plan import LOOPBACK, MOP, NSAF, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Running, Server, crew

SERVICE = "echo"
NODES = (MOP, NSAF)  # provider and consumer


@dataclass(frozen=True, slots=True)
class Bus:
    """A running bus: where its files and ports are, and its processes."""

    layout: Layout
    ports: Ports
    members: Crew
    token_seconds: float = 0.0

    @property
    def url(self) -> str:
        """Where a backend of the consumer sends its requests."""
        return f"http://{LOOPBACK}:{self.ports.node(NSAF).client_http}{self.path}"

    @property
    def path(self) -> str:
        """The service's path."""
        return f"/r1/{MOP.subsystem}/{SERVICE}"

    @property
    def headers(self) -> dict[str, str]:
        """What each request must carry."""
        return {"X-Road-Client": str(NSAF.subsystem)}

    def node(self, each: Institution) -> Server:
        """Give what starts a node."""
        words: tuple[str, ...] = ("node", "run", str(self.layout.node(each)))
        ports = self.ports.node(each)
        module = "spean"
        if self.token_seconds:
            module, words = "bench.slownode", (str(self.layout.node(each)), str(self.token_seconds))
        return Server(each.key, words, LOOPBACK, ports.metrics, "/healthz", self.layout.log(each.key), module)

    def data(self, each: Institution) -> Path:
        """Give the folder where a node keeps what it writes."""
        return self.layout.node(each).with_name("data")

    def process(self, each: Institution) -> Running:
        """Give a node's process."""
        return next(running for running in self.members.running if running.server.name == each.key)

    async def kill(self, each: Institution, number: signal.Signals = signal.SIGKILL) -> None:
        """End a node's process and wait until it is gone."""
        running = self.process(each)
        running.process.send_signal(number)
        await running.process.wait()
        self.members.running.remove(running)

    async def start(self, each: Institution) -> None:
        """Start a node that was ended, and wait until it is well."""
        await self.members.spawn([self.node(each)])
        await self.members.ready()


@asynccontextmanager
async def brought_up(
    folder: Path,
    backend: str,
    *,
    key_type: KeyType = "ec-p256",
    service_seconds: int = 30,
    token_seconds: float = 0.0,
) -> AsyncIterator[Bus]:
    """Run consumer and provider with keys of one type.

    Args:
        folder: empty; everything goes below it.
        backend: URL of the service that the provider offers.
        key_type: of both servers' authentication and signing keys.
        service_seconds: the service's timeout.
        token_seconds: how long a signature takes with the tokens of both; 0 for the token as it is.
    """
    layout = Layout(folder)
    with reserved(None) as ports:
        await asyncio.to_thread(bootstrap.make, layout, ports, key_type)
        services = layout.services(MOP)
        services.write_text(_services(backend, service_seconds))
        apply_services(layout.node(MOP), services)
        async with crew() as members:
            bus = Bus(layout, ports, members, token_seconds)
            await members.spawn(_authorities(layout, ports))
            await members.ready()
            await members.spawn([bus.node(each) for each in NODES])
            await members.ready()
            yield bus


@asynccontextmanager
async def running(
    folder: Path, key_type: KeyType, backend: str, *, token_seconds: float = 0.0
) -> AsyncIterator[Target]:
    """Run consumer and provider; what is yielded is where a client sends its requests."""
    async with brought_up(folder, backend, key_type=key_type, token_seconds=token_seconds) as bus:
        yield Target(
            name=f"bus {key_type}",
            host=LOOPBACK,
            port=bus.ports.node(NSAF).client_http,
            path=bus.path,
            headers=bus.headers,
            pids=tuple(bus.process(each).pid for each in NODES),
        )


def _services(backend: str, seconds: int) -> str:
    return f"""\
[[client]]
id = "{MOP.subsystem}"
connection = "http"

[[client.service]]
code = "{SERVICE}"
url = "{backend}"
timeout = {seconds}

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
