"""The writer's SQL, compiled once from the tables; each call is one durable transaction on an autocommit connection.

It refuses to know queues and outcomes.
What only SQLite does (row numbers in one run, checkpoints) is here, beside `serverkit.database`.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from sqlalchemy import insert, select
from sqlalchemy.dialects.sqlite import dialect

from securityserver.messagelog.records import COLUMNS, MessageKey, Row
from securityserver.messagelog.tables import BODY, BODY_CHUNK, RECORD, TREE_NODE
from xroad.merkle import Node

_DIALECT = dialect(paramstyle="qmark")
_ORPHANS = str(
    select(BODY.c.id)
    .where(~select(RECORD.c.id).where(RECORD.c.body_id == BODY.c.id).exists())
    .order_by(BODY.c.id)
    .compile(dialect=_DIALECT)
)
_NEW_BODY = str(insert(BODY).values().compile(dialect=_DIALECT, column_keys=[]))
_NEW_CHUNK = str(insert(BODY_CHUNK).compile(dialect=_DIALECT, column_keys=["body_id", "position", "data", "day"]))
_NEW_NODE = str(insert(TREE_NODE).compile(dialect=_DIALECT, column_keys=["level", "position", "hash"]))

_KNOWN = "SELECT 1 FROM log_record WHERE request_id = ? AND response = ? AND client_side = ?"
_LAST_NUMBER = "SELECT seq FROM sqlite_sequence WHERE name = 'log_record'"


@cache
def _insert(rows: int) -> str:
    return _many(str(insert(RECORD).compile(dialect=_DIALECT, column_keys=list(COLUMNS))), rows)


def _many(one: str, rows: int) -> str:
    head, values = one.split(" VALUES ")
    return f"{head} VALUES {', '.join([values] * rows)}"


def insert_records(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Write rows, all or none.

    Returns:
        the number of the last row; the others have the numbers right before it, in their order (AUTOINCREMENT gives
        each row of a statement one more than the greatest ever used).
    """
    return _last_row(connection.execute(_insert(len(rows)), list(chain.from_iterable(rows))))


def has_message(connection: sqlite3.Connection, key: MessageKey) -> bool:
    """Tell whether a message is in the log."""
    return connection.execute(_KNOWN, key).fetchone() is not None


def next_number(connection: sqlite3.Connection) -> int:
    """Give the number that the next record gets (AUTOINCREMENT: one more than the greatest ever used)."""
    found = connection.execute(_LAST_NUMBER).fetchone()
    return 1 if found is None else int(found[0]) + 1


def new_body(connection: sqlite3.Connection) -> int:
    """Give the number of a new body."""
    return _last_row(connection.execute(_NEW_BODY))


def insert_nodes(connection: sqlite3.Connection, nodes: Sequence[Node]) -> None:
    """Write nodes of the tree, all or none."""
    values = chain.from_iterable((node.level, node.position, node.hash) for node in nodes)
    connection.execute(_many(_NEW_NODE, len(nodes)), list(values))


def insert_chunk(connection: sqlite3.Connection, body: int, position: int, day: int, data: bytes) -> None:
    """Write one chunk of a body; `position` counts chunks."""
    connection.execute(_NEW_CHUNK, (body, position, data, day))


def orphans(connection: sqlite3.Connection) -> list[int]:
    """Give the bodies that no record names: a crash or a failure came between."""
    return [number for (number,) in connection.execute(_ORPHANS)]


def delete_chunks(connection: sqlite3.Connection, body: int, at_most: int) -> int:
    """Remove chunks of a body, and tell how many."""
    some = select(BODY_CHUNK.c.id).where(BODY_CHUNK.c.body_id == body).limit(at_most)
    statement = BODY_CHUNK.delete().where(BODY_CHUNK.c.id.in_(some))
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
    return connection.execute(str(compiled)).rowcount


def delete_body(connection: sqlite3.Connection, body: int) -> None:
    """Remove a body that has no chunks."""
    compiled = BODY.delete().where(BODY.c.id == body).compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
    connection.execute(str(compiled))


def copy_back(connection: sqlite3.Connection) -> None:
    """Copy what the write-ahead log has into the database, as far as no reader is in the way; waits for nobody."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def checkpoint(connection: sqlite3.Connection, wait_milliseconds: int) -> None:
    """Copy the write-ahead log into the database and empty it, waiting at most so long for readers."""
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout={wait_milliseconds:d}")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout={usual:d}")


def _last_row(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise TypeError("an INSERT gives a row number")
    return cursor.lastrowid
