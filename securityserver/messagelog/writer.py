"""The writer of the message log, and its thread: whatever is queued becomes one transaction and one sync of the disk.

It refuses to know databases: a store writes rows, and the writer tells a future what became of each.
While the thread has nothing to do an event loop may have rows committed that it made ready, by a thread for that alone.
`MessageLog.append` queues; this thread commits and grows the tree; the event loop wakes the appenders when their rows
are durable.
"""

import asyncio
import contextlib
import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from threading import Lock, Thread
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.body import CHUNK_SIZE
from securityserver.messagelog.committer import Committer
from securityserver.messagelog.counters import Counters
from securityserver.messagelog.intake import Intake
from securityserver.messagelog.pending import CLOSED, Outcome, Pending, TreeWish, failure_of, grant, tell, tell_here
from securityserver.messagelog.records import (
    BODY_ID,
    LEAF_HASH,
    LEAF_INDEX,
    TIME,
    Row,
    day_of,
    note_stored_digest,
    seal_row,
)
from securityserver.messagelog.store import Refusal, Store, StoreRefused
from securityserver.messagelog.treestate import LEAVES_UNSTORED, LeavesMissing, TreeState
from xroad.errors import LoggingFailed, XRoadError

# 32 values a row: even two batches stay far below SQLite's 32,766 values a statement, and PostgreSQL's 65,535.
MAX_BATCH: Final = 256
# Removing an orphan takes turns with records too.
_ORPHAN_SLICE: Final = 16
# Three values a node: as far below the limits as a batch of rows.
_NODES_AT_ONCE: Final = 2048


class Writer:
    """The thread and its queue.

    Args:
        store: where rows go; closed when the thread ends.
        load_tree: gives the tree over the records that are there.
        counters: of the log.
        intake: where records that came alone are durable first, if anywhere.
    """

    def __init__(
        self, store: Store, load_tree: Callable[[], TreeState], counters: Counters, intake: Intake | None = None
    ) -> None:
        self.counters = counters
        self._store = store
        self._load_tree = load_tree
        self._tree = load_tree()
        self._intake = intake
        self._queue: queue.SimpleQueue[Sequence[Pending] | TreeWish | None] = queue.SimpleQueue()
        self._large: deque[Pending] = deque()
        self._ready: list[Pending] = []
        self._held: list[Pending] = []
        self._wishes: list[TreeWish] = []
        self._orphans: deque[int] = deque(store.orphans())
        self._stopping = False
        # Without it a row could be queued after the thread looked for the last time, and its appender wait for ever.
        self._door = Lock()
        # Whoever holds it may use the store and the tree: the thread in its turns, or a loop until a commit is over.
        self._turns = Lock()
        self._committer = Committer()
        self._thread = Thread(target=self._run, name="message-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._committer.start()
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many rows nobody has written yet."""
        return self._queue.qsize() + len(self._large) + len(self._ready) + len(self._wishes)

    def submit(self, wanted: Sequence[Pending] | TreeWish) -> None:
        """Queue rows, or a wish.

        Raises:
            LoggingFailed: the thread has ended.
        """
        with self._door:
            if not self._stopping:
                self._queue.put(wanted)
                return
        if not isinstance(wanted, TreeWish):
            for pending in wanted:
                pending.close()
        raise LoggingFailed(CLOSED)

    def commit(self, batch: Sequence[Pending]) -> bool:
        """Have rows committed that this event loop, theirs, makes ready now; only when nothing else is to be written.

        Returns:
            `False` when the thread is to do it, or to find out which row is wrong: nothing was written. `True` when
            each will be told what became of it; until then nobody else writes.
        """
        if not self._turns.acquire(blocking=False):
            return False
        if (rows := self._ready_rows(batch)) is None:
            self._turns.release()
            return False
        call, done = partial(self._store.insert_records, rows), partial(self._committed, batch, rows)
        self._committer.commit(call, done, asyncio.get_running_loop())
        return True

    def _ready_rows(self, batch: Sequence[Pending]) -> Sequence[Row] | None:
        if self._stopping or self.waiting:
            return None
        try:
            return self._placed([pending.row for pending in batch])
        except Exception:  # noqa: BLE001 - a defect: the thread meets it too, ends, and lets nobody wait for ever
            return None

    def _committed(self, batch: Sequence[Pending], rows: Sequence[Row], result: Sequence[int] | Exception) -> None:
        """Let the next one write, and tell those whose rows they are; runs in their event loop."""
        outcomes: list[Outcome] | None = None
        due = False
        try:
            if not isinstance(result, Exception):
                outcomes = list(zip(batch, result, strict=True))
                self.counters.commits += 1
                self._grow(rows)
            elif isinstance(result, StoreRefused) and result.refusal is Refusal.ALL:
                # It may be written all the same: once more, and it would be called a duplicate.
                outcomes = [(pending, failure_of(result)) for pending in batch]
            due = self._store.upkeep_due or len(self._tree.unstored) >= LEAVES_UNSTORED
        finally:
            # Also after a defect in the tree, which the next commit finds out of step and reads anew.
            self._turns.release()
            self._after_commit(batch, outcomes, due=due)

    def _after_commit(self, batch: Sequence[Pending], outcomes: Sequence[Outcome] | None, *, due: bool) -> None:
        try:
            if outcomes is None or due:
                self.submit(batch if outcomes is None else ())
        except LoggingFailed as error:
            outcomes = outcomes or [(pending, error) for pending in batch]
        if outcomes is not None:
            self._tell_here(outcomes)

    def _tell_here(self, outcomes: Sequence[Outcome]) -> None:
        for _pending, outcome in outcomes:
            self._count(outcome)
        self._note_settled(len(outcomes))
        tell_here(outcomes)

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
            with self._turns:
                self._move()
                self._store_nodes()
        finally:
            # Also when a defect ended the thread: nobody may wait for ever, or believe that a record is safe.
            with self._door:
                self._stopping = True
            with self._turns:
                self._abandon()
                self._committer.stop()
                self._store.close()
            if self._intake is not None:
                with contextlib.suppress(OSError):  # what stays of the file is told by the next start
                    self._intake.finish()

    def _turn(self) -> bool:
        """Write all that waits, and a piece of one large body; `False` when there is nothing left to do, ever."""
        held = self._take()
        with self._turns:
            return self._written(held)

    def _written(self, held: list[Pending]) -> bool:
        self._held = held
        unmoved = (
            self._move() if self._held or self._wishes or (self._intake is not None and self._intake.due) else None
        )
        if self._held:
            refused = [(pending, failure_of(unmoved)) for pending in self._held] if unmoved is not None else None
            self._settle(refused or self._commit(self._held))
        if self._large:
            self._held = [self._large.popleft()]
            self._write_piece(self._held[0])
        elif self._orphans:
            self._remove_piece(self._orphans[0])
        self._held = []
        if self._wishes or len(self._tree.unstored) >= LEAVES_UNSTORED:
            self._store_nodes()
            self._grant()
        self._store.upkeep()
        return not self._stopping or self.waiting > 0

    def _take(self) -> list[Pending]:
        batch, self._ready = self._ready, []
        idle = not (batch or self._large or self._orphans or self._stopping)
        with contextlib.suppress(queue.Empty):
            self._sort_in(self._queue.get(block=idle), batch)
            while len(batch) < MAX_BATCH:
                self._sort_in(self._queue.get_nowait(), batch)
        return batch

    def _sort_in(self, wanted: Sequence[Pending] | TreeWish | None, batch: list[Pending]) -> None:
        if isinstance(wanted, TreeWish):
            self._wishes.append(wanted)
            return
        for pending in wanted or ():
            if pending.outcome.cancelled():
                self._drop(pending)
            elif pending.handle is None:
                batch.append(pending)
            else:
                self._large.append(pending)

    def _move(self) -> StoreRefused | None:
        """Bring what the intake has into the database; when that refuses, it waits on where it is durable."""
        if self._intake is None:
            return None
        try:
            # Twice: what is durable now may be in both halves, and what comes next must follow all of it.
            for _ in range(2):
                self._write_taken(self._intake.take())
                self._intake.moved()
        except StoreRefused as error:
            self._intake.not_moved()
            self.counters.last_failure = f"What waits in the intake could not be moved ({error}); look at the disk."
            return StoreRefused(Refusal.ALL, str(error))
        if self._intake.refused:
            self._intake.refused, self.counters.last_failure = False, None
        return None

    def _write_taken(self, rows: Sequence[Row]) -> None:
        """Write rows that have their places, without those that an earlier attempt has written."""
        while left := self._left(rows):
            some, before = left[:MAX_BATCH], self._tree.frontier.size
            try:
                self._store.insert_records(some)
            except StoreRefused as error:
                if error.refusal is Refusal.TREE:
                    self._reload()
                if self._tree.frontier.size == before:
                    raise
            else:
                self._tree.grow([row[LEAF_HASH] for row in some])

    def _left(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Give the rows that the database does not have yet."""
        there = self._tree.frontier.size - rows[0][LEAF_INDEX] if rows else 0
        if there < 0:
            raise StoreRefused(Refusal.ALL, "records before those of the intake are missing")
        return rows[there:]

    def _commit(self, batch: Sequence[Pending]) -> Iterable[Outcome]:
        """Write a batch; when one row spoils it, halving finds that row in few commits and saves the others."""
        rows = [pending.row for pending in batch]
        try:
            numbers = self._insert(rows)
        except StoreRefused as error:
            if len(batch) == 1 or error.refusal is Refusal.ALL:
                return [(pending, failure_of(error)) for pending in batch]
            middle = len(batch) // 2
            return [*self._commit(batch[:middle]), *self._commit(batch[middle:])]
        self.counters.commits += 1
        return list(zip(batch, numbers, strict=True))

    def _insert(self, rows: Sequence[Row]) -> Sequence[int]:
        """Give the rows the next places in the tree, and write them."""
        try:
            numbers = self._store.insert_records(self._placed(rows))
        except StoreRefused as error:
            if error.refusal is not Refusal.TREE:
                raise
            # A commit that was reported as failed, and was none: what is stored says how the tree goes on.
            self._reload()
            numbers = self._store.insert_records(self._placed(rows))
        self._grow(rows)
        return numbers

    def _grow(self, rows: Sequence[Row]) -> None:
        self._tree.grow([row[LEAF_HASH] for row in rows])
        if self._intake is not None:
            self._intake.goes_on(self._tree.frontier.size, rows[-1][LEAF_HASH])

    def _placed(self, rows: Sequence[Row]) -> Sequence[Row]:
        for index, row in enumerate(rows, start=self._tree.frontier.size):
            row[LEAF_INDEX] = index
            if row[LEAF_HASH] is None:
                seal_row(row)
        return rows

    def _reload(self) -> None:
        try:
            self._tree = self._load_tree()
        except (SQLAlchemyError, LeavesMissing) as error:
            raise StoreRefused(Refusal.ALL, "the log's tree cannot be read") from error
        if self._intake is not None:
            self._intake.goes_on(None, None)

    def _settle(self, outcomes: Iterable[Outcome]) -> None:
        settled = list(outcomes)
        for pending, outcome in settled:
            self._count(outcome)
            pending.close()
            if not isinstance(outcome, int) and (body := pending.row[BODY_ID]) is not None:
                self._orphans.append(body)
        self._note_settled(len(settled))
        tell(settled)

    def _note_settled(self, count: int) -> None:
        if self._intake is not None:
            self._intake.settled(count)

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
                pending.row[BODY_ID] = self._store.new_body()
            data = os.pread(pending.handle, CHUNK_SIZE, pending.position)
            number = pending.position // CHUNK_SIZE
            stored = data if pending.sealer is None else pending.sealer.seal(number, data)
            self._store.insert_chunk(pending.row[BODY_ID], number, day_of(pending.row[TIME]), stored)
        except StoreRefused as error:
            self._settle([(pending, failure_of(error))])
            return
        except OSError as error:
            self._settle([(pending, LoggingFailed(f"A spooled body cannot be read ({error.strerror})."))])
            return
        self._advance(pending, len(data))

    def _advance(self, pending: Pending, count: int) -> None:
        pending.position += count
        if pending.position >= pending.size:
            if pending.sealer is not None:
                note_stored_digest(pending.row, pending.sealer.stored_digest())
            self._ready.append(pending)
        elif count == CHUNK_SIZE:
            self._large.append(pending)
        else:
            self._settle([(pending, LoggingFailed("A spooled body is shorter than it was; look for disk errors."))])

    def _drop(self, pending: Pending) -> None:
        pending.close()
        self._note_settled(1)
        if pending.row[BODY_ID] is not None:
            self._orphans.append(pending.row[BODY_ID])

    def _remove_piece(self, body: int) -> None:
        try:
            removed = self._store.delete_chunks(body, _ORPHAN_SLICE)
            if removed < _ORPHAN_SLICE:
                self._store.delete_body(body)
        except StoreRefused as error:
            self.counters.last_failure = f"An unfinished body could not be removed ({error}); look at the disk."
            removed = 0  # the next start tries again: a full disk must not make this thread spin
        if removed < _ORPHAN_SLICE:
            self._orphans.popleft()

    def _store_nodes(self) -> None:
        """Write the nodes that wait; when the database refuses, they wait on: the records have all it takes."""
        nodes = self._tree.unstored
        for start in range(0, len(nodes), _NODES_AT_ONCE):
            try:
                self._store.insert_nodes(nodes[start : start + _NODES_AT_ONCE])
            except StoreRefused as error:
                self.counters.last_failure = f"The log's tree could not be written ({error}); look at the disk."
                del nodes[:start]
                return
        nodes.clear()

    def _grant(self) -> None:
        wishes, self._wishes = self._wishes, []
        answer = (self._tree.frontier.size, self._tree.frontier.root())
        failed = "The message log's tree could not be written; look at the database's disk."
        for wish in wishes:
            grant(wish, LoggingFailed(failed) if self._tree.unstored else answer)

    def _abandon(self) -> None:
        left = [*self._held, *self._ready, *self._large]
        wishes, self._wishes = self._wishes, []
        with contextlib.suppress(queue.Empty):
            while True:
                wanted = self._queue.get_nowait()
                if isinstance(wanted, TreeWish):
                    wishes.append(wanted)
                else:
                    left += wanted or ()
        self._settle([(pending, LoggingFailed(CLOSED)) for pending in left])
        for wish in wishes:
            grant(wish, LoggingFailed(CLOSED))
