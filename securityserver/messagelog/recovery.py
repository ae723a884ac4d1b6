"""Brings into the database what only the intake's file holds: after a crash, and for who reads beside a running node.

It refuses to know how either is written. The log calls `recover` before it takes anything in, the commands that read a
log `settle`; what cannot be brought over is told and left as it is, and nothing is written over.
"""

import time
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from securityserver.messagelog import intakefile
from securityserver.messagelog.intakefile import Batch, IntakeDamaged
from securityserver.messagelog.records import LEAF_HASH, Row
from securityserver.messagelog.store import Store, StoreRefused, open_store
from securityserver.messagelog.tables import RECORD
from securityserver.messagelog.treestate import LeavesMissing, TreeState, load_frontier, node
from securityserver.migrations import open_node_database
from serverkit.database import Database, DatabaseUnusable
from serverkit.logs import get_logger

log = get_logger("message-log")

# In one statement.
_ROWS: Final = 256
# A running node moves a record after a fifth of a second; a busy machine may take longer.
_SETTLE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05


def intake_path(database: Database) -> Path | None:
    """Give where a database's intake is, None where it has none."""
    return None if database.path is None else Path(f"{database.path}-intake")


def note_path(database: Database) -> Path:
    """Give the file that says whether an intake is written: the lock of who writes the log."""
    return Path(f"{database.path}-message-log.lock")


def recover(database: Database, store: Store) -> None:
    """Write into the database what an intake has beyond it, and remove the intake; the caller writes the log alone.

    Raises:
        DatabaseUnusable: the intake is gone, or it and the database do not fit together.
        StoreRefused, LeavesMissing, sqlalchemy.exc.SQLAlchemyError: the database refused.
    """
    path = intake_path(database)
    if path is None:
        return
    if not path.exists():
        _require_unused(database, path)
        return
    tree = TreeState.load(database)
    rows = _beyond(path, database, tree)
    for start in range(0, len(rows), _ROWS):
        store.insert_records(rows[start : start + _ROWS])
    if rows:
        log.info("intake_recovered", records=len(rows))
    intakefile.remove(path, note_path(database))


def open_log(url: str) -> Database:
    """Open a node's database for who reads its log: all that was in the log before is in the database. Blocks.

    Raises:
        DatabaseUnusable: as `open_node_database`, and as `recover`.
    """
    database = open_node_database(url)
    try:
        settle(database)
    except BaseException:
        database.close()
        raise
    return database


def settle(database: Database) -> None:
    """Wait until the database has what was in the log when this was called; when no node runs, bring it there. Blocks.

    Raises:
        DatabaseUnusable: as `recover`.
    """
    path = intake_path(database)
    if path is None or not path.exists():
        return
    try:
        store = open_store(database)
    except DatabaseUnusable:  # a node runs
        _await(database, path)
        return
    try:
        recover(database, store)
    except (StoreRefused, LeavesMissing) as error:
        raise DatabaseUnusable(f"{path}: its records cannot be brought into the database ({error}).") from error
    finally:
        store.close()


def _await(database: Database, path: Path) -> None:
    try:
        end = max((batch.end for batch in intakefile.read(path) if batch.content is not None), default=0)
    except (OSError, IntakeDamaged):
        return  # removed or made anew in this moment: the node has brought everything over
    until = time.monotonic() + _SETTLE_SECONDS
    while _size(database) < end and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)


def _size(database: Database) -> int:
    """Tell how many places of the tree the database has; the newest records may be in archives only."""
    with database.reading() as connection:
        last: int | None = connection.execute(select(func.max(RECORD.c.leaf_index))).scalar_one()
        return max(load_frontier(connection).size, 0 if last is None else last + 1)


def _require_unused(database: Database, path: Path) -> None:
    note = note_path(database)
    if note.exists() and note.read_bytes() == intakefile.IN_USE:
        raise DatabaseUnusable(
            f"{path}: the message log's intake is gone, though the server that wrote it was not stopped in order: "
            "records of messages that have left may be in it and nowhere else. Put the file back; or remove "
            f"{note.name} to begin without them."
        )


def _beyond(path: Path, database: Database, tree: TreeState) -> list[Row]:
    """Give the rows that the database does not have yet, when they go on where it ends."""
    try:
        batches = intakefile.read(path)
    except (OSError, IntakeDamaged) as error:
        raise DatabaseUnusable(
            f"{path}: the message log's intake cannot be read ({error}). Records of messages that have left may be in "
            "it and nowhere else: keep it, and put a good copy in its place; or move it away to begin without them."
        ) from error
    rows, before, size = list[Row](), leaf_at(database, tree.frontier.size - 1), tree.frontier.size
    there = [batch for batch in batches if batch.content is not None and batch.end <= size]
    if there:
        _require_same(path, there[-1], database)
    for batch in batches:
        if batch.content is not None and batch.end > size:
            _require_next(path, batch, size, before)
            rows += batch.rows()[size - batch.first :]
            before, size = rows[-1][LEAF_HASH], batch.end
        elif batch.content is None and batch.first >= size:
            # Its write had not ended, so that its messages had not moved on.
            log.warning("intake_unfinished", first=batch.first, records=batch.count)
    return rows


def _require_next(path: Path, batch: Batch, size: int, before: bytes) -> None:
    if batch.first > size:
        raise DatabaseUnusable(
            f"{path}: the message log's records from {size} to {batch.first - 1}, counted from 0, are neither in the "
            "database nor whole in the intake: the intake is damaged, or the database is an older one (a backup?). "
            "Keep both, and put the right ones in their place; or move the intake away to begin without its records."
        )
    own = batch.before if batch.first == size else batch.rows()[size - batch.first - 1][LEAF_HASH]
    if own != before:
        raise _foreign(path)


def _require_same(path: Path, batch: Batch, database: Database) -> None:
    if batch.rows()[-1][LEAF_HASH] != leaf_at(database, batch.end - 1):
        raise _foreign(path)


def _foreign(path: Path) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"{path}: the message log's intake is another database's: put the database back that it belongs to; or move "
        "the intake away to begin without its records."
    )


def leaf_at(database: Database, place: int) -> bytes:
    """Give a leaf of the tree, zeros before the first."""
    if place < 0:
        return bytes(32)
    with database.reading() as connection:
        return node(connection, 0, place)
