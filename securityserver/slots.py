"""Places for exchanges: so many at once, the rest wait outside.

It refuses to know what an exchange is. ``entrance`` takes a place for each; who reads from a sender asks whether others
wait for one.
"""

import asyncio
from types import TracebackType


class Slots:
    """As an asynchronous context manager, one place.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._waiting = 0

    def crowded(self) -> bool:
        """Tell whether somebody waits for a place."""
        return self._waiting > 0

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._free.release()
