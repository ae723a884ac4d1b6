"""Holds the whole log against its tree and its signed heads, and names each record that is not as it was written.

It refuses to repair and to read encrypted bodies: their stored bytes are under the leaf too. An auditor runs it on a
live log, or on one that came back from a backup, with heads that were kept elsewhere.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, select

from securityserver.messagelog import treeheads
from securityserver.messagelog.leaf import leaf_of, values_of
from securityserver.messagelog.records import BodyForm
from securityserver.messagelog.tables import BODY_CHUNK, MESSAGE_KEY, RECORD, TREE_NODE
from securityserver.messagelog.treeheads import HeadInvalid, TreeHead
from serverkit.database import Database
from xroad.merkle import EMPTY_ROOT, node_hash

# Records of a page are in memory with their bodies, each at most 256 KiB.
_PAGE: Final = 128


class Trouble(StrEnum):
    """What is wrong."""

    CHANGED = "changed"
    BODY_CHANGED = "body changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    HIDDEN = "hidden"
    TREE = "tree changed"
    HEAD = "head not valid"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        trouble: what.
        record: the record's number, where there is one.
        text: a sentence for the auditor.
    """

    trouble: Trouble
    record: int | None
    text: str


@dataclass(slots=True)
class Peak:
    """A complete subtree on the way: its hash, or `None` when something below it is gone."""

    hash: bytes | None


class Checker:
    """One run over a log.

    Args:
        database: the node's.
        others: heads that were kept elsewhere, such as those of proofs.
    """

    def __init__(self, database: Database, others: Sequence[TreeHead] = ()) -> None:
        self.records = self.archived = 0
        self.heads: list[TreeHead] = []
        self._database, self._others = database, others
        self._peaks: list[Peak] = []
        self._stored: dict[tuple[int, int], bytes] = {}
        self._last_number = 0
        self._covered = 0

    def run(self) -> Iterator[Finding]:
        """Give what is wrong, in the order of the log; nothing when all is well. Blocks.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refused.
        """
        with self._database.reading() as connection:
            size = _size(connection)
            stored = treeheads.heads(connection)
        self.heads = sorted([*stored, *self._others], key=lambda head: head.size)
        waiting = list(self.heads)
        yield from self._outside()
        for start in range(0, size, _PAGE):
            yield from self._page(start, min(start + _PAGE, size), waiting)
        for head in waiting:
            yield from self._head(head, size)

    def _outside(self) -> Iterator[Finding]:
        for row in self._rows(select(RECORD.c.id).where(RECORD.c.leaf_index.is_(None)).order_by(RECORD.c.id)):
            text = f"Record {row['id']} was put in beside the log: it has no place in the tree."
            yield Finding(Trouble.INSERTED, row["id"], text)

    def _page(self, start: int, end: int, waiting: list[TreeHead]) -> Iterator[Finding]:
        columns = [column for column in RECORD.columns if column.name != "signature_hash"]
        place = RECORD.c.leaf_index
        rows = self._rows(select(*columns).where(place >= start, place < end).order_by(place))
        records = {row["leaf_index"]: row for row in rows}
        self._fetch_nodes(start, end)
        yield from self._hidden(start, end)
        for index in range(start, end):
            while waiting and waiting[0].size <= index:
                yield from self._head(waiting.pop(0), index)
            row = records.get(index)
            yield from self._gone(index) if row is None else self._record(row)
            leaf = self._stored.get((0, index)) if row is None else row["leaf_hash"]
            yield from self._grow(index, leaf)

    def _hidden(self, start: int, end: int) -> Iterator[Finding]:
        """Name records that a search by their identifiers would not find; only PostgreSQL keeps keys apart."""
        if not self._database.is_postgresql:
            return
        same = and_(*(column == RECORD.c[column.name] for column in MESSAGE_KEY.columns))
        within = RECORD.c.leaf_index >= start, RECORD.c.leaf_index < end
        for row in self._rows(select(RECORD.c.id).where(*within, ~exists().where(same)).order_by(RECORD.c.id)):
            text = f"Record {row['id']} is not found by its identifiers: its key was changed or removed."
            yield Finding(Trouble.HIDDEN, row["id"], text)

    def _record(self, row: dict[str, Any]) -> Iterator[Finding]:
        self.records += 1
        number = row["id"]
        if number <= self._last_number:
            yield Finding(Trouble.REORDERED, number, f"Record {number} does not stand where it was written.")
        self._last_number = max(number, self._last_number)
        if leaf_of(values_of(row)) != row["leaf_hash"]:
            yield Finding(Trouble.CHANGED, number, f"Record {number} was changed after it was written.")
        elif not self._body_holds(row):
            yield Finding(Trouble.BODY_CHANGED, number, f"The body of record {number} was changed or removed.")

    def _body_holds(self, row: dict[str, Any]) -> bool:
        if row["body_form"] == BodyForm.NOT_LOGGED:
            return row["body"] is None and row["body_id"] is None
        encrypted = row["body_form"] == BodyForm.ENCRYPTED
        digest = hashlib.sha256() if encrypted else hashlib.sha512()
        digest.update(row["body"] or b"")
        for chunk in self._chunks(row["body_id"]):
            digest.update(chunk)
        return bool(digest.digest() == (row["body_stored_digest"] if encrypted else row["body_digest"]))

    def _chunks(self, body: int | None) -> Iterator[bytes]:
        columns, position = BODY_CHUNK.c, 0
        while body is not None:
            query = select(columns.data).where(columns.body_id == body, columns.position == position)
            found = self._rows(query)
            if not found:
                return
            yield found[0]["data"]
            position += 1

    def _gone(self, index: int) -> Iterator[Finding]:
        if (0, index) in self._stored:
            self.archived += 1
            return
        text = f"The record at place {index} of the log was removed{self._between(index)}."
        yield Finding(Trouble.REMOVED, None, text)

    def _grow(self, index: int, leaf: bytes | None) -> Iterator[Finding]:
        """Add a leaf, and hold each subtree that it completes against what was stored when it was written."""
        peak, level, place = Peak(leaf), 0, index
        while index >> level & 1:
            left = self._peaks.pop()
            known = left.hash is not None and peak.hash is not None
            made = node_hash(left.hash, peak.hash) if left.hash is not None and peak.hash is not None else None
            level, place = level + 1, place >> 1
            stored = self._stored.get((level, place))
            if stored is not None and known and made != stored:
                yield self._differs(level, place)
            # What was stored stands for what is gone, so that one difference is told once and not up to the root.
            peak = Peak(stored or made)
        self._peaks.append(peak)

    def _differs(self, level: int, place: int) -> Finding:
        first, last = place << level, ((place + 1) << level) - 1
        text = f"Records at places {first} to {last}{self._named(first, last)} are not those that the tree was made of."
        return Finding(Trouble.TREE, self._number(first), text)

    def _named(self, first: int, last: int) -> str:
        return f" (records {self._number(first)} to {self._number(last)})"

    def _between(self, index: int) -> str:
        return f" (it stood between records {self._number(index - 1)} and {self._number(index + 1)})"

    def _number(self, index: int) -> int | None:
        found = self._rows(select(RECORD.c.id).where(RECORD.c.leaf_index == index))
        return found[0]["id"] if found else None

    def _head(self, head: TreeHead, size: int) -> Iterator[Finding]:
        try:
            head.verify()
        except HeadInvalid as error:
            yield Finding(Trouble.HEAD, None, str(error))
            return
        told = f"the head signed at {head.at:%Y-%m-%d %H:%M:%S}Z"
        if head.size > size:
            text = f"{head.size - size} records are missing: {told} covers {head.size}, and the log ends after {size}."
            yield Finding(Trouble.MISSING, None, text)
        elif (root := self._root()) is not None and root != head.root:
            first, last = self._covered, head.size - 1
            text = f"Among places {first} to {last}{self._named(first, last)} a record is not what {told} covers."
            yield Finding(Trouble.CHANGED, self._number(first), text)
        else:
            self._covered = head.size

    def _root(self) -> bytes | None:
        root: bytes | None = None
        for peak in reversed(self._peaks):
            if peak.hash is None:
                return None
            root = peak.hash if root is None else node_hash(peak.hash, root)
        return root or EMPTY_ROOT

    def _fetch_nodes(self, start: int, end: int) -> None:
        self._stored.clear()
        for level in range(end.bit_length()):
            node = TREE_NODE.c
            within = (node.position >= start >> level) & (node.position <= end >> level)
            for row in self._rows(select(node.position, node.hash).where((node.level == level) & within)):
                self._stored[level, row["position"]] = row["hash"]

    def _rows(self, query: Select[Any]) -> list[dict[str, Any]]:
        # A transaction a page: a long one would hold back checkpoints, and the log only grows meanwhile.
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _size(connection: Connection) -> int:
    """Give how many places the log has, by its records and by its tree."""
    last = connection.execute(select(func.max(RECORD.c.leaf_index))).scalar_one()
    pair = connection.execute(select(func.max(TREE_NODE.c.position)).where(TREE_NODE.c.level == 1)).scalar_one()
    return max(0 if last is None else last + 1, 0 if pair is None else 2 * (pair + 1))
