"""The Merkle tree as the one writer of the log knows it: loaded at start, grown with each commit, stored in pieces.

It refuses to know threads and proofs. A record's leaf stands in its own row, written by the same statement, so that the
nodes above it can be written later: what a crash leaves out is made again from the rows. Of leaves (level 0) the table
of nodes has only those whose records were removed.
"""

from collections.abc import Sequence
from typing import Final, Self

from sqlalchemy import Connection, func, insert, select, update

from securityserver.messagelog.leaf import FIELDS, leaf_of, values_of
from securityserver.messagelog.tables import RECORD, TREE_NODE
from serverkit.database import Database
from xroad.merkle import Frontier, Node

# How many leaves may wait for their nodes: one more statement for so many records is not felt, and a proof or a start
# makes so many again in a millisecond.
LEAVES_UNSTORED: Final = 512
_PAGE: Final = 200


class LeavesMissing(Exception):  # noqa: N818 - says what the administrator meets
    """The last records of the log are not all there."""


class TreeState:
    """The frontier, and the nodes that are not stored yet.

    Args:
        frontier: of all leaves that are durable.
    """

    def __init__(self, frontier: Frontier) -> None:
        self.frontier = frontier
        self.unstored: list[Node] = []

    @classmethod
    def load(cls, database: Database) -> Self:
        """Take the tree up where the log ended, and take in records from before there was a tree. Blocks.

        Raises:
            LeavesMissing: records at the end of the log are gone.
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        with database.transaction() as connection:
            state = cls(load_frontier(connection))
            for index, leaf in later_leaves(connection, state.frontier.size):
                if index != state.frontier.size:
                    raise LeavesMissing(
                        f"Record {state.frontier.size} of the message log is gone, though later ones are there: run "
                        "`spean log check`, and restore a backup."
                    )
                state.grow([leaf])
            store_nodes(connection, state.take_unstored())
        while state._adopt(database):
            pass
        return state

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves that have become durable."""
        for leaf in leaves:
            self.unstored += self.frontier.append(leaf)[1:]

    def take_unstored(self) -> list[Node]:
        """Give the nodes that wait, and forget them."""
        nodes, self.unstored = self.unstored, []
        return nodes

    def _adopt(self, database: Database) -> bool:
        columns = [RECORD.c.id, *(RECORD.c[name] for name in FIELDS)]
        query = select(*columns).where(RECORD.c.leaf_index.is_(None)).order_by(RECORD.c.id).limit(_PAGE)
        with database.transaction() as connection:
            rows = connection.execute(query).mappings().all()
            for row in rows:
                leaf = leaf_of(values_of(dict(row)))
                place = {"leaf_index": self.frontier.size, "leaf_hash": leaf}
                connection.execute(update(RECORD).where(RECORD.c.id == row["id"]).values(place))
                self.grow([leaf])
            store_nodes(connection, self.take_unstored())
        return bool(rows)


def load_frontier(connection: Connection) -> Frontier:
    """Read the tree's right edge, as far as its nodes are stored: to the end of the last pair of leaves."""
    last = connection.execute(select(func.max(TREE_NODE.c.position)).where(TREE_NODE.c.level == 1)).scalar_one()
    size = 0 if last is None else 2 * (last + 1)
    return Frontier.load(size, lambda level, position: node(connection, level, position))


def node(connection: Connection, level: int, position: int) -> bytes:
    """Read a node: a leaf from its record, or from the mark that a removed record has left.

    Raises:
        LeavesMissing: there is neither.
    """
    place = (TREE_NODE.c.level == level) & (TREE_NODE.c.position == position)
    found: bytes | None = None
    if level == 0:
        leaf = select(RECORD.c.leaf_hash).where(RECORD.c.leaf_index == position)
        found = connection.execute(leaf).scalar_one_or_none()
    found = found or connection.execute(select(TREE_NODE.c.hash).where(place)).scalar_one_or_none()
    if found is None:
        raise LeavesMissing(
            f"The message log's tree has lost node {position} of level {level}: run `spean log check`, and restore a "
            "backup."
        )
    return found


def later_leaves(connection: Connection, first: int) -> list[tuple[int, bytes]]:
    """Read the leaves of records from a place on; they are few: those of which the nodes are not stored."""
    columns = select(RECORD.c.leaf_index, RECORD.c.leaf_hash)
    rows = connection.execute(columns.where(RECORD.c.leaf_index >= first).order_by(RECORD.c.leaf_index))
    return [(index, leaf) for index, leaf in rows]


def store_nodes(connection: Connection, nodes: Sequence[Node]) -> None:
    """Write nodes."""
    if nodes:
        rows = [{"level": node.level, "position": node.position, "hash": node.hash} for node in nodes]
        connection.execute(insert(TREE_NODE), rows)
