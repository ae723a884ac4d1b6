"""An outbox of a test: rows to put, a relay with a short patience, and a receiver that misbehaves as it is told."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from adapters.accesslog import AccessKey, AccessStore
from adapters.events import EventsKey, EventsStore, Outgoing
from adapters.events.tables import OUTBOX
from adapters.outbox import put
from adapters.outbox.config import Limits, RetryConfig
from adapters.outbox.delivery import Delivery, Sign
from adapters.outbox.embedded import EmbeddedQueue
from adapters.outbox.relay import Queue, Relay
from adapters.outbox.rows import State
from adapters.outbox.transport import Transport
from adapters.outbox.verdicts import Answer, Trouble
from adapters.outbox.waking import Waker
from adapters.outbox.watching import Watch
from serverkit.metrics import Metrics

KEY = EventsKey(bytes(range(32)))
SENDER = "KH/GOV/SPR/REGISTRY"
RECEIVER = "KH/GOV/NSAF/FAMILY-PACKAGE/family"
FAST = RetryConfig(first_seconds=0.002, most_seconds=0.01, attempts=1000)
UNHURRIED = Limits(per_second=10_000, events=7)
_WAIT_SECONDS = 30


def outgoing(key: str, *, person: str | None = "1", **others: Any) -> Outgoing:
    """Give one event about a person; the values of ``others`` stand in place of the usual ones."""
    values: dict[str, Any] = {
        "kind": "notify",
        "service": "registration",
        "receiver": RECEIVER,
        "path": "/registry/notify",
        "person": None if person is None else KEY.order("registration", person),
        "body": {
            "reference_id": key,
            "timestamp": "2026-11-28T09:00:00+07:00",
            "data": {"reg_record_type": "Person", "reg_records": {"spid": f"9{person}"}, "person": person},
        },
        "access": {"purpose": "ENROLMENT", "basis": "law", "given": ["sex"], "subjects": [["SPID", f"9{person}"]]},
    }
    return Outgoing(key=key, **values | others)


def put_now(store: EventsStore, things: Sequence[Outgoing]) -> int:
    """Put things in a transaction of their own."""
    return store.write_now(lambda connection: put(connection, store.key, things, at=datetime.now(UTC)))


def table(store: EventsStore) -> list[Any]:
    """Give all rows in their order."""
    return list(store.read_now(lambda connection: connection.execute(select(OUTBOX).order_by(OUTBOX.c.id)).all()))


def states(store: EventsStore) -> dict[str, State]:
    """Give the state of each row by its key."""
    return {each.key: State(each.state) for each in table(store)}


def ack(*results: dict[str, Any], status: str = "ACK", code: str | None = None) -> bytes:
    """Write an acknowledgement."""
    message: dict[str, Any] = {"ack_status": status, "timestamp": "2026-11-28T09:00:00+07:00", "correlation_id": "c"}
    if results:
        message["results"] = list(results)
    if code is not None:
        message["error"] = {"code": code, "message": "…"}
    return json.dumps({"message": message}).encode()


@dataclass
class Receiver:
    """A receiver that keeps an inbox, as the asynchronous paths do.

    Args:
        behave: what it does before it takes a message in, and after; it gives an answer to take the place of its own.
    """

    behave: Callable[[str, dict[str, Any], str], Answer | Trouble | None] = lambda *_: None
    messages: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    applied: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
        await asyncio.sleep(0)
        document = json.loads(body)
        self.sent.append((receiver, message_id, document))
        before = self.behave(receiver, document, "before")
        if before is not None:
            return before
        answer = Answer(202, self._take(message_id, document))
        return self.behave(receiver, document, "after") or answer

    def _take(self, message_id: str, document: dict[str, Any]) -> bytes:
        if message_id in self.messages:
            return ack(status="NACK", code="rjct.message_id.duplicate")
        self.messages.add(message_id)
        for each in document["message"].get("notify_event", ()):
            if each["reference_id"] not in self.events:
                self.events.add(each["reference_id"])
                self.applied.append(each)
        return ack()


def moody(seed: int, badness: float) -> Callable[[str, dict[str, Any], str], Answer | Trouble | None]:
    """Make a receiver fail at random: before it has taken a message, or after, when it died before it could answer."""
    chance = random.Random(seed)  # noqa: S311  # a test that can be repeated
    failures: list[Answer | Trouble] = [
        Answer(500, b""), Answer(200, b"<html>"), Answer(200, b'{"message": 7}'), Answer(503, b"", None, "0"),
        Answer(202, ack(status="ERR", code="err.service.unavailable")), Answer(500, b"", "Server.ServerProxy.IOError"),
        Answer(500, b"", "Server.ClientProxy.NetworkError"), Trouble.TOO_SLOW, Trouble.UNREACHABLE, Trouble.BROKEN,
    ]  # fmt: skip

    def behave(_receiver: str, _document: dict[str, Any], _when: str) -> Answer | Trouble | None:
        return chance.choice(failures) if chance.random() < badness else None

    return behave


@dataclass(frozen=True)
class Bench:
    """A relay that runs, and what it works with."""

    store: EventsStore
    access: AccessStore
    metrics: Metrics
    watch: Watch

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(_WAIT_SECONDS):
            while not await asyncio.to_thread(done):  # noqa: ASYNC110  # others write the database
                await asyncio.sleep(0.01)

    async def until_over(self) -> None:
        """Wait until nothing waits."""
        await self.until(lambda: State.WAITING not in states(self.store).values())


MakeQueue = Callable[[EventsStore, Delivery, Waker], Queue]


@asynccontextmanager
async def running_relay(
    store: EventsStore,
    folder: Path,
    transport: Transport,
    *,
    retry: RetryConfig = FAST,
    limits: Callable[[str], Limits] = lambda _: UNHURRIED,
    queue: MakeQueue | None = None,
    name: str = "access",
    sign: Sign | None = None,
) -> AsyncIterator[Bench]:
    """Run a relay until the block ends."""
    access = AccessStore(folder / f"{name}.sqlite", AccessKey(bytes(32)), access_days=1, transaction_days=1)
    await access.open()
    metrics = Metrics()
    watch = Watch(metrics, timedelta(minutes=60))
    waker = Waker()
    delivery = Delivery(store, access, transport, sender_id=SENDER, sign=sign, retry=retry, watch=watch)
    way = EmbeddedQueue(store, delivery, waker, limits) if queue is None else queue(store, delivery, waker)
    relay = Relay(store, way, waker, watch, keep_days=30)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(relay.run())
            yield Bench(store, access, metrics, watch)
            running.cancel()
    finally:
        await access.close()
