"""The log's writer on SQLite: one statement a transaction, since each call into the driver waits for the interpreter.

It refuses to know queues and outcomes; `statements` holds the SQL.
Beside a busy event loop a call waits up to the switch interval. BEGIN, one INSERT a row and COMMIT for 16 rows were
measured at 128 ms that way; one multi-row statement at 6 ms, 0.7 ms when the loop is idle.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from securityserver.messagelog import statements
from securityserver.messagelog.records import BODY, MessageKey, Row
from securityserver.messagelog.store import Refusal, StoreRefused
from serverkit.database import WAL_CHECKPOINT_PAGES, Database
from xroad.merkle import Node

# Readers can hold a checkpoint back; above this the writer asks for a full one, briefly and at most once a second.
WAL_LIMIT_BYTES = 64 * 1024 * 1024
_CHECKPOINT_WAIT_MILLISECONDS: Final = 50
_CHECKPOINT_PAUSE_SECONDS: Final = 1.0
# The writer copies what the write-ahead log has into the database before a commit would: exchanges wait for commits.
# By itself SQLite does it when nobody else has.
_PAGE_BYTES: Final = 4096
_PAGES_A_ROW: Final = 5  # beside its body: head, signature, and its share of the indexes' pages
_BY_ITSELF_PAGES: Final = 4 * WAL_CHECKPOINT_PAGES
# Failures that one row of a batch can bring about; on others the whole batch has failed.
_ONE_ROWS_FAULT: Final = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG})
_PRIMARY_CODE: Final = 0xFF

T = TypeVar("T")


class SqliteStore:
    """An autocommit connection.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claim = database.claim("message log")
        self._connection = database.autocommit_connection()
        self._connection.execute(f"PRAGMA wal_autocheckpoint={_BY_ITSELF_PAGES:d}")
        self._next_checkpoint = 0.0
        self._pages = 0

    def insert_records(self, rows: Sequence[Row]) -> Sequence[int]:
        """Write rows as one statement."""
        last = _refusing(lambda: statements.insert_records(self._connection, rows))
        self._pages += sum(_PAGES_A_ROW + len(row[BODY] or b"") // _PAGE_BYTES for row in rows)
        return range(last - len(rows) + 1, last + 1)

    def insert_nodes(self, nodes: Sequence[Node]) -> None:
        """Write nodes as one statement."""
        _refusing(lambda: statements.insert_nodes(self._connection, nodes))

    def new_body(self) -> int:
        """Give the number of a new large body."""
        return _refusing(lambda: statements.new_body(self._connection))

    def insert_chunk(self, body: int, position: int, day: int, data: bytes) -> None:
        """Write one chunk."""
        _refusing(lambda: statements.insert_chunk(self._connection, body, position, day, data))

    def orphans(self) -> list[int]:
        """Give the bodies without a record."""
        return _refusing(lambda: statements.orphans(self._connection))

    def delete_chunks(self, body: int, at_most: int) -> int:
        """Remove some chunks."""
        return _refusing(lambda: statements.delete_chunks(self._connection, body, at_most))

    def delete_body(self, body: int) -> None:
        """Remove an empty body."""
        _refusing(lambda: statements.delete_body(self._connection, body))

    @property
    def upkeep_due(self) -> bool:
        """Whether so much was written that it should be copied into the database."""
        return self._pages >= WAL_CHECKPOINT_PAGES

    def upkeep(self) -> None:
        """Keep the write-ahead log within its bound."""
        if self.upkeep_due:
            self._pages = 0
            with contextlib.suppress(sqlite3.OperationalError):  # the next attempt may do it, or SQLite by itself
                statements.copy_back(self._connection)
        now = time.monotonic()
        if now < self._next_checkpoint:
            return
        self._next_checkpoint = now + _CHECKPOINT_PAUSE_SECONDS
        if self._database.wal_bytes() < WAL_LIMIT_BYTES:
            return
        with contextlib.suppress(sqlite3.OperationalError):  # readers are in the way: the next attempt may do it
            statements.checkpoint(self._connection, _CHECKPOINT_WAIT_MILLISECONDS)

    def close(self) -> None:
        """Close the connection, and let another process write."""
        self._connection.close()
        self._claim.release()


class SqliteMessages:
    """Tells which messages a database has, by a connection of its own, which reads only.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self._connection = database.autocommit_connection()
        self._connection.execute("PRAGMA query_only=ON")
        # An event loop asks: it does not wait for others.
        self._connection.execute("PRAGMA busy_timeout=0")

    def known(self, key: MessageKey) -> bool:
        """Tell whether the database has a message.

        Raises:
            StoreRefused: it cannot be read.
        """
        return _refusing(lambda: statements.has_message(self._connection, key))

    def next_number(self) -> int:
        """Give the number that the next record gets.

        Raises:
            StoreRefused: the database cannot be read.
        """
        return _refusing(lambda: statements.next_number(self._connection))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _refusing(call: Callable[[], T]) -> T:
    try:
        return call()
    except sqlite3.Error as error:
        raise StoreRefused(_refusal(error), str(error)) from error


def _refusal(error: sqlite3.Error) -> Refusal:
    code: int = getattr(error, "sqlite_errorcode", 0)  # errors of the driver itself have none
    # SQLite names the columns of a broken constraint, and never their values.
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE and "request_id" in str(error):
        return Refusal.DUPLICATE
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE and "leaf_index" in str(error):
        return Refusal.TREE
    return Refusal.ONE_ROW if code & _PRIMARY_CODE in _ONE_ROWS_FAULT else Refusal.ALL
