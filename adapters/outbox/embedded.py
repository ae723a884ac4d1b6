"""The queue that is the table itself: for one machine, or for several processes on one PostgreSQL.

It refuses to have two messages under way to one receiver that are about one person, or before the receiver has taken
one. One of these works for each receiver, so that one that is slow or away holds up nobody else.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from adapters.errors import AccessLogError, EventsError
from adapters.events.store import EventsStore
from adapters.outbox import rows
from adapters.outbox.config import Limits
from adapters.outbox.delivery import Delivery, Lane
from adapters.outbox.holding import Hold
from adapters.outbox.rows import Batch
from adapters.outbox.waking import Waker, now

POLL_SECONDS: Final = 1.0  # what other processes put is seen after that; what this one puts, at once
AGAIN_SECONDS: Final = 5.0  # after the database or the access record was away, or another process has the receiver
# While one message is applied, the next is judged, one more is carried, and one is made. A receiver applies them one
# after the other: more would only wait there.
AT_ONCE: Final = 4

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Road:
    """The way to one receiver: who may take it, how it goes there, and what is under way."""

    receiver: str
    hold: Hold
    lane: Lane
    tasks: asyncio.TaskGroup
    under_way: list[Batch] = field(default_factory=list)

    def is_full(self) -> bool:
        """A receiver in trouble, or of which nothing is known yet, is asked by one message at a time."""
        return len(self.under_way) >= (AT_ONCE if self.lane.answers else 1)


class EmbeddedQueue:
    """Sends straight from the table.

    Args:
        store: with the outbox.
        delivery: what makes an attempt.
        waker: says when something was put.
        limits: of each receiver.
    """

    def __init__(self, store: EventsStore, delivery: Delivery, waker: Waker, limits: Callable[[str], Limits]) -> None:
        self._store, self._delivery, self._waker, self._limits = store, delivery, waker, limits

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def work(self, receiver: str) -> None:
        """Send what goes to a receiver, until cancelled."""
        hold, lane = Hold(self._store, receiver), Lane(spacing=1 / self._limits(receiver).per_second)
        try:
            async with asyncio.TaskGroup() as tasks:
                road = _Road(receiver, hold, lane, tasks)
                while True:
                    try:
                        await self._next(road)
                    except EventsError as error:
                        _log.warning("outbox_waits", receiver=receiver, problem=str(error))
                        await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await hold.release()

    async def _next(self, road: _Road) -> None:
        """Send one more message, or wait for what may let one go."""
        ticket = self._waker.ticket(road.receiver)
        if road.is_full():
            await self._waker.wait(ticket, POLL_SECONDS)
        elif (rest := road.lane.rest()) > 0:
            await asyncio.sleep(rest)
        elif not await road.hold.held():
            await asyncio.sleep(AGAIN_SECONDS)
        elif (batch := await self._taken(road)) is not None:
            road.under_way.append(batch)
            road.tasks.create_task(self._deliver(road, batch))
        else:
            await self._waker.wait(ticket, await idle_seconds(self._store, road.receiver, now()))

    async def _taken(self, road: _Road) -> Batch | None:
        """Take what may go now; rows that cannot be read are dead then, and those behind them are looked at."""
        at, receiver, limits, under_way = now(), road.receiver, self._limits(road.receiver), tuple(road.under_way)
        besides = [each.message_id for each in under_way]

        def take(connection: Connection) -> Batch | None:
            return rows.take(connection, self._store.key, receiver, limits=limits, now=at, under_way=under_way)

        while await self._store.read(lambda each: rows.anything(each, receiver, now=at, besides=besides)):
            batch = await self._store.write(take)
            if batch is not None or under_way:
                return batch
        return None

    async def _deliver(self, road: _Road, batch: Batch) -> None:
        pause = AGAIN_SECONDS
        try:
            pause = await self._delivery.deliver(batch, road.lane)
        except (EventsError, AccessLogError) as error:
            _log.warning("outbox_waits", receiver=road.receiver, problem=str(error))
        finally:
            road.lane.left_alone = max(road.lane.left_alone, time.monotonic() + pause)
            road.under_way.remove(batch)
            self._waker.ring_for(road.receiver)


async def idle_seconds(store: EventsStore, receiver: str, at: int) -> float:
    """Return for how long nothing is due that nobody puts meanwhile."""
    due = await store.read(lambda each: rows.next_due(each, receiver, now=at))
    return POLL_SECONDS if due is None else min(POLL_SECONDS, (due - at) / 1000)
