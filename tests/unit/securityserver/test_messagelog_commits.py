"""Records that come together are made ready by the event loop and committed by a thread that does nothing else."""

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from securityserver.messagelog import MessageLog, intake
from securityserver.messagelog.records import seal_row
from securityserver.messagelog.sqlitestore import SqliteStore
from securityserver.messagelog.store import Refusal, StoreRefused
from securityserver.messagelog.treestate import TreeState
from securityserver.migrations import open_node_database
from tests.support.audit import tree_problems
from tests.support.messagelog import database_url, make_record, running_log
from xroad.errors import InvalidMessage, LoggingFailed

THREADS = {"MainThread": "L", "message-log-commits": "c", "message-log": "t"}


class Seen:
    """Which thread wrote how many records, sealed them, and copied the write-ahead log back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: list[tuple[str, int]] = []
        self.sealed: list[str] = []
        self.upkeeps: list[str] = []
        self.defects: list[Exception] = []
        insert, upkeep = SqliteStore.insert_records, SqliteStore.upkeep

        def insert_records(store: SqliteStore, rows: Any) -> Any:
            self.writes.append((here(), len(rows)))
            return insert(store, rows)

        def sealed(row: Any) -> None:
            self.sealed.append(here())
            seal_row(row)

        def kept(store: SqliteStore) -> None:
            if store.upkeep_due:
                self.upkeeps.append(here())
            upkeep(store)

        monkeypatch.setattr(SqliteStore, "insert_records", insert_records)
        monkeypatch.setattr("securityserver.messagelog.writer.seal_row", sealed)
        monkeypatch.setattr(SqliteStore, "upkeep", kept)

    @property
    def letters(self) -> str:
        """Return a letter a write: c for one of the thread for that alone, t for one of the writer's thread."""
        return "".join(thread for thread, _count in self.writes)


def here() -> str:
    return THREADS[threading.current_thread().name]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setattr(intake, "ALONE", 1000)
    return Seen(monkeypatch)


def stored(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "node.db")) as connection:
        found = connection.execute("SELECT request_id FROM log_record ORDER BY leaf_index").fetchall()
    return [name for (name,) in found]


def problems(directory: Path) -> list[str]:
    with closing(open_node_database(database_url(directory))) as database:
        return tree_problems(database)


def hold_commits(monkeypatch: pytest.MonkeyPatch, goes_on: threading.Event) -> None:
    insert = SqliteStore.insert_records

    def insert_late(store: SqliteStore, rows: Any) -> Any:
        assert goes_on.wait(30)
        return insert(store, rows)

    monkeypatch.setattr(SqliteStore, "insert_records", insert_late)


async def together(log: MessageLog, *names: str) -> list[Any]:
    return await asyncio.gather(*(log.append(make_record(request_id=name)) for name in names), return_exceptions=True)


async def test_what_comes_together_the_loop_makes_ready_and_one_thread_commits(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        for turn in range(5):
            assert await together(log, *(f"{turn}.{number}" for number in range(6))) == list(
                range(6 * turn + 1, 6 * turn + 7)
            )
        assert set(seen.letters) == {"c"}
        assert seen.sealed == 30 * ["L"]
        assert sum(count for _thread, count in seen.writes) == len(stored(tmp_path)) == log.statistics().appended == 30
        assert (await log.settled())[0] == 30
    assert problems(tmp_path) == []


async def test_a_loop_does_not_wait_for_another_that_writes(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.TaskGroup() as tasks:
                appending = tasks.create_task(together(log, "a", "b"))
                await asyncio.sleep(0.2)  # were it the loop that waits, nothing would go on here
                assert not appending.done()
                other.execute("COMMIT")
        assert appending.result() == [1, 2]
        assert set(seen.letters) == {"c"}
        assert stored(tmp_path) == ["a", "b"]


async def test_who_comes_during_a_commit_is_committed_after_it(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    hold_commits(monkeypatch, goes_on)
    async with running_log(tmp_path, intake=True) as log, asyncio.TaskGroup() as tasks:
        appending = [tasks.create_task(together(log, "a", "b"))]
        await asyncio.sleep(0.05)
        appending.append(tasks.create_task(together(log, "c")))
        wished = tasks.create_task(log.settled())  # the writer's own thread has to wait, too
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (*appending, wished))
        goes_on.set()
    assert [await task for task in appending] == [[1, 2], [3]]
    assert wished.result()[0] >= 1
    assert stored(tmp_path) == ["a", "b", "c"]
    assert problems(tmp_path) == []


async def test_a_closing_log_finishes_the_commit_that_is_under_way(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    hold_commits(monkeypatch, goes_on)
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        appending = tasks.create_task(together(log, "a", "b"))
        await asyncio.sleep(0.05)
        closing_log = tasks.create_task(log.close())
        await asyncio.sleep(0.05)
        assert not closing_log.done()
        goes_on.set()
    assert appending.result() == [1, 2]
    assert stored(tmp_path) == ["a", "b"]


def test_a_loop_that_is_gone_leaves_the_log_usable(tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    hold_commits(monkeypatch, goes_on)

    async def leave() -> MessageLog:
        log = await MessageLog.open(open_node_database(database_url(tmp_path)), intake=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(log.append(make_record(request_id="a")), 0.05)
        return log

    log = asyncio.run(leave())
    goes_on.set()
    log._writer.stop()
    assert (stored(tmp_path), seen.letters) == (["a"], "c")
    assert problems(tmp_path) == []


async def test_of_records_that_come_together_only_the_one_that_is_there_is_refused(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await together(log, "a", "b")
        outcomes = await together(log, "c", "a", "d")
        assert isinstance(outcomes[1], InvalidMessage)
        assert outcomes[1].full_code == "InvalidMessage.DuplicateRecord"
        assert stored(tmp_path) == ["a", "b", "c", "d"]
        async with asyncio.timeout(60):
            turn = 0
            while not seen.letters.endswith("tc"):  # as before when the writer's thread has ended its turn
                await asyncio.sleep(0.01)
                await together(log, f"after {turn}")
                turn += 1
    assert problems(tmp_path) == []


async def test_a_commit_that_fails_is_told_and_the_next_one_goes_on(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_rows: Any) -> Any:
        raise StoreRefused(Refusal.ALL, "disk I/O error")

    async with running_log(tmp_path, intake=True) as log:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteStore, "insert_records", refuse)
            assert [type(each) for each in await together(log, "a", "b")] == [LoggingFailed, LoggingFailed]
            assert "disk I/O error" in str(log.statistics().last_failure)
        assert await together(log, "a", "b") == [1, 2]
        assert seen.writes


async def test_a_commit_that_was_reported_as_failed_and_was_none_doubles_nothing(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SqliteStore.insert_records

    def insert_and_fail(store: SqliteStore, rows: Any) -> Any:
        numbers = insert(store, rows)
        if here() == "c":
            raise StoreRefused(Refusal.ALL, "disk I/O error")
        return numbers

    async with running_log(tmp_path, intake=True) as log:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteStore, "insert_records", insert_and_fail)
            outcomes = await together(log, "a", "b")
            assert (type(outcomes[0]), outcomes[1]) == (LoggingFailed, 2)
        assert await together(log, "c", "d") == [3, 4]
        assert stored(tmp_path) == ["a", "b", "c", "d"]
        assert seen.writes
    assert problems(tmp_path) == []


async def test_a_defect_in_the_loop_lets_nobody_wait_for_ever(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal(row: Any) -> None:
        if here() == "L":
            raise TypeError("defect")
        seal_row(row)

    monkeypatch.setattr("securityserver.messagelog.writer.seal_row", seal)
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(20):
        assert await together(log, "a", "b", "c") == [1, 2, 3]
    assert set(seen.letters) == {"t"}


async def test_a_defect_in_the_commit_lets_nobody_wait_for_ever(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SqliteStore.insert_records

    def fail(store: SqliteStore, rows: Any) -> Any:
        if here() == "c":
            raise TypeError("defect")
        return insert(store, rows)

    monkeypatch.setattr(SqliteStore, "insert_records", fail)
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(20):
        assert await together(log, "a", "b", "c") == [1, 2, 3]
    assert set(seen.letters) == {"t"}


async def test_a_defect_in_the_tree_lets_nobody_wait_for_ever_and_is_mended_by_the_next_commit(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow, left = TreeState.grow, [True]

    def fail_once(tree: TreeState, leaves: Any) -> None:
        if left:
            left.clear()
            raise TypeError("defect")
        grow(tree, leaves)

    monkeypatch.setattr(TreeState, "grow", fail_once)
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.defects.append(context["exception"]))
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(20):
        assert await together(log, "a", "b", "c") == [1, 2, 3]
    assert [type(each) for each in seen.defects] == [TypeError]
    assert stored(tmp_path) == ["a", "b", "c"]
    assert problems(tmp_path) == []


async def test_the_writers_thread_copies_the_write_ahead_log_back(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("securityserver.messagelog.sqlitestore.WAL_CHECKPOINT_PAGES", 40)
    async with running_log(tmp_path, intake=True) as log:
        for turn in range(8):
            await together(log, f"{turn}.a", f"{turn}.b")
        await log.settled()
        assert set(seen.upkeeps) == {"t"}
        with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as other:
            (busy, left, copied) = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, left) == (0, copied)


async def test_nothing_is_committed_after_the_end(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await together(log, "a", "b")
        await log.close()
        assert [type(each) for each in await together(log, "c", "d")] == [LoggingFailed, LoggingFailed]
        assert seen.letters == "cc"
    assert stored(tmp_path) == ["a", "b"]
