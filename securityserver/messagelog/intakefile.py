"""The intake's file: batches of rows in two halves, each durable when it has been written, and told whole or torn.

It refuses to know the database, queues and event loops. `intake` writes it beside SQLite; `recovery` reads it when a
process that wrote it has ended, or goes on.

The file has its whole size from the start and is written over again and again, so that a write that waits for the disk
waits for these bytes only, and never for the file system's own books. A batch begins on a page of its own: what is
durable is never written again. Each is hashed with a key that this file alone has: pages that a message's sender chose
cannot be taken for a batch.
"""

import os
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final

from sqlalchemy import LargeBinary, String, Text

from securityserver.messagelog.records import COLUMNS, LEAF_INDEX, Row
from securityserver.messagelog.tables import RECORD

PAGE: Final = 4096
# A half holds any one record: a head of 1 MiB, a signature of another, two of a hash chain's parts and 256 KiB of body.
HALF_BYTES: Final = 4 * 1024 * 1024
HALVES: Final = (PAGE, PAGE + HALF_BYTES)
FILE_BYTES: Final = PAGE + 2 * HALF_BYTES
# Stands in the note while a file is written: when the file is gone then, it must be missed.
IN_USE: Final = b"intake\n"
_OWNER_ONLY: Final = 0o600
_FILE_MAGIC: Final = b"spean-intake-1\n\0"
_KEY_BYTES: Final = 32
_BATCH_MAGIC: Final = b"spn-rows"
# Magic, length and number of the rows, place of the first, leaf of the record before it, hash of the rows.
_HEAD: Final = struct.Struct(">8sIIQ32s32s")
_MARK_BYTES: Final = 32
_HEAD_BYTES: Final = _HEAD.size + _MARK_BYTES
_LENGTHS: Final = struct.Struct(f">{len(COLUMNS)}I")
_NUMBER: Final = struct.Struct(">q")
_ABSENT: Final = 0xFFFFFFFF


class IntakeDamaged(Exception):  # noqa: N818 - says what the administrator meets
    """The file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was written at once.

    Args:
        first: the place of its first row in the log's tree.
        count: of rows.
        before: the leaf of the record before them; zeros when there is none.
        content: the rows, encoded; `None` when they are not whole.
    """

    first: int
    count: int
    before: bytes
    content: bytes | None

    @property
    def end(self) -> int:
        """The place after its last row."""
        return self.first + self.count

    def rows(self) -> list[Row]:
        """Give the rows.

        Raises:
            IntakeDamaged: they are not whole.
        """
        if self.content is None:
            raise IntakeDamaged(f"the rows from {self.first} on are not whole")
        rows = list(_decoded(self.content))
        for place, row in enumerate(rows, start=self.first):
            row[LEAF_INDEX] = place
        return rows


class IntakeFile:
    """A file to write; `create` makes it.

    Args:
        path: where it is.
        note: the file that says that there is one.
        handle: open, and each write returns when it is durable.
        key: of its hashes.
    """

    def __init__(self, path: Path, note: Path, handle: int, key: bytes) -> None:
        self._path, self._note, self._handle, self._key = path, note, handle, key
        self._spoiled: int | None = None

    @classmethod
    def create(cls, path: Path, note: Path) -> "IntakeFile":
        """Make a new file, whole before it gets its name, and note that it is there. Blocks.

        Raises:
            OSError: there is no room, or no right to.
        """
        draft, key = path.with_name(f".{path.name}"), secrets.token_bytes(_KEY_BYTES)
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_DSYNC, _OWNER_ONLY)
        try:
            _write(handle, [(_FILE_MAGIC + key).ljust(FILE_BYTES, b"\0")], 0)
            os.fsync(handle)
            draft.replace(path)
            _sync(path.parent)
            _note(note, IN_USE)
        except BaseException:
            os.close(handle)
            for made in (draft, path):
                made.unlink(missing_ok=True)
            raise
        return cls(path, note, handle, key)

    def write(self, at: int, first: int, before: bytes, rows: Sequence[bytes]) -> None:
        """Write a batch; it is durable when this returns. Blocks.

        Raises:
            OSError: it is not durable.
        """
        if self._spoiled is not None:
            # What failed may be there all the same, and another batch of the same place may come to stand elsewhere.
            _write(self._handle, [bytes(PAGE)], self._spoiled)
            self._spoiled = None
        head = _HEAD.pack(_BATCH_MAGIC, sum(map(len, rows)), len(rows), first, before, _digest(self._key, rows))
        mark = _digest(self._key, [head])
        try:
            _write(self._handle, [head, mark, *rows], at)
        except OSError:
            self._spoiled = at
            raise

    def close(self) -> None:
        """Let it go; it stays."""
        os.close(self._handle)

    def remove(self) -> None:
        """Let it go and remove it: all of it is elsewhere."""
        os.close(self._handle)
        remove(self._path, self._note)


def remove(path: Path, note: Path) -> None:
    """Remove a file, all of which is in the database. Blocks."""
    _note(note, b"")  # first: a file that nobody notes is only read once more
    path.unlink(missing_ok=True)
    _sync(path.parent)


def encoded(row: Row) -> bytes:
    """Write a row: the lengths of its values, then the values; its place in the tree is told by its place in a batch.

    Raises:
        ValueError, struct.error: a value is none that a database could take.
    """
    values = [None if value is None else write(value) for write, value in zip(_WRITE, row, strict=True)]
    values[LEAF_INDEX] = None
    lengths = [_ABSENT if value is None else len(value) for value in values]
    return b"".join([_LENGTHS.pack(*lengths), *filter(None, values)])


def batch_bytes(rows: Sequence[bytes]) -> int:
    """Tell how much of a half a batch takes: whole pages."""
    return -(-(_HEAD_BYTES + sum(map(len, rows))) // PAGE) * PAGE


def read(path: Path) -> list[Batch]:
    """Give all batches that are in a file, in the order of their places; those that the database has too.

    Raises:
        FileNotFoundError: there is none.
        OSError, IntakeDamaged: it cannot be read.
    """
    content = path.read_bytes()
    if len(content) != FILE_BYTES or not content.startswith(_FILE_MAGIC):
        raise IntakeDamaged("it is no intake file, or not all of one")
    key = content[len(_FILE_MAGIC) :][:_KEY_BYTES]
    found = [batch for start in HALVES for batch in _batches(memoryview(content)[start : start + HALF_BYTES], key)]
    return sorted(found, key=lambda batch: (batch.first, batch.content is None))


def _batches(half: memoryview, key: bytes) -> Iterator[Batch]:
    at = 0
    while at < HALF_BYTES:
        batch, length = _batch(half[at:], key)
        if batch is not None:
            yield batch
        whole = batch is not None and batch.content is not None
        at += -(-(_HEAD_BYTES + length) // PAGE) * PAGE if whole else PAGE


def _batch(data: memoryview, key: bytes) -> tuple[Batch | None, int]:
    head, mark = bytes(data[: _HEAD.size]), bytes(data[_HEAD.size : _HEAD_BYTES])
    if not head.startswith(_BATCH_MAGIC):
        return None, 0
    if not compare_digest(mark, _digest(key, [head])):
        return None, 0
    _, length, count, first, before, digest = _HEAD.unpack(head)
    content = bytes(data[_HEAD_BYTES : _HEAD_BYTES + length])
    whole = compare_digest(digest, _digest(key, [content]))
    return Batch(first, count, before, content if whole else None), length


def _decoded(content: bytes) -> Iterator[Row]:
    at = 0
    while at < len(content):
        lengths = _LENGTHS.unpack_from(content, at)
        ends = accumulate((0 if length == _ABSENT else length for length in lengths), initial=at + _LENGTHS.size)
        row: Row = []
        for read_value, length, (start, end) in zip(_READ, lengths, pairwise(ends), strict=True):
            row.append(None if length == _ABSENT else read_value(content[start:end]))
            at = end
        yield row


def _digest(key: bytes, rows: Sequence[bytes]) -> bytes:
    # The key stands before and behind: who does not know it can neither make a hash nor go on with one.
    state = sha256(key)
    for row in rows:
        state.update(row)
    state.update(key)
    return state.digest()


def _write(handle: int, pieces: Sequence[bytes], at: int) -> None:
    # Some are large: the system is given all at once and copies them once.
    written, wanted = os.pwritev(handle, pieces, at), sum(map(len, pieces))
    if written != wanted:
        raise OSError(0, "the file could be written in part only")


def _note(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(value: str) -> bytes:
    return value.encode()


def _number(value: bytes) -> int:
    number: int = _NUMBER.unpack(value)[0]
    return number


def _kind(name: str) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    column = RECORD.c[name].type
    if isinstance(column, String | Text):
        return _text, bytes.decode
    if isinstance(column, LargeBinary):
        return bytes, bytes
    return _NUMBER.pack, _number


_WRITE: Final = tuple(_kind(name)[0] for name in COLUMNS)
_READ: Final = tuple(_kind(name)[1] for name in COLUMNS)
