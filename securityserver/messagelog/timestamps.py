"""The message log's time-stamps: which records wait for one, and how one is kept beside them.

It refuses to know authorities, schedules and what a token says. ``securityserver.timestamping`` reads what waits and
hands the verified token back; a record is never changed but for the two columns that name its time-stamp.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.records import milliseconds
from securityserver.messagelog.tables import RECORD, TIMESTAMP, TREE_HEAD
from serverkit.database import Database
from xroad.errors import DatabaseError, LoggingFailed

# The log's writer waits while a transaction runs: this many rows take some milliseconds.
ROWS_A_TRANSACTION: Final = 200
# Between two of them: SQLite lets whoever waits try again only after some milliseconds, and messages come first.
PAUSE_SECONDS: Final = 0.01
_AUTHORITY_LENGTH: Final = 255
_WAITS: Final = RECORD.c.timestamp_id.is_(None)
# With the time, for PostgreSQL keeps a partition a day and would look into each of them.
_POINT: Final = (
    update(RECORD)
    .where(RECORD.c.id == bindparam("record"), RECORD.c.time == bindparam("logged"), _WAITS)
    .values(timestamp_id=bindparam("number"), timestamp_hash_chain=bindparam("chain"))
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A record that waits: its number, when it was logged, and the SHA-512 digest of its signature document."""

    id: int
    time: int
    signature_hash: bytes


_Covered = tuple[Unstamped, bytes | None]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many records wait, and since when the oldest does; None when none waits."""

    records: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class NewTimestamp:
    """A verified time-stamp: the authority's time and name, its token (DER), and the hash chain result if any."""

    at: datetime
    authority: str
    token: bytes
    hash_chain_result: bytes | None


class TimestampStore:
    """Reads and writes the time-stamps of one node's log.

    Args:
        database: the node's; the log's writer works beside this.
        settled: waits until the database has all records; None where it has each at once.
    """

    def __init__(self, database: Database, settled: Callable[[], Awaitable[object]] | None = None) -> None:
        self._database, self._settled = database, settled

    async def unstamped(self, limit: int) -> list[Unstamped]:
        """Give the oldest records that wait.

        Raises:
            DatabaseError: the database refused; so do all methods here.
        """
        if self._settled is not None:
            with suppress(LoggingFailed):  # what is there can be stamped
                await self._settled()
        columns = (RECORD.c.id, RECORD.c.time, RECORD.c.signature_hash)
        query = select(*columns).where(_WAITS).order_by(RECORD.c.id).limit(limit)
        rows = await self._reading(lambda connection: connection.execute(query).all())
        return [Unstamped(row.id, row.time, row.signature_hash) for row in rows]

    async def backlog(self) -> Backlog:
        """Tell how much waits."""
        first = select(RECORD.c.time).where(_WAITS).order_by(RECORD.c.id).limit(1).scalar_subquery()
        query = select(func.count(), first).select_from(RECORD).where(_WAITS)
        count, oldest = await self._reading(lambda connection: connection.execute(query).one())
        return Backlog(count, None if oldest is None else _EPOCH + timedelta(milliseconds=oldest))

    async def signature(self, record: Unstamped) -> bytes:
        """Give a record's signature document."""
        query = select(RECORD.c.signature).where(RECORD.c.id == record.id, RECORD.c.time == record.time)
        return bytes(await self._reading(lambda connection: connection.execute(query).scalar_one()))

    async def keep(self, stamp: NewTimestamp, records: Sequence[Unstamped], chains: Sequence[bytes | None]) -> None:
        """Keep a time-stamp with the records that it covers; those that got another one meanwhile keep theirs.

        Many records take several transactions. When they end half-way, the rest still waits and gets a new time-stamp.
        """
        pairs = zip(records, chains, strict=True)
        first = list(islice(pairs, ROWS_A_TRANSACTION))
        number = await self._writing(lambda connection: _keep_first(connection, stamp, first))
        while more := list(islice(pairs, ROWS_A_TRANSACTION)):
            await asyncio.sleep(PAUSE_SECONDS)
            await self._writing(partial(_point, number=number, rows=more))

    async def unstamped_head(self) -> tuple[int, bytes] | None:
        """Give number and signature of the newest signed tree head, unless it has its time-stamp."""
        query = select(TREE_HEAD).order_by(TREE_HEAD.c.id.desc()).limit(1)
        row = await self._reading(lambda connection: connection.execute(query).one_or_none())
        return None if row is None or row.timestamp_id is not None else (row.id, row.signature)

    async def keep_head(self, stamp: NewTimestamp, head: int) -> None:
        """Keep the time-stamp of a signed tree head."""
        await self._writing(lambda connection: _keep_head(connection, stamp, head))

    async def _reading(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._database.reading() as connection:
                return work(connection)

        return await _translated(run)

    async def _writing(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._database.transaction() as connection:
                return work(connection)

        return await _translated(run)


async def _translated(run: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(run)
    except SQLAlchemyError as error:
        raise DatabaseError("Time-stamps cannot be read or kept; look at the disk of the server's database.") from error


def _insert(connection: Connection, stamp: NewTimestamp, head: int | None) -> int:
    values = {
        "time": milliseconds(stamp.at),
        "token": stamp.token,
        "hash_chain_result": stamp.hash_chain_result,
        "authority": stamp.authority[:_AUTHORITY_LENGTH],
        "tree_head_id": head,
    }
    return int(connection.execute(insert(TIMESTAMP).values(values).returning(TIMESTAMP.c.id)).scalar_one())


def _keep_first(connection: Connection, stamp: NewTimestamp, rows: Sequence[_Covered]) -> int:
    number = _insert(connection, stamp, None)
    _point(connection, number=number, rows=rows)
    return number


def _point(connection: Connection, *, number: int, rows: Sequence[_Covered]) -> None:
    connection.execute(
        _POINT,
        [{"number": number, "record": record.id, "logged": record.time, "chain": chain} for record, chain in rows],
    )


def _keep_head(connection: Connection, stamp: NewTimestamp, head: int) -> None:
    number = _insert(connection, stamp, head)
    connection.execute(update(TREE_HEAD).where(TREE_HEAD.c.id == head).values(timestamp_id=number))
