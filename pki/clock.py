"""The clock seam: what time it is, and waiting.

It knows nothing of what is waited for. Whatever in ``pki`` depends on time takes a clock, so that tests run hours of an
outage in milliseconds.
"""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time (aware, UTC) that can also wait."""

    def now(self) -> datetime:
        """Give the present time, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's clock and the event loop's timer."""

    def now(self) -> datetime:
        """Give the machine's present time, aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
