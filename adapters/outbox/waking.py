"""Wakes those who wait for something to be put into the outbox by this process.

It refuses to be the only way: another process puts things too, so that whoever waits looks again after a while. The
store calls it, in whatever thread wrote; the queues wait on it.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from adapters.events.store import milliseconds


class Waker:
    """A bell that any thread can ring."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung: dict[str, asyncio.Event] = {}

    def bind(self) -> None:
        """Be heard in this loop from now on."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake all who wait."""
        with suppress(RuntimeError):  # the loop has ended, and with it all who could wait
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._ring)

    def ring_for(self, receiver: str) -> None:
        """Wake who waits for one receiver; within the loop."""
        rung = self._rung.pop(receiver, None)
        if rung is not None:
            rung.set()

    def ticket(self, receiver: str = "") -> asyncio.Event:
        """Return what is to be waited for; take it before looking, so that nothing falls in between."""
        return self._rung.setdefault(receiver, asyncio.Event())

    async def wait(self, ticket: asyncio.Event, seconds: float) -> None:
        """Return when the bell rang since the ticket was taken, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ticket.wait()

    def _ring(self) -> None:
        rung, self._rung = self._rung, {}
        for each in rung.values():
            each.set()


def now() -> int:
    """The time, as the tables hold it."""
    return milliseconds(datetime.now(UTC))
