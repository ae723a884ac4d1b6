"""Opens the database of an adapter's events, and runs work in its transactions, away from the event loop.

It refuses to know what the work does. It may be the programme's own database, so that a change and what is told of it
are written in one transaction; all writing goes through one thread, because SQLite lets one write at a time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import ConfigError, EventsError
from adapters.events.keys import EventsKey
from adapters.events.migrations import EVENTS
from serverkit.database import Database, DatabaseUnusable, open_guest

TOLD: Final = "spean outbox"  # in a connection's notes: this transaction wrote something that is to be sent
LEFT: Final = "spean outbox left"  # … and this one that something was sent: there is room for more
_READERS: Final = 2
_ADVICE: Final = (
    "{name} is in SQLite's journal mode “{mode}”, in which whoever reads holds up whoever writes, and a commit syncs "
    "the disk four times: let its owner say once, with sqlite3 {name}: PRAGMA journal_mode=WAL"
)
_T = TypeVar("_T")


class EventsStore:
    """The tables of one adapter's events; open it with :func:`open_events`."""

    def __init__(self, database: Database, key: EventsKey) -> None:
        self.database = database
        self.key = key
        self._listeners: dict[str, list[Callable[[], None]]] = {TOLD: [], LEFT: []}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="events-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="events-read")

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run work in one transaction, durable on return; raises :class:`EventsError` when the database is away."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self.write_now, work)

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Run work on one snapshot; raises :class:`EventsError`."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    async def beside(self, work: Callable[[], _T]) -> _T:
        """Run work that would hold up the event loop in a reader's thread; as many at once as there are readers."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def write_now(self, work: Callable[[Connection], _T]) -> _T:
        """As :meth:`write`, blocking: for commands, and for work that is in a thread already."""
        try:
            with self.database.transaction() as connection:
                result = work(connection)
                noted = [each for each in self._listeners if connection.info.pop(each, False)]
        except SQLAlchemyError as error:
            raise EventsError(_told(error)) from None
        for note in noted:
            for each in self._listeners[note]:
                each()
        return result

    def when_told(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, in any thread, after each transaction that wrote something to be sent is durable."""
        self._listeners[TOLD].append(listener)

    def when_left(self, listener: Callable[[], None]) -> None:
        """As :meth:`when_told`, after each transaction that wrote down that something was sent or given up."""
        self._listeners[LEFT].append(listener)

    def read_now(self, work: Callable[[Connection], _T]) -> _T:
        """As :meth:`read`, blocking."""
        try:
            with self.database.reading() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise EventsError(_told(error)) from None

    def advice(self) -> str | None:
        """Say what would make the database of a programme faster, which is not ours to change; None when nothing."""
        file = self.database.path
        if file is None:
            return None
        try:
            mode = self.read_now(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        except EventsError:  # it is locked: whoever needs it will say so
            return None
        return None if mode == "wal" else _ADVICE.format(name=file.name, mode=mode)

    async def close(self) -> None:
        """Let work that runs end, then close."""
        for each in (self._writer, self._readers):
            await asyncio.to_thread(each.shutdown, cancel_futures=True)
        self.database.close()


def open_events(url: str, key: EventsKey, *, config: str, password: str | None = None) -> EventsStore:
    """Open the database, and make or bring up the tables; blocks.

    Args:
        url: ``sqlite:////absolute/path`` or ``postgresql://user@host/name``, as an adapter file has it.
        key: of this adapter's events.
        config: what messages call the adapter file.
        password: for PostgreSQL.

    Raises:
        ConfigError: the database cannot be used.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg", password=password)
    try:
        return EventsStore(open_guest(parsed, EVENTS), key)
    except DatabaseUnusable as error:
        raise ConfigError(config, "events.database", str(error)) from error


def milliseconds(at: datetime) -> int:
    """Return a time as the tables hold it."""
    return int(at.timestamp() * 1000)


def moment(at: int) -> datetime:
    """Return a time of the tables."""
    return datetime.fromtimestamp(at / 1000, UTC)


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite database; None for another."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _told(error: SQLAlchemyError) -> str:
    """Say what failed without the statement's parameters."""
    return f"the database of events cannot be used: {type(getattr(error, 'orig', None) or error).__name__}"
