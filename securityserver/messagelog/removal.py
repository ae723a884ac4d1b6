"""Takes archived records out of the log, and leaves a mark in the tree that says where each went.

It refuses to decide which: the archive does, after it has read itself back.
Without the mark `check` would report a record that is gone; a mark without its archive is as telling.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from securityserver.messagelog.tables import BODY, BODY_CHUNK, RECORD, TREE_NODE


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
