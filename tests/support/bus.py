"""Two adapters and what carries their messages: one's outbox emptied into the other, as two security servers would.

It refuses to be the relay: it sends each waiting row once, in order, and writes down what was said. The caller's name
is the sender's subsystem, as its security server writes it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy import Connection, select, update

from adapters.composition import Parts, compose
from adapters.config import load_config
from adapters.events import Event, EventsStore, Result, ServiceAddress
from adapters.events.model import Status
from adapters.events.tables import OUTBOX
from serverkit.http import HttpServer, Listen
from tests.support.adapters import CLIENT
from tests.support.registry import RELEASE, RULE, make_adapter

REGISTRY = "KH-SANDBOX/GOV/SPR/REGISTRY"
OTHER = "KH-SANDBOX/GOV/NSSF/MEMBERS"
PURPOSE = {"code": "ELIGIBILITY", "text": "who gets it", "ref_uri": "https://law.example/1"}
TO = ServiceAddress.parse(f"{REGISTRY}/person")
FROM = ServiceAddress.parse(f"{CLIENT}/person")
EVENTS: dict[str, Any] = {
    "database": {"url": "sqlite:///events.sqlite"},
    "key_file": "events.key",
    "security_server": {"url": "http://127.0.0.1:1"},
}


@dataclass
class Applied:
    """A writer that keeps what it is given."""

    senders: frozenset[str] = frozenset({REGISTRY})
    events: list[Event] = field(default_factory=list)

    def judge(self, _sender: str, events: Sequence[Event]) -> Sequence[Event]:
        """There is nothing to judge."""
        return events

    def receive(self, _connection: Connection, _sender: str, events: Sequence[Event], _at: datetime) -> list[Result]:
        """Take everything but the gone, each event once."""
        known = {each.event_id for each in self.events}
        self.events += [each for each in events if each.event_id not in known]
        return [
            Result(each.event_id, Status.REJECTED, "is not known here") if each.event_type == "REMOVE"
            else Result(each.event_id, Status.SUCCEEDED)
            for each in events
        ]  # fmt: skip


@dataclass
class Adapter:
    """A running adapter."""

    parts: Parts
    client: str
    url: str
    session: aiohttp.ClientSession
    said: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def store(self) -> EventsStore:
        """Its events' tables."""
        assert self.parts.events is not None
        return self.parts.events

    async def post(self, path: str, document: Any, client: str) -> tuple[int, Any]:
        """Send a document, as the security server does."""
        headers = {"Content-Type": "application/json", "X-Road-Client": client}
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        async with self.session.post(f"{self.url}/person{path}", data=data, headers=headers) as response:
            return response.status, await response.json()

    async def jobs(self) -> int:
        """Run the searches that wait."""
        assert self.parts.later is not None
        return await self.parts.later.jobs.run_due(datetime.now(UTC))

    async def look(self, at: datetime | None = None) -> None:
        """Keep up its subscriptions."""
        assert self.parts.later is not None
        await self.parts.later.keeper.look(at or datetime.now(UTC))

    def waiting(self) -> list[dict[str, Any]]:
        """Return the messages that wait in the outbox."""
        return [self.store.key.unseal(each.sealed)["body"] for each in self.rows()]

    def rows(self) -> list[Any]:
        """Return the rows of the outbox that wait."""
        wanted = select(OUTBOX).where(OUTBOX.c.state == "waiting").order_by(OUTBOX.c.id)
        return self.store.read_now(lambda connection: list(connection.execute(wanted)))


async def carry(sender: Adapter, receiver: Adapter) -> list[tuple[int, Any]]:
    """Send all that waits, and return the answers."""
    said = []
    for row in sender.rows():
        address = ServiceAddress.parse(row.receiver)
        assert str(address.client) == receiver.client
        assert address.service == "person"
        body = sender.store.key.unseal(row.sealed)["body"]
        said.append(await receiver.post(row.path, body, sender.client))
        sender.store.write_now(partial(_sent, row.id))
    return said


def _sent(number: int, connection: Connection) -> None:
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == number).values(state="sent"))


def make_registry(folder: Path, **more: Any) -> Path:
    """Write the adapter that is asked: it gives CLIENT records for a declared purpose."""
    folder.mkdir(exist_ok=True)
    rule = RULE | {"for": ["ELIGIBILITY"], "basis": "authorize"}
    release = RELEASE | {"give": [rule, RULE | {"to": [OTHER]}]}
    service = {"publish": {"events": {}}} | more.pop("service", {})
    return make_adapter(
        folder, **{"release": release, "sender_id": REGISTRY, "events": EVENTS, "service": service, **more}
    )


def make_client(folder: Path, **more: Any) -> Path:
    """Write the adapter that asks."""
    folder.mkdir(exist_ok=True)
    return make_adapter(folder, **{"sender_id": CLIENT, "events": EVENTS, **more})


class Bus:
    """Plays both security servers: takes what adapters send, and gives it to the adapter of the named subsystem."""

    def __init__(self) -> None:
        self.adapters: dict[str, Adapter] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve, and give the URL of the client port."""
        app = web.Application()
        app.router.add_post("/r1/{tail:.*}", self._carry)
        server = await HttpServer.start(app, [Listen("127.0.0.1", 0)], shutdown_seconds=2)
        try:
            yield f"http://{server.addresses[0]}"
        finally:
            await server.close()

    async def _carry(self, request: web.Request) -> web.Response:
        parts = request.match_info["tail"].split("/")
        there = self.adapters.get("/".join(parts[:4]))
        if there is None:
            fault = {"type": "Server.ServerProxy.ServiceFailed.HttpError", "message": "away", "detail": "1"}
            return web.json_response(fault, status=500, headers={"X-Road-Error": fault["type"]})
        try:
            said = await there.post("/" + "/".join(parts[5:]), await request.read(), request.headers["X-Road-Client"])
        except aiohttp.ClientError:
            return web.Response(status=503)
        return web.json_response(said[1], status=said[0])


@asynccontextmanager
async def working(bus: Bus, path: Path, receiver: Applied | None = None) -> AsyncIterator[Adapter]:
    """Serve an adapter on the bus, with all that runs beside it, until it is killed at the end."""
    async with running(path, receiver) as adapter, asyncio.TaskGroup() as group:
        bus.adapters[adapter.client] = adapter
        tasks = [group.create_task(_job(each)) for each in adapter.parts.jobs]
        yield adapter
        del bus.adapters[adapter.client]
        for each in tasks:
            each.cancel()


async def _job(job: Callable[[], Awaitable[None]]) -> None:
    await job()


@asynccontextmanager
async def running(path: Path, receiver: Applied | None = None) -> AsyncIterator[Adapter]:
    """Serve an adapter on a free port, without what runs beside it."""
    config = load_config(path)
    parts = compose(config, receivers={"person": receiver} if receiver else None)
    await parts.store.open()
    server = await HttpServer.start(parts.app.application(), [Listen("127.0.0.1", 0)], shutdown_seconds=2)
    try:
        async with aiohttp.ClientSession() as session:
            yield Adapter(parts, config.sender_id, f"http://{server.addresses[0]}", session)
    finally:
        await server.close()
        for each in parts.services:
            await each.close()
        await parts.store.close()
        if parts.events is not None:
            await parts.events.close()
