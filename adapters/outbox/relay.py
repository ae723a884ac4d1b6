"""Keeps one worker for each receiver of the outbox, counts what there is, and lets old rows go.

It refuses to know how a message travels: the queue does, embedded or NATS. It finds the receivers in the table itself;
:func:`adapters.serve.serve` runs it until the adapter stops.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from adapters.errors import EventsError
from adapters.events.store import EventsStore, milliseconds
from adapters.outbox import overview, rows
from adapters.outbox.embedded import POLL_SECONDS
from adapters.outbox.waking import Waker
from adapters.outbox.watching import Watch

COUNT_SECONDS: Final = 15.0  # as often as Prometheus looks
_log = structlog.get_logger(__name__)


class Queue(Protocol):
    """How messages get from the table to those who send them."""

    async def open(self) -> None:
        """Get ready; a queue that is away is no error."""
        ...

    async def work(self, receiver: str) -> None:
        """Move what goes to a receiver, until cancelled."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Relay:
    """The senders of one adapter.

    Args:
        store: with the outbox.
        queue: how messages travel.
        waker: rung when something was put.
        watch: what is seen from outside.
        keep_days: how long rows stay that are over.
    """

    def __init__(self, store: EventsStore, queue: Queue, waker: Waker, watch: Watch, *, keep_days: int) -> None:
        self._store, self._queue, self._waker = store, queue, waker
        self._watch, self._keep_days = watch, keep_days

    async def run(self) -> None:
        """Send until cancelled."""
        self._waker.bind()
        self._store.when_told(self._waker.ring)
        await self._queue.open()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._housekeeping())
                await self._discover(tasks)
        finally:
            await self._queue.close()

    async def _discover(self, tasks: asyncio.TaskGroup) -> None:
        """Start a worker for each receiver when the first thing for it waits."""
        known: set[str] = set()
        while True:
            ticket = self._waker.ticket()
            try:
                found = await self._store.read(rows.receivers)
            except EventsError:
                found = []  # the housekeeping tells
            for receiver in sorted(set(found) - known):
                known.add(receiver)
                tasks.create_task(self._queue.work(receiver), name=f"outbox {receiver}")
            await self._waker.wait(ticket, POLL_SECONDS)

    async def _housekeeping(self) -> None:
        while True:
            try:
                await self._count()
                await self._let_go()
            except EventsError as error:
                self._watch.away()
                _log.warning("outbox_unread", problem=str(error))
            await asyncio.sleep(COUNT_SECONDS)

    async def _count(self) -> None:
        at = datetime.now(UTC)
        found = await self._store.read(lambda each: overview.depths(each, now=milliseconds(at)))
        self._watch.counted(found, at=at)

    async def _let_go(self) -> None:
        """A batch at a time, with the database free for others between them."""
        gone = overview.LET_GO
        while gone == overview.LET_GO:
            at = datetime.now(UTC)
            gone = await self._store.write(lambda each: overview.let_go(each, days=self._keep_days, at=at))  # noqa: B023  # awaited within the turn
