"""The seam between the log's writer and a database: what each call makes durable, and how it fails.

It refuses to know SQL. The writer alone calls it, from one thread at a time; one implementation stands for each
database.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from securityserver.messagelog.records import Row
from serverkit.database import Database
from xroad.merkle import Node


class Refusal(Enum):
    """Whose fault it is that nothing was written."""

    DUPLICATE = auto()  # a row is there already
    ONE_ROW = auto()  # a row does not fit; others may
    TREE = auto()  # the leaves have other places: what is in memory no longer fits what is stored
    ALL = auto()  # the database is out of reach


class StoreRefused(Exception):  # noqa: N818 - the writer turns it into what the appender gets
    """Nothing of the call was written.

    Args:
        refusal: whose fault it is.
        reason: the database's own words; they name no values.
    """

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


class Store(Protocol):
    """Each call is one durable transaction, or raises `StoreRefused`."""

    def insert_records(self, rows: Sequence[Row]) -> Sequence[int]:
        """Write rows, all or none, and give their numbers."""
        ...

    def insert_nodes(self, nodes: Sequence[Node]) -> None:
        """Write nodes of the tree."""
        ...

    def new_body(self) -> int:
        """Give the number of a new large body."""
        ...

    def insert_chunk(self, body: int, position: int, day: int, data: bytes) -> None:
        """Write one chunk of a body; `position` counts chunks."""
        ...

    def orphans(self) -> list[int]:
        """Give the bodies that no record names: a crash or a failure came between."""
        ...

    def delete_chunks(self, body: int, at_most: int) -> int:
        """Remove chunks of a body, and tell how many."""
        ...

    def delete_body(self, body: int) -> None:
        """Remove a body that has no chunks."""
        ...

    @property
    def upkeep_due(self) -> bool:
        """Whether `upkeep` should be called soon, by a thread that may wait for the disk."""
        ...

    def upkeep(self) -> None:
        """Do what the database needs from time to time; never raises."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...


def open_store(database: Database) -> Store:
    """Give the store of a database's kind. Blocks.

    Raises:
        DatabaseUnusable: another process writes this log.
        StoreRefused: the database is out of reach.
    """
    # Each brings its own driver: a node on SQLite loads none of PostgreSQL's.
    if database.is_postgresql:
        from securityserver.messagelog.postgresstore import PostgresStore  # noqa: PLC0415

        return PostgresStore(database)
    from securityserver.messagelog.sqlitestore import SqliteStore  # noqa: PLC0415

    return SqliteStore(database)
