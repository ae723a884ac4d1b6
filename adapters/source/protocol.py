"""What a source of any kind can do, as the registry API and the command line see it; and how one that blocks does it.

It refuses to know tables, services and files. A source that blocks runs in threads of its own, so that a slow registry
never holds up other requests; one that does not is a :class:`Source` by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.source.definition import SourceDefinition
from adapters.source.filters import Query

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One page of local records, and how many match in all."""

    total: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of a whole registry, and where the institution's staff find it: ``uuid 17``, ``line 7``.

    ``key`` is what it is known by again; None where the source declares no key.
    """

    place: str
    record: Record
    key: str | None = None


class Source(Protocol):
    """Where a programme's records are, read only."""

    @property
    def definition(self) -> SourceDefinition:
        """What its file says."""

    async def search(self, query: Query) -> Found:
        """Return a page of records.

        Raises:
            SearchRejected: the source does not declare what the query names, or too much matches.
            SourceError: the source does not answer, or not in time.
        """

    def stream(self) -> AsyncIterator[Placed]:
        """Yield every record, a batch in memory at a time; raises :class:`SourceError`."""

    async def count(self) -> int | None:
        """Return how many records there are, None where that cannot be told in time."""

    async def check(self) -> None:
        """Raise :class:`SourceError` unless all that is declared is there."""

    async def close(self) -> None:
        """Close all connections."""


class BlockingSource(Protocol):
    """The same, for the calls of libraries that block."""

    @property
    def definition(self) -> SourceDefinition:
        """What its file says."""

    def find(self, query: Query) -> Found:
        """As :meth:`Source.search`."""

    def batches(self) -> Iterator[list[Placed]]:
        """As :meth:`Source.stream`, some records at a time."""

    def count(self) -> int | None:
        """As :meth:`Source.count`."""

    def check(self) -> None:
        """As :meth:`Source.check`."""

    def close(self) -> None:
        """As :meth:`Source.close`."""


class ThreadedSource:
    """A source over one that blocks; its threads are its own, so that others' work never waits for a registry."""

    def __init__(self, core: BlockingSource, *, threads: int) -> None:
        """Take a source that blocks; ``threads`` is how many queries may run at once."""
        self.core = core
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"source-{core.definition.name}")

    @property
    def definition(self) -> SourceDefinition:
        """What its file says."""
        return self.core.definition

    async def search(self, query: Query) -> Found:
        """Run the query in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.core.find, query)

    async def stream(self) -> AsyncIterator[Placed]:
        """Fetch one batch at a time in a thread."""
        loop, batches = asyncio.get_running_loop(), self.core.batches()
        while (batch := await loop.run_in_executor(self._threads, _next, batches)) is not None:
            for placed in batch:
                yield placed

    async def count(self) -> int | None:
        """Count in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.core.count)

    async def check(self) -> None:
        """Check in a thread."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self.core.check)

    async def close(self) -> None:
        """Let queries that run end, then close."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.core.close)


def _next(batches: Iterator[list[Placed]]) -> list[Placed] | None:
    return next(batches, None)
