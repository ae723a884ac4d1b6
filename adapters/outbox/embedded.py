"""The queue that is the table itself: for one machine, or for several processes on one PostgreSQL.

It refuses to send two messages to one receiver at once: each waits for the one before it. One of these works for each
receiver, so that one that is slow or away holds up nobody else.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from adapters.errors import AccessLogError, EventsError
from adapters.events.store import EventsStore
from adapters.outbox import rows
from adapters.outbox.config import Limits
from adapters.outbox.delivery import Delivery, Lane
from adapters.outbox.holding import Hold
from adapters.outbox.waking import Waker, now

POLL_SECONDS: Final = 1.0  # what other processes put is seen after that; what this one puts, at once
AGAIN_SECONDS: Final = 5.0  # after the database or the access record was away, or another process has the receiver

_log = structlog.get_logger(__name__)


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
        hold, lane = Hold(self._store, receiver), Lane()
        try:
            while True:
                try:
                    await self._next(receiver, hold, lane)
                except (EventsError, AccessLogError) as error:
                    _log.warning("outbox_waits", receiver=receiver, problem=str(error))
                    await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await hold.release()

    async def _next(self, receiver: str, hold: Hold, lane: Lane) -> None:
        if not await hold.held():
            await asyncio.sleep(AGAIN_SECONDS)
            return
        ticket = self._waker.ticket()
        at = now()
        if not await self._store.read(lambda each: rows.anything(each, receiver, now=at)):
            await self._waker.wait(ticket, await idle_seconds(self._store, receiver, at))
            return
        limits = self._limits(receiver)
        batch = await self._store.write(lambda each: rows.take(each, self._store.key, receiver, limits=limits, now=at))
        if batch is not None:
            started = time.monotonic()
            pause = await self._delivery.deliver(batch, lane)
            spacing = 1 / limits.per_second - (time.monotonic() - started)
            await asyncio.sleep(max(0.0, spacing, pause))


async def idle_seconds(store: EventsStore, receiver: str, at: int) -> float:
    """Return for how long nothing is due that nobody puts meanwhile."""
    due = await store.read(lambda each: rows.next_due(each, receiver, now=at))
    return POLL_SECONDS if due is None else min(POLL_SECONDS, (due - at) / 1000)
