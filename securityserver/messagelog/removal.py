"""Takes archived records out of the log, and leaves a mark in the tree that says where each went.

It refuses to decide which: the archive does, after it has read itself back.
Without the mark `check` would report a record that is gone; a mark without its archive is as telling.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from securityserver.messagelog import partitions
from securityserver.messagelog.records import DAY_MILLISECONDS
from securityserver.messagelog.tables import ARCHIVE, BODY, BODY_CHUNK, RECORD, TREE_NODE

_BODIES_AT_ONCE: Final = 1000


class NotArchived(Exception):  # noqa: N818 - says what the administrator meets
    """A day still has records that no archive holds."""


def remove(connection: Connection, record_ids: Sequence[int], archive_id: int) -> int:
    """Remove records within the caller's transaction, with their bodies, and tell how many.

    Only those are removed that have a time-stamp, are in that archive, and whose places in the tree are stored.

    Args:
        connection: of a transaction.
        record_ids: at most some hundred.
        archive_id: where they are.
    """
    node = TREE_NODE.c
    # The node above the leaf: from there on the tree stands without the record.
    stored = select(node.position).where(node.level == 1, node.position == RECORD.c.leaf_index // 2).exists()
    fit = select(RECORD.c.id, RECORD.c.leaf_index, RECORD.c.leaf_hash, RECORD.c.body_id).where(
        RECORD.c.id.in_(record_ids), RECORD.c.timestamp_id.is_not(None), RECORD.c.archive_id == archive_id, stored
    )
    rows = connection.execute(fit).all()
    marks = [{"level": 0, "position": row.leaf_index, "hash": row.leaf_hash, "archive_id": archive_id} for row in rows]
    bodies = [row.body_id for row in rows if row.body_id is not None]
    if marks:
        connection.execute(insert(TREE_NODE), marks)
        connection.execute(delete(RECORD).where(RECORD.c.id.in_([row.id for row in rows])))
    if bodies:
        connection.execute(delete(BODY_CHUNK).where(BODY_CHUNK.c.body_id.in_(bodies)))
        connection.execute(delete(BODY).where(BODY.c.id.in_(bodies)))
    return len(rows)


def drop_day(connection: Connection, day: int, before: int) -> int:
    """Drop a day's partitions on PostgreSQL, once all its records are in archives, and tell how many there were.

    Args:
        connection: of a transaction.
        day: days since 1970-01-01.
        before: the archives were read back before this time, in milliseconds since 1970.

    Raises:
        NotArchived: one of its records has no time-stamp, no such archive, or no place in the stored tree.
    """
    record = RECORD.c
    within = (record.time >= day * DAY_MILLISECONDS) & (record.time < (day + 1) * DAY_MILLISECONDS)
    partitions.close_to_writers(connection, day)
    _require_archived(connection, within, before)
    columns = [TREE_NODE.c[name] for name in ("level", "position", "hash", "archive_id")]
    marks = select(literal(0), record.leaf_index, record.leaf_hash, record.archive_id).where(within)
    connection.execute(insert(TREE_NODE).from_select(columns, marks))
    dropped: int = connection.execute(select(func.count()).select_from(RECORD).where(within)).scalar_one()
    large = select(record.body_id).where(within, record.body_id.is_not(None))
    bodies = connection.execute(large).scalars().all()
    partitions.drop(connection, day)
    for start in range(0, len(bodies), _BODIES_AT_ONCE):
        connection.execute(delete(BODY).where(BODY.c.id.in_(bodies[start : start + _BODIES_AT_ONCE])))
    return dropped


def _require_archived(connection: Connection, within: ColumnElement[bool], before: int) -> None:
    node, record = TREE_NODE.c, RECORD.c
    placed = select(node.position).where(node.level == 1, node.position == record.leaf_index // 2).exists()
    safe = select(ARCHIVE.c.id).where(ARCHIVE.c.verified == 1, ARCHIVE.c.time < before)
    # An archive that is planned has its records already, and no file yet.
    archived = record.archive_id.is_not(None) & record.archive_id.in_(safe)
    fit = record.timestamp_id.is_not(None) & archived & placed
    left = connection.execute(select(func.count()).select_from(RECORD).where(within, ~fit)).scalar_one()
    if left:
        raise NotArchived(f"{left} records of that day are not archived yet.")
