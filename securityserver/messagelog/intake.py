"""Makes a record that comes alone durable in a file beside SQLite; the writer moves such records on, many at a time.

It refuses to know SQL and trees: it gives rows their places one after the other, and keeps them until they are moved.
`gathering` submits batches, in the event loop; what does not come alone the writer commits.

A commit into the database's eleven indexes costs a record alone several times what it costs as one of many, and takes
the way to another thread and back. A write here is one call, by the loop itself: nobody else wants the loop meanwhile.
Who comes with others has them to share a commit with, and would only be written twice.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Never, Protocol

from securityserver.messagelog.counters import Counters
from securityserver.messagelog.intakefile import HALF_BYTES, HALVES, IntakeFile, batch_bytes, encoded
from securityserver.messagelog.pending import Pending
from securityserver.messagelog.records import LEAF_HASH, LEAF_INDEX, MessageKey, Row, message_key, seal_row
from securityserver.messagelog.store import StoreRefused
from xroad.errors import LoggingFailed

# So many batches of one row, each after the one before was durable, and exchanges are taken to follow each other.
ALONE: Final = 8
# Other processes see a record when it has been moved: so long after it became durable, at most.
MOVE_SECONDS: Final = 0.2
# Without traffic, what could not be moved is tried again so often.
RETRY_SECONDS: Final = 1.0
# When so many wait, or a half is as full, they are moved at once: the other half takes what comes meanwhile.
MOVE_ROWS: Final = 512
_MOVE_BYTES: Final = HALF_BYTES // 2
# An event loop may stand still so long for a few writes in a row; then a thread waits for the disk, for a while.
# One alone says nothing: on a busy machine it is the wait for the processor.
SLOW_SECONDS: Final = 0.05
_SLOW_WRITES: Final = 3
_AFTER_SLOW: Final = 256


class Messages(Protocol):
    """What a database knows of messages."""

    def known(self, key: MessageKey) -> bool:
        """Tell whether the database has a message."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...


@dataclass(slots=True)
class _Half:
    """A half of the file: what is durable there and not in the database yet."""

    start: int
    used: int = 0
    rows: list[Row] = field(default_factory=list)
    keys: set[MessageKey] = field(default_factory=set)

    def clear(self) -> None:
        self.used, self.rows, self.keys = 0, [], set()


@dataclass(frozen=True, slots=True)
class Start:
    """Where the log ended: the next place in the tree, the leaf before it, and the number of the next record."""

    place: int
    before: bytes
    number: int


class Intake:
    """What takes rows in; its methods run in one event loop, but for those that say otherwise.

    Args:
        file: empty.
        start: where the log ended.
        messages: that the database has; closed at the end.
        counters: of the log.
        loop: the one that rows come from.
    """

    def __init__(
        self,
        file: IntakeFile,
        start: Start,
        messages: Messages,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._file, self._messages, self._counters, self._loop = file, messages, counters, loop
        self._place, self._offset = start.place, start.number - start.place
        self._before: bytes | None = start.before
        self._to_writer: Callable[[Sequence[Pending]], None] = _nowhere
        self._commit: Callable[[Sequence[Pending]], bool] = _nowhere
        self._alone, self._slow, self._given, self._settled = 0, 0, 0, 0
        # So many batches are left to the writer's thread, since the disk was slow.
        self._left_to_writer = 0
        self._timer: asyncio.TimerHandle | None = None
        # Whoever holds it may look at the halves: the writer's thread takes one while the loop fills the other.
        self._lock = Lock()
        self._filling, self._moving = _Half(HALVES[0]), _Half(HALVES[1])
        self._closed = False
        # Whether rows are to be moved; whether the last attempt failed.
        self.due, self.refused = False, False

    def begin(
        self, to_writer: Callable[[Sequence[Pending]], None], commit: Callable[[Sequence[Pending]], bool]
    ) -> None:
        """Take rows in from now on.

        Args:
            to_writer: gives the writer rows; none only wake it.
            commit: has rows committed that this thread makes ready, or says that the writer is to do all of it.
        """
        self._to_writer, self._commit = to_writer, commit

    def submit(self, batch: Sequence[Pending]) -> None:
        """Make a row that comes alone durable, and have those that come together committed.

        Raises:
            LoggingFailed: the log has been closed.
        """
        settled = self._given == self._settled
        self._alone = self._alone + 1 if settled and len(batch) == 1 else 0
        if self._left_to_writer:
            self._left_to_writer -= 1
        elif self._alone > ALONE and self._taken(batch[0]):
            return
        if not (settled and self._committed(batch)):
            self.give(batch)

    def give(self, batch: Sequence[Pending]) -> None:
        """Give rows to the writer: until it has settled them nobody else knows the next place.

        Raises:
            LoggingFailed: the log has been closed.
        """
        self._given += len(batch)
        self._to_writer(batch)

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _taken(self, pending: Pending) -> bool:
        """Make a row durable; `False` when the writer is to do it, or to find out what is wrong."""
        row, key = pending.row, message_key(pending.row)
        with self._lock:
            before = self._before
            if self._closed or self.refused or before is None or self._knows(key, fresh=pending.fresh):
                return False
            content = _content(row)
            half = self._half_with(content)
            if content is None or half is None or not self._written(half, content, before):
                return False
            half.used += batch_bytes([content])
            half.rows.append(row)
            half.keys.add(key)
            row[LEAF_INDEX] = self._place
            self._place, self._before = self._place + 1, row[LEAF_HASH]
            full = len(half.rows) >= MOVE_ROWS or half.used >= _MOVE_BYTES
        self._told(pending)
        self._have_moved(0.0 if full else MOVE_SECONDS)
        return True

    def _committed(self, batch: Sequence[Pending]) -> bool:
        """Have rows committed; `False` when the writer is to make them ready, as where it has others to move before."""
        with self._lock:
            if self._closed or self.refused or self._before is None or self._filling.rows or self._moving.rows:
                return False
        if not self._commit(batch):
            return False
        self._given += len(batch)
        return True

    def _knows(self, key: MessageKey, *, fresh: bool) -> bool:
        if key in self._filling.keys or key in self._moving.keys:
            return True
        try:
            return not fresh and self._messages.known(key)
        except StoreRefused:
            return True

    def _half_with(self, content: bytes | None) -> _Half | None:
        """Give the half that a row goes into, None when there is none now."""
        size = HALF_BYTES + 1 if content is None else batch_bytes([content])
        if self._filling.used + size > HALF_BYTES and not self._moving.rows:
            self._filling, self._moving = self._moving, self._filling
        return self._filling if self._filling.used + size <= HALF_BYTES else None

    def _written(self, half: _Half, content: bytes, before: bytes) -> bool:
        begun = time.monotonic()
        try:
            self._file.write(half.start + half.used, self._place, before, [content])
        except OSError:
            return False  # the writer tries it in another way, and says what is wrong with the disk
        finally:
            self._waited(time.monotonic() - begun)
        return True

    def _waited(self, seconds: float) -> None:
        self._slow = self._slow + 1 if seconds > SLOW_SECONDS else 0
        if self._slow >= _SLOW_WRITES:
            self._left_to_writer, self._slow = _AFTER_SLOW, 0

    def _told(self, pending: Pending) -> None:
        self._counters.appended += 1
        self._counters.commits += 1
        self._counters.last_failure = None
        if not pending.outcome.done():
            pending.outcome.set_result(row_number(pending.row, self._offset))

    def _have_moved(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._wake_writer)
        elif not seconds:
            self._wake_writer()

    def _wake_writer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.due:
            self.due = True
            with contextlib.suppress(LoggingFailed):  # one that has ended has moved what there was
                self._to_writer(())

    # What the writer's thread calls.

    def take(self) -> Sequence[Row]:
        """Give what is durable and not in the database, to be moved there; what failed to be moved comes again."""
        with self._lock:
            self.due = False
            if self._filling.rows and not self._moving.rows:
                self._filling, self._moving = self._moving, self._filling
            return self._moving.rows

    def moved(self) -> None:
        """Note that the database has what was taken."""
        with self._lock:
            self._moving.clear()

    def not_moved(self) -> None:
        """Note that the database refused: nothing more comes in here until it has taken what waits."""
        self.refused = True
        with contextlib.suppress(RuntimeError):  # the loop is closed: the next start goes on
            self._loop.call_soon_threadsafe(self._have_moved, RETRY_SECONDS)

    def goes_on(self, place: int | None, leaf: bytes | None) -> None:
        """Note where the log ends after the writer's own commit, `None` when that is not known."""
        with self._lock:
            self._place, self._before = place or self._place, leaf

    def settled(self, count: int) -> None:
        """Note that the writer has done with rows that were given to it."""
        self._settled += count

    def finish(self) -> None:
        """Remove the file when all has been moved; else it stays for the next start."""
        with self._lock:
            self._closed = True
            self._messages.close()
            if self._filling.rows or self._moving.rows:
                self._file.close()
            else:
                self._file.remove()


def row_number(row: Row, offset: int) -> int:
    """Give the number that a row gets in the database, which numbers rows as the tree places them."""
    place: int = row[LEAF_INDEX]
    return place + offset


def _nowhere(_batch: Sequence[Pending]) -> Never:
    raise AssertionError("the intake has not begun")


def _content(row: Row) -> bytes | None:
    """Write a row, its leaf made; None when it is none that a database could take."""
    try:
        if row[LEAF_HASH] is None:
            seal_row(row)
        return encoded(row)
    except (ValueError, struct.error):
        return None
