"""Follows one service's source: what its tables say has changed, and now and then all of it.

It refuses to move on before what it saw is written: positions, events and what is known are of one transaction. What
goes wrong is told and tried again; a bad record is set aside by the publisher.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from adapters.capture import changetable, positions, versioncolumn
from adapters.capture.comparing import Taken, bad_keys, count_bad
from adapters.capture.config import ByTable, ByVersion, Watched
from adapters.capture.publisher import Publisher
from adapters.capture.reading import SqlReader
from adapters.capture.watching import CaptureWatch
from adapters.capture.whole import Whole
from adapters.errors import CaptureStopped, EventsError, SourceError
from adapters.events import EventsStore
from adapters.source import Source

_log = structlog.get_logger(__name__)
PAGE: Final = 500  # records of a transaction: others wait for it for a tenth of a second
_IDLE: Final = timedelta(hours=1)  # where nothing is looked for, what was bad is still tried again now and then
_STOPPED: Final = timedelta(minutes=10)  # before a comparison that was stopped is tried again
State = dict[str, Any]


def position_name(service: str) -> str:
    """Return the name of a service's position."""
    return f"capture:{service}"


class Following:
    """Follows one service."""

    def __init__(
        self,
        publisher: Publisher,
        store: EventsStore,
        source: Source,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: CaptureWatch | None = None,
    ) -> None:
        """Follow nothing yet."""
        self._publisher, self._store, self._now, self._watch = publisher, store, now, watch
        self._capturing = publisher.config.capturing
        self.whole = Whole(publisher, store, source, position_name(publisher.service.code), now=now)

    @property
    def service(self) -> str:
        """Code of the service."""
        return self._publisher.service.code

    @property
    def every(self) -> timedelta:
        """How often it looks."""
        return self._capturing.every or min(_IDLE, self._capturing.whole or _IDLE)

    def is_new(self, connection: Connection) -> bool:
        """Tell whether the registry was never compared whole: then nobody can be told what it holds."""
        return "done" not in (self._state(connection) or {}).get("whole", {})

    async def run(self) -> None:
        """Look for ever; ends when it is cancelled."""
        first = True
        while True:
            try:
                taken = await self.once(first=first)
            except (SourceError, EventsError, CaptureStopped) as error:
                _log.error(
                    "capture_failed", service=self.service, problem=str(error)
                )  # no traceback: it may quote a record
                if self._watch is not None:
                    self._watch.failed(self.service)
            else:
                first = False
                if taken.changed or taken.bad:
                    _log.info("captured", service=self.service, changed=taken.changed, told=taken.told, bad=taken.bad)
            await asyncio.sleep(self.every.total_seconds())

    async def once(self, *, first: bool = True, whole: bool = False, accept_gone: bool = False) -> Taken:
        """Look once: at the whole registry when it is due, else at what its tables say; returns what came of it.

        Args:
            first: of this process: then what was bad is tried again, since the mapping may be another one.
            whole: whether the whole registry is to be compared now.
            accept_gone: also believe that a large part of it is gone.

        Raises:
            SourceError, EventsError: what must be read or written is away.
            CaptureStopped: so much is gone that staff must say whether it is.
        """
        taken = Taken()
        state = await self._store.read(self._state) or await self._begun()
        if whole or self._due(state):
            taken.add(await self.whole.compare(self._fingerprint(), accept_gone=accept_gone))
        if first and self._publisher.reader.by_key:
            taken.add(await self._store.write(self._try_bad))
        taken.add(await self._look())
        if self._watch is not None:
            self._watch.looked(
                self.service, taken, await self._store.read(lambda connection: count_bad(connection, self.service))
            )
        return taken

    def _state(self, connection: Connection) -> State | None:
        return positions.read(connection, self._publisher.key, position_name(self.service))

    async def _begun(self) -> State:
        """Note where tables stand before the first comparison: what changes meanwhile is looked at again."""

        def begin(connection: Connection) -> State:
            state: State = {}
            how, reader = self._capturing.how, self._publisher.reader
            if isinstance(how, ByTable) and isinstance(reader, SqlReader):
                state["table"] = reader.read(connection, lambda place: changetable.begin(place, how))
            if isinstance(how, ByVersion) and isinstance(reader, SqlReader):
                state["versions"] = {
                    each.table: versioncolumn.written(each, None, [top], self._now())
                    for each in how.tables
                    for top in [_newest(reader, connection, each)]
                }
            self._write(connection, state)
            return state

        return await self._store.write(begin)

    def _write(self, connection: Connection, state: State) -> None:
        positions.write(connection, self._publisher.key, position_name(self.service), state, self._now())

    def _due(self, state: State) -> bool:
        """The first comparison, one that was broken off, one in time, or one with another mapping."""
        last = state.get("whole", {})
        if "stopped" in last and self._now() - datetime.fromisoformat(last["stopped"]) < _STOPPED:
            return False
        if not last.get("done") or last.get("mapping") != self._fingerprint():
            return True
        every = self._capturing.whole
        return every is not None and self._now() - datetime.fromisoformat(last["done"]) >= every

    def _fingerprint(self) -> str:
        """Tell the files by which records are turned from themselves at another time."""
        service = self._publisher.service
        files = [service.source.file, *(each.mapping.file for _version, each in sorted(service.mappings.items()))]
        return hashlib.sha256(b"".join(hashlib.sha256(Path(each).read_bytes()).digest() for each in files)).hexdigest()

    def _try_bad(self, connection: Connection) -> Taken:
        keys = bad_keys(connection, self._publisher.key, self.service)
        taken = Taken()
        for start in range(0, len(keys), PAGE):
            taken.add(self._publisher.look(connection, keys[start : start + PAGE], self._now()))
        return taken

    async def _look(self) -> Taken:
        how, taken = self._capturing.how, Taken()
        if isinstance(how, ByVersion):
            for each in how.tables:
                after: versioncolumn.Row | None = None
                more = True
                while more:
                    found, after, more = await self._store.write(_bound(self._versions, each, how.overlap, after))
                    taken.add(found)
        if isinstance(how, ByTable):
            more = True
            while more:
                found, more = await self._store.write(_bound(self._numbers, how))
                taken.add(found)
        return taken

    def _versions(
        self, connection: Connection, watched: Watched, overlap: int, after: versioncolumn.Row | None
    ) -> tuple[Taken, versioncolumn.Row | None, bool]:
        """Look at one page of rows whose version grew."""
        state, reader, at = self._state(connection) or {}, self._publisher.reader, self._now()
        seen = state.setdefault("versions", {})
        low = versioncolumn.lowest(watched, seen.get(watched.table), overlap, at)
        rows = _sql(reader).read(connection, lambda place: versioncolumn.rows(place, watched, low, after, PAGE))
        taken = self._publisher.look(connection, [str(key) for _version, key in rows], at)
        if len(rows) < PAGE:  # a position within the overlap would move it while pages of it are read
            tops = [version for version, _key in (*rows[-1:], *([after] if after else []))]
            seen[watched.table] = versioncolumn.written(watched, seen.get(watched.table), tops, at)
            self._write(connection, state)
        return taken, rows[-1] if rows else after, len(rows) == PAGE

    def _numbers(self, connection: Connection, how: ByTable) -> tuple[Taken, bool]:
        """Look at one page of a change table."""
        state, reader, at = self._state(connection) or {}, _sql(self._publisher.reader), self._now()
        before = state.get("table") or reader.read(connection, lambda place: changetable.begin(place, how))
        found = reader.read(connection, lambda place: changetable.look(place, how, before, at, PAGE))
        taken = self._publisher.look(connection, found.keys, at)
        if found.state != before:
            self._write(connection, state | {"table": found.state})
        return taken, found.more


def _newest(reader: SqlReader, connection: Connection, watched: Watched) -> Any:  # noqa: ANN401  # as the column holds it
    return reader.read(connection, lambda place: versioncolumn.newest(place, watched))


def _sql(reader: object) -> SqlReader:
    if not isinstance(reader, SqlReader):
        raise TypeError("the configuration lets only a database have versions and change tables")
    return reader


def _bound(work: Callable[..., Any], *arguments: Any) -> Callable[[Connection], Any]:  # noqa: ANN401  # of the work
    return lambda connection: work(connection, *arguments)
