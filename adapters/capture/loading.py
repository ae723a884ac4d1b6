"""Runs first loads: one that staff started, and those that subscriptions ask for, until all chunks are in the outbox.

It refuses to hurry a receiver: while enough chunks wait, it waits too. The relay sends them meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from adapters.asynchronous.subscriptions import active
from adapters.capture.firstload import FirstLoad, Loaded, Next
from adapters.capture.publisher import Publisher
from adapters.errors import CaptureStopped, EventsError, SourceError
from adapters.events import EventsStore
from adapters.outbox.waking import Waker

_log = structlog.get_logger(__name__)
_FULL_SECONDS: Final = 0.5  # where another process sends; what this one sends is heard of at once
_EARLY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 5.0  # for subscriptions that came meanwhile


@dataclass(frozen=True, slots=True)
class Speed:
    """What a load came to: records of this run and in all, chunks in all, and the seconds of this run."""

    now: int
    records: int
    chunks: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.now / self.seconds if self.seconds else 0.0


async def load(
    store: EventsStore, first: FirstLoad, left: Waker, tell: Callable[[Loaded], None] = lambda _loaded: None
) -> Speed:
    """Put all chunks of one load into the outbox, as fast as the receiver takes them.

    Args:
        store: with the outbox.
        first: the load.
        left: rung when this process has sent something; another one's sending is looked for.
        tell: is told after each step.

    Raises:
        CaptureStopped: nothing may be given to this subscription.
        SourceError, EventsError: what must be read or written is away.
    """
    began, before = time.monotonic(), await store.read(first.so_far)
    while True:
        found = await store.write(lambda connection: first.step(connection, datetime.now(UTC)))
        tell(found)
        match found.next:
            case Next.DONE:
                return Speed(found.records - before, found.records, found.chunks, time.monotonic() - began)
            case Next.FULL:
                await _room(store, first, left)
            case Next.EARLY:
                await asyncio.sleep(_EARLY_SECONDS)
            case Next.PUT:
                pass


async def _room(store: EventsStore, first: FirstLoad, left: Waker) -> None:
    """Wait until so few chunks wait that the next may be put."""
    while True:
        ticket = left.ticket()
        if await store.read(first.has_room):
            return
        await left.wait(ticket, _FULL_SECONDS)


class Loads:
    """The loads that subscriptions of one service ask for."""

    def __init__(self, publisher: Publisher, store: EventsStore, *, sender_id: str) -> None:
        self._publisher, self._store, self._sender_id = publisher, store, sender_id
        self._left = Waker()
        store.when_left(self._left.ring)

    async def run(self) -> None:
        """Load for whoever asks, until cancelled."""
        self._left.bind()
        while True:
            try:
                for each in await self._store.read(self._asked):
                    await self._load(each)
            except (SourceError, EventsError) as error:
                _log.error("load_failed", service=self._publisher.service.code, problem=str(error))
            await asyncio.sleep(_LOOK_SECONDS)

    def _asked(self, connection: Connection) -> list[FirstLoad]:
        """Return the loads that were asked for and are not done."""
        service, key = self._publisher.service.code, self._publisher.key
        found = [
            FirstLoad(self._publisher, each.code, sender_id=self._sender_id)
            for each in active(connection, key, service, datetime.now(UTC))
            if each.criteria.get("first_load") is True
        ]
        return [each for each in found if not each.is_done(connection)]

    async def _load(self, first: FirstLoad) -> None:
        service = self._publisher.service.code
        _log.info("load_began", service=service, subscription=first.code)
        try:
            speed = await load(self._store, first, self._left)
        except CaptureStopped as error:
            _log.warning("load_stopped", service=service, subscription=first.code, problem=str(error))
            return
        facts = {"records": speed.records, "chunks": speed.chunks, "per_second": round(speed.per_second)}
        _log.info("load_done", service=service, subscription=first.code, **facts)
