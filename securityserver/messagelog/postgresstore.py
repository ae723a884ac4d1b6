"""The log's writer on PostgreSQL: one connection that holds the writer's claim, and comes back after a restart.

It refuses to know queues and outcomes. Days' partitions are made ahead; a connection that is lost is made anew at the
next write, when the claim is taken again and the tree read again.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import Insert, delete, insert, select
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.partitions import DAYS_AHEAD, make_statements
from securityserver.messagelog.records import COLUMNS, LEAF_INDEX, TIME, Row, day_of
from securityserver.messagelog.store import Refusal, StoreRefused
from securityserver.messagelog.tables import BODY, BODY_CHUNK, MESSAGE_KEY, RECORD, TREE_NODE
from serverkit.database import Database, DatabaseUnusable
from xroad.merkle import Node

_DIALECT: Final = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped
_KEY: Final = tuple(COLUMNS.index(name) for name in ("request_id", "response", "client_side"))
_ONE_ROWS_FAULT: Final = (errors.DataError, errors.ProgramLimitExceeded, errors.DiskFull, errors.IntegrityError)
_AHEAD_PAUSE_SECONDS: Final = 3600.0
_CLAIM: Final = "message log"
# Keys of a partitioned table hold its day, so the database alone would take the same message again on another day.
_PRESENT: Final = (
    "SELECT EXISTS (SELECT 1 FROM log_message_key"
    " JOIN unnest(%s::text[], %s::smallint[], %s::smallint[]) AS new (r, a, c)"
    " ON request_id = r AND response = a AND client_side = c)"
)
_ORPHANS: Final = str(
    select(BODY.c.id)
    .where(~select(RECORD.c.id).where(RECORD.c.body_id == BODY.c.id).exists())
    .order_by(BODY.c.id)
    .compile(dialect=_DIALECT)
)

T = TypeVar("T")


class PostgresStore:
    """An autocommit connection, and the claim.

    Args:
        database: the node's.

    Raises:
        DatabaseUnusable: another process writes this log.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claim = database.claim(_CLAIM)
        try:
            self._connection: psycopg.Connection[Any] = database.driver_connection()
        except SQLAlchemyError:
            self._claim.release()
            raise
        self._days: set[int] = set()
        self._next_ahead = 0.0
        self.upkeep()

    def insert_records(self, rows: Sequence[Row]) -> Sequence[int]:
        """Write rows as one statement, in partitions that are there."""
        return self._refusing(lambda: self._insert_records(rows))

    def _insert_records(self, rows: Sequence[Row]) -> Sequence[int]:
        keys = [tuple(row[place] for place in _KEY) for row in rows]
        columns = [list(column) for column in zip(*keys, strict=True)]
        if len(set(keys)) < len(keys) or self._one(_PRESENT, columns):
            raise StoreRefused(Refusal.DUPLICATE, "a message is there already")
        self._make_days({day_of(row[TIME]) for row in rows})
        values = [value for row in rows for value in row]
        found = self._connection.execute(_insert_records(len(rows)), values).fetchall()
        numbers = {index: number for number, index in found}
        return [numbers[row[LEAF_INDEX]] for row in rows]

    def insert_nodes(self, nodes: Sequence[Node]) -> None:
        """Write nodes as one statement."""
        values = [value for node in nodes for value in (node.level, node.position, node.hash)]
        self._refusing(lambda: self._connection.execute(_insert_nodes(len(nodes)), values))

    def new_body(self) -> int:
        """Give the number of a new large body."""
        return int(self._refusing(lambda: self._one("INSERT INTO log_body DEFAULT VALUES RETURNING id", ())))

    def insert_chunk(self, body: int, position: int, day: int, data: bytes) -> None:
        """Write one chunk."""
        self._refusing(lambda: self._insert_chunk((body, position, data, day)))

    def _insert_chunk(self, values: tuple[int, int, bytes, int]) -> None:
        self._make_days({values[-1]})
        self._connection.execute(
            "INSERT INTO log_body_chunk (body_id, position, data, day) VALUES (%s, %s, %b, %s)", values
        )

    def orphans(self) -> list[int]:
        """Give the bodies without a record."""
        return self._refusing(lambda: [number for (number,) in self._connection.execute(_ORPHANS.encode()).fetchall()])

    def delete_chunks(self, body: int, at_most: int) -> int:
        """Remove some chunks."""
        some = select(BODY_CHUNK.c.id).where(BODY_CHUNK.c.body_id == body).limit(at_most)
        return self._refusing(lambda: self._execute(delete(BODY_CHUNK).where(BODY_CHUNK.c.id.in_(some))))

    def delete_body(self, body: int) -> None:
        """Remove an empty body."""
        self._refusing(lambda: self._execute(delete(BODY).where(BODY.c.id == body)))

    @property
    def upkeep_due(self) -> bool:
        """Never: each turn of the writer's thread does it."""
        return False

    def upkeep(self) -> None:
        """Make the partitions of the next days, before they are needed."""
        if time.monotonic() < self._next_ahead:
            return
        self._next_ahead = time.monotonic() + _AHEAD_PAUSE_SECONDS
        today = day_of(int(time.time() * 1000))
        with contextlib.suppress(psycopg.Error):  # a day that is missing when it comes is made then
            self._make_days(set(range(today, today + DAYS_AHEAD + 1)))

    def close(self) -> None:
        """Close the connection, and let another process write."""
        self._connection.close()
        self._claim.release()

    def _make_days(self, days: set[int]) -> None:
        for statement in make_statements(sorted(days - self._days)):
            self._connection.execute(statement.encode())
        self._days |= days

    def _one(self, query: str, values: Sequence[object]) -> Any:  # noqa: ANN401 - a column's value
        found = self._connection.execute(query.encode(), values).fetchone()
        return found[0] if found else None

    def _execute(self, statement: Any) -> int:  # noqa: ANN401 - any statement of SQLAlchemy
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
        return self._connection.execute(str(compiled).encode()).rowcount

    def _refusing(self, call: Callable[[], T]) -> T:
        if self._connection.closed:
            self._connect_again()
            # What the last statement came to before the connection was lost, nobody knows.
            raise StoreRefused(Refusal.TREE, "the connection was lost")
        try:
            return call()
        except psycopg.Error as error:
            self._days.clear()
            raise StoreRefused(_refusal(error), _words(error)) from error

    def _connect_again(self) -> None:
        """Take the claim and a connection again; without the claim, two processes would write two trees."""
        self._claim.release()
        try:
            self._claim = self._database.claim(_CLAIM)
            self._connection = self._database.driver_connection()
        except (SQLAlchemyError, DatabaseUnusable) as error:
            raise StoreRefused(Refusal.ALL, "PostgreSQL is out of reach") from error


@cache
def _insert_records(rows: int) -> bytes:
    """Give one statement that writes records and their keys: neither is there without the other."""
    new = _many(insert(RECORD), COLUMNS, rows)
    keys = ", ".join(column.name for column in MESSAGE_KEY.columns).encode()
    # What is put together is all our own.
    named = b"INSERT INTO log_message_key (%b) SELECT %b FROM new" % (keys, keys)
    return b"WITH new AS (%b RETURNING id, leaf_index, %b), named AS (%b) SELECT id, leaf_index FROM new" % (
        new,
        keys,
        named,
    )


@cache
def _insert_nodes(rows: int) -> bytes:
    return _many(insert(TREE_NODE), ("level", "position", "hash"), rows)


def _many(statement: Insert, columns: Sequence[str], rows: int) -> bytes:
    one = f"({', '.join(['%s'] * len(columns))})"
    head = f"INSERT INTO {statement.table.name} ({', '.join(columns)})"
    return f"{head} VALUES {', '.join([one] * rows)}".encode()


def _refusal(error: psycopg.Error) -> Refusal:
    if isinstance(error, errors.UniqueViolation) and "log_record" in (error.diag.table_name or ""):
        return Refusal.DUPLICATE
    return Refusal.ONE_ROW if isinstance(error, _ONE_ROWS_FAULT) else Refusal.ALL


def _words(error: psycopg.Error) -> str:
    # The first line names no values; details, which do, are elsewhere.
    return error.diag.message_primary or "PostgreSQL is out of reach"
