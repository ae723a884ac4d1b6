"""Compares a whole registry with what is known of it: what is new or changed, and then what is gone.

It refuses to believe at once that a large part of a registry is gone: a file half copied, or a table emptied before it
is filled again, would end a million records at every subscriber. The first comparison of all tells nobody.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from adapters.capture import known as memory
from adapters.capture import positions
from adapters.capture.comparing import Taken
from adapters.capture.publisher import Publisher
from adapters.capture.reading import SqlReader
from adapters.errors import CaptureStopped
from adapters.events import EventsStore
from adapters.source import Source
from adapters.source.assembling import next_keys
from adapters.source.protocol import Record

PAGE: Final = 500  # records of a transaction, as of every capture
GONE_FEW: Final = 100  # so many may always be gone: a small registry is often cleared up
GONE_SHARE: Final = 0.1
State = dict[str, Any]
Told = Callable[[int], None]


class Whole:
    """Compares the whole registry of one service."""

    def __init__(
        self, publisher: Publisher, store: EventsStore, source: Source, position: str, *, now: Callable[[], datetime]
    ) -> None:
        self._publisher, self._store, self._source = publisher, store, source
        self._position, self._now = position, now

    async def compare(self, mapping: str, *, accept_gone: bool = False, progress: Told = lambda _done: None) -> Taken:
        """Compare; one that was broken off goes on where it was, if the source has an order.

        Args:
            mapping: tells the files that records are turned by.
            accept_gone: believe whatever is gone.
            progress: is told how many records were compared.

        Raises:
            SourceError, EventsError: what must be read or written is away.
            CaptureStopped: too much is gone.
        """
        number, tell = await self._store.write(lambda connection: self._begin(connection, mapping))
        taken = Taken()
        if self._publisher.reader.by_key:
            more = True
            while more:
                found, more = await self._store.write(lambda connection: self._page(connection, number, tell=tell))
                taken.add(found)
                progress(taken.records)
        else:
            await self._stream(number, taken, progress, tell=tell)
        if tell:
            await self._end_gone(number, taken, accept=accept_gone)
        await self._store.write(lambda connection: self._done(connection, mapping))
        return taken

    def _begin(self, connection: Connection, mapping: str) -> tuple[int, bool]:
        """Take a number; the first comparison stays silent also after it was broken off."""
        state = self._read(connection)
        whole = state.setdefault("whole", {"number": 0})
        resumed = whole.get("running") and self._publisher.reader.by_key and whole.get("mapping") == mapping
        if not resumed:
            whole |= {"number": whole["number"] + 1, "after": None, "mapping": mapping, "running": True}
        whole["tell"] = "done" in whole
        self._write(connection, state)
        return whole["number"], whole["tell"]

    def _page(self, connection: Connection, number: int, *, tell: bool) -> tuple[Taken, bool]:
        state, reader = self._read(connection), self._publisher.reader
        if not isinstance(reader, SqlReader):
            raise TypeError("only a database is read by its keys")
        after = state["whole"]["after"]
        keys = reader.read(connection, lambda place: next_keys(reader.definition, place, after, PAGE))
        taken = self._publisher.look(connection, [str(each) for each in keys], self._now(), number=number, tell=tell)
        if keys:
            state["whole"]["after"] = keys[-1] if isinstance(keys[-1], int) else str(keys[-1])
            self._write(connection, state)
        return taken, len(keys) == PAGE

    async def _stream(self, number: int, taken: Taken, progress: Told, *, tell: bool) -> None:
        batch: dict[str, Record] = {}
        async for placed in self._source.stream():
            if placed.key is None:
                taken.bad += 1
                continue
            if placed.key in batch or len(batch) == PAGE:
                taken.add(await self._take(batch, number, tell=tell))
                progress(taken.records)
                batch = {}
            batch[placed.key] = placed.record
        taken.add(await self._take(batch, number, tell=tell))
        progress(taken.records)

    async def _take(self, batch: Mapping[str, Record], number: int, *, tell: bool) -> Taken:
        def take(connection: Connection) -> Taken:
            return self._publisher.take(connection, batch, self._now(), number=number, tell=tell, unique=True)

        return await self._store.write(take)

    async def _end_gone(self, number: int, taken: Taken, *, accept: bool) -> None:
        code = self._publisher.service.code
        gone, there = await self._store.read(
            lambda connection: (memory.counted(connection, code, before=number), memory.counted(connection, code))
        )
        if gone > max(GONE_FEW, there * GONE_SHARE) and not accept:
            await self._store.write(self._stop)
            raise CaptureStopped(
                f"service {code}: {gone:,} of {there:,} records are gone from the source at once, and nobody was told: "
                "see that it is whole; if they are, run `spean adapter capture` with --whole --accept-gone"
            )
        more = True
        while more:
            found, more = await self._store.write(lambda connection: self._gone(connection, number))
            taken.add(found)

    def _gone(self, connection: Connection, number: int) -> tuple[Taken, bool]:
        """Look at a page of what this comparison did not see: what came in behind it is there all the same.

        Those that are looked at are seen now or gone, so that the next page begins behind them.
        """
        rows = memory.page(connection, self._publisher.service.code, b"", PAGE, before=number)
        keys = [row.open(self._publisher.key).key for row in rows]
        if self._publisher.reader.by_key:
            taken = self._publisher.look(connection, keys, self._now(), number=number)
        else:
            taken = self._publisher.take(connection, dict.fromkeys(keys), self._now(), number=number)
        return taken, len(rows) == PAGE

    def _stop(self, connection: Connection) -> None:
        """Begin anew the next time, which is not at once: the source may be filled by then."""
        state = self._read(connection)
        state["whole"] |= {"stopped": self._now().isoformat(), "running": False}
        self._write(connection, state)

    def _done(self, connection: Connection, mapping: str) -> None:
        state = self._read(connection)
        state["whole"] |= {"done": self._now().isoformat(), "mapping": mapping, "running": False}
        self._write(connection, state)

    def _read(self, connection: Connection) -> State:
        return positions.read(connection, self._publisher.key, self._position) or {}

    def _write(self, connection: Connection, state: State) -> None:
        positions.write(connection, self._publisher.key, self._position, state, self._now())
