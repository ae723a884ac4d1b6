"""The one thread that writes the message log: whatever is queued becomes one transaction and one sync of the disk.

It refuses to know records: it gets rows, and tells a future what became of each.
`MessageLog.append` queues; this thread commits; the event loop wakes the appenders when their rows are durable.

Why one multi-row INSERT per batch, outside of an explicit transaction: beside a busy event loop each call into the
driver waits for the interpreter lock, up to the switch interval. BEGIN, one INSERT a row and COMMIT for 16 rows were
measured at 128 ms that way; one statement at 6 ms, 0.7 ms when the loop is idle.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread

from securityserver.messagelog import statements
from securityserver.messagelog.body import CHUNK_SIZE
from securityserver.messagelog.records import BODY_ID, Row
from serverkit.database import Database
from xroad.errors import InvalidMessage, LoggingFailed, XRoadError

# 32 values a row: a batch stays far below SQLite's 32,766 values a statement.
MAX_BATCH = 256
# Readers can hold a checkpoint back; above this the writer asks for a full one, briefly and at most once a second.
WAL_LIMIT_BYTES = 64 * 1024 * 1024
_CHECKPOINT_WAIT_MILLISECONDS = 50
_CHECKPOINT_PAUSE_SECONDS = 1.0
# Removing an orphan takes turns with records too.
_ORPHAN_SLICE = 16
# Failures that one row of a batch can bring about; on others the whole batch has failed.
_ONE_ROWS_FAULT = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG})
_PRIMARY_CODE = 0xFF


@dataclass(slots=True, eq=False)
class Pending:
    """A row on its way.

    Args:
        row: in the order of `records.COLUMNS`.
        outcome: gets the record's number, or why there is none.
        handle: of a large body's file, owned by this object; `None` when the body is in the row.
        size: of the body, in bytes.
    """

    row: Row
    outcome: asyncio.Future[int]
    handle: int | None
    size: int
    position: int = 0

    def close(self) -> None:
        """Close the body's handle."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


@dataclass(slots=True)
class Counters:
    """What the thread did so far; read from other threads, written by this one only."""

    appended: int = 0
    failed: int = 0
    commits: int = 0
    last_failure: str | None = None


Outcome = tuple[Pending, int | XRoadError]


class Writer:
    """The thread and its queue.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self.counters = Counters()
        self._database = database
        self._connection = database.autocommit_connection()
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._large: deque[Pending] = deque()
        self._ready: list[Pending] = []
        self._held: list[Pending] = []
        self._orphans: deque[int] = deque(statements.orphans(self._connection))
        self._next_checkpoint = 0.0
        self._stopping = False
        # Without it a row could be queued after the thread looked for the last time, and its appender wait for ever.
        self._door = Lock()
        self._thread = Thread(target=self._run, name="message-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many rows nobody has written yet."""
        return self._queue.qsize() + len(self._large) + len(self._ready)

    def submit(self, pending: Pending) -> None:
        """Queue a row.

        Raises:
            LoggingFailed: the thread has ended.
        """
        with self._door:
            if not self._stopping:
                self._queue.put(pending)
                return
        pending.close()
        raise LoggingFailed("The message log is closed; start the server again.")

    def stop(self) -> None:
        """Write what is queued, then end; blocks."""
        with self._door:
            self._stopping = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            # Also when a defect ended the thread: nobody may wait for ever, or believe that a record is safe.
            with self._door:
                self._stopping = True
            self._abandon()
            self._connection.close()

    def _turn(self) -> bool:
        """Write all that waits, and a piece of one large body; `False` when there is nothing left to do, ever."""
        self._held = self._take()
        if self._held:
            self._settle(self._commit(self._held))
        if self._large:
            self._held = [self._large.popleft()]
            self._write_piece(self._held[0])
        elif self._orphans:
            self._remove_piece(self._orphans[0])
        self._held = []
        self._bound_wal()
        return not self._stopping or self.waiting > 0

    def _take(self) -> list[Pending]:
        batch, self._ready = self._ready, []
        idle = not (batch or self._large or self._orphans or self._stopping)
        with contextlib.suppress(queue.Empty):
            self._sort_in(self._queue.get(block=idle), batch)
            while len(batch) < MAX_BATCH:
                self._sort_in(self._queue.get_nowait(), batch)
        return batch

    def _sort_in(self, pending: Pending | None, batch: list[Pending]) -> None:
        if pending is None:
            return
        if pending.outcome.cancelled():
            pending.close()
        elif pending.handle is None:
            batch.append(pending)
        else:
            self._large.append(pending)

    def _commit(self, batch: Sequence[Pending]) -> Iterable[Outcome]:
        """Write a batch; when one row spoils it, halving finds that row in few commits and saves the others."""
        try:
            last = statements.insert_records(self._connection, [pending.row for pending in batch])
        except sqlite3.Error as error:
            if len(batch) == 1 or _code(error) & _PRIMARY_CODE not in _ONE_ROWS_FAULT:
                return [(pending, self._failure(error)) for pending in batch]
            middle = len(batch) // 2
            return [*self._commit(batch[:middle]), *self._commit(batch[middle:])]
        self.counters.commits += 1
        return [(pending, last - len(batch) + number) for number, pending in enumerate(batch, start=1)]

    def _failure(self, error: sqlite3.Error) -> XRoadError:
        failure: XRoadError
        if _code(error) == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            failure = InvalidMessage(
                "A message with this request id is in the message log already; send each message under a new id.",
                code_suffix="DuplicateRecord",
            )
        else:
            failure = LoggingFailed(
                f"The message could not be made durable ({error}); look at the disk of the server's database."
            )
        failure.__cause__ = error
        return failure

    def _settle(self, outcomes: Iterable[Outcome]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
        for pending, outcome in outcomes:
            self._count(outcome)
            pending.close()
            by_loop.setdefault(pending.outcome.get_loop(), []).append((pending, outcome))
            if not isinstance(outcome, int) and (body := pending.row[BODY_ID]) is not None:
                self._orphans.append(body)
        for loop, settled in by_loop.items():
            # A loop that is closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(partial(_tell, settled))

    def _count(self, outcome: int | XRoadError) -> None:
        if isinstance(outcome, int):
            self.counters.appended += 1
            self.counters.last_failure = None
            return
        self.counters.failed += 1
        if isinstance(outcome, LoggingFailed):
            self.counters.last_failure = outcome.detail

    def _write_piece(self, pending: Pending) -> None:
        """Commit one chunk of a large body; the record follows when the body is complete."""
        if pending.outcome.cancelled() or pending.handle is None:
            self._drop(pending)
            return
        try:
            if pending.row[BODY_ID] is None:
                pending.row[BODY_ID] = statements.new_body(self._connection)
            data = os.pread(pending.handle, CHUNK_SIZE, pending.position)
            statements.insert_chunk(self._connection, pending.row[BODY_ID], pending.position // CHUNK_SIZE, data)
        except sqlite3.Error as error:
            self._settle([(pending, self._failure(error))])
            return
        except OSError as error:
            self._settle([(pending, LoggingFailed(f"A spooled body cannot be read ({error.strerror})."))])
            return
        self._advance(pending, len(data))

    def _advance(self, pending: Pending, count: int) -> None:
        pending.position += count
        if pending.position >= pending.size:
            self._ready.append(pending)
        elif count == CHUNK_SIZE:
            self._large.append(pending)
        else:
            self._settle([(pending, LoggingFailed("A spooled body is shorter than it was; look for disk errors."))])

    def _drop(self, pending: Pending) -> None:
        pending.close()
        if pending.row[BODY_ID] is not None:
            self._orphans.append(pending.row[BODY_ID])

    def _remove_piece(self, body: int) -> None:
        try:
            removed = statements.delete_chunks(self._connection, body, _ORPHAN_SLICE)
            if removed < _ORPHAN_SLICE:
                statements.delete_body(self._connection, body)
        except sqlite3.Error as error:
            self.counters.last_failure = f"An unfinished body could not be removed ({error}); look at the disk."
            removed = 0  # the next start tries again: a full disk must not make this thread spin
        if removed < _ORPHAN_SLICE:
            self._orphans.popleft()

    def _bound_wal(self) -> None:
        if self._database.wal_bytes() < WAL_LIMIT_BYTES or time.monotonic() < self._next_checkpoint:
            return
        self._next_checkpoint = time.monotonic() + _CHECKPOINT_PAUSE_SECONDS
        with contextlib.suppress(sqlite3.OperationalError):  # readers are in the way: the next attempt may do it
            statements.checkpoint(self._connection, _CHECKPOINT_WAIT_MILLISECONDS)

    def _abandon(self) -> None:
        left = [*self._held, *self._ready, *self._large]
        with contextlib.suppress(queue.Empty):
            while True:
                pending = self._queue.get_nowait()
                left.extend([pending] if pending is not None else [])
        self._settle(
            [(pending, LoggingFailed("The message log was closed; start the server again.")) for pending in left]
        )


def _code(error: sqlite3.Error) -> int:
    """Give SQLite's extended code; errors of the driver itself have none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code


def _tell(outcomes: Iterable[Outcome]) -> None:
    """Wake those who wait; runs in their event loop."""
    for pending, outcome in outcomes:
        if pending.outcome.done():
            continue  # the exchange was cancelled meanwhile; its record stays, as the log may say more than was sent
        if isinstance(outcome, int):
            pending.outcome.set_result(outcome)
        else:
            pending.outcome.set_exception(outcome)
