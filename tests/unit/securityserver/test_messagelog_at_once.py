"""Records that come together are committed by the event loop itself, while nobody would have to be waited for."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from securityserver.messagelog import MessageLog, intake
from securityserver.messagelog.records import seal_row
from securityserver.messagelog.sqlitestore import SqliteStore
from securityserver.messagelog.store import Refusal, StoreRefused
from securityserver.migrations import open_node_database
from tests.support.audit import tree_problems
from tests.support.messagelog import database_url, make_record, running_log
from xroad.errors import InvalidMessage, LoggingFailed


class Seen:
    """Which thread wrote how many records, and which one copied the write-ahead log back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: list[tuple[bool, int]] = []
        self.upkeeps: list[bool] = []
        insert, upkeep = SqliteStore.insert_records, SqliteStore.upkeep

        def insert_records(store: SqliteStore, rows: Any, **how: Any) -> Any:
            self.writes.append((_is_main(), len(rows)))
            return insert(store, rows, **how)

        def kept(store: SqliteStore) -> None:
            if store.upkeep_due:
                self.upkeeps.append(_is_main())
            upkeep(store)

        monkeypatch.setattr(SqliteStore, "insert_records", insert_records)
        monkeypatch.setattr(SqliteStore, "upkeep", kept)

    @property
    def letters(self) -> str:
        """Return a letter a write: L for one of the loop, t for one of the thread."""
        return "".join("L" if main else "t" for main, _count in self.writes)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setattr(intake, "ALONE", 1000)
    monkeypatch.setattr(intake, "SLOW_TOGETHER_SECONDS", 1000.0)
    return Seen(monkeypatch)


def stored(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "node.db")) as connection:
        found = connection.execute("SELECT request_id FROM log_record ORDER BY leaf_index").fetchall()
    return [name for (name,) in found]


def problems(directory: Path) -> list[str]:
    with closing(open_node_database(database_url(directory))) as database:
        return tree_problems(database)


async def together(log: MessageLog, *names: str) -> list[Any]:
    return await asyncio.gather(*(log.append(make_record(request_id=name)) for name in names), return_exceptions=True)


async def test_the_loop_commits_what_comes_together_and_the_thread_nothing(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        for turn in range(5):
            assert await together(log, *(f"{turn}.{number}" for number in range(6))) == list(
                range(6 * turn + 1, 6 * turn + 7)
            )
        assert {main for main, _count in seen.writes} == {True}
        assert sum(count for _main, count in seen.writes) == len(stored(tmp_path)) == log.statistics().appended == 30
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
        assert [main for main, _count in seen.writes][:2] == [True, False]
        assert stored(tmp_path) == ["a", "b"]


async def test_the_thread_waits_for_another_that_writes_also_after_a_loop_did_not(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await together(log, "a", "b")
        (timeout,) = log._writer._store._connection.execute("PRAGMA busy_timeout").fetchone()  # type: ignore[attr-defined]
        assert timeout > 1000
    assert seen.writes


async def test_of_records_that_come_together_only_the_one_that_is_there_is_refused(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await together(log, "a", "b")
        outcomes = await together(log, "c", "a", "d")
        assert isinstance(outcomes[1], InvalidMessage)
        assert outcomes[1].full_code == "InvalidMessage.DuplicateRecord"
        assert stored(tmp_path) == ["a", "b", "c", "d"]
        async with asyncio.timeout(60):
            turn = 0
            while not seen.letters.endswith("tL"):  # the loop commits again when the thread has ended its turn
                await asyncio.sleep(0.01)
                await together(log, f"after {turn}")
                turn += 1
    assert problems(tmp_path) == []


async def test_when_the_loops_commit_fails_the_thread_says_what_is_wrong(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_rows: Any, **_how: Any) -> Any:
        raise StoreRefused(Refusal.ALL, "disk I/O error")

    async with running_log(tmp_path, intake=True) as log:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteStore, "insert_records", refuse)
            assert [type(each) for each in await together(log, "a", "b")] == [LoggingFailed, LoggingFailed]
            assert "disk I/O error" in str(log.statistics().last_failure)
        assert await together(log, "a", "b") == [1, 2]
        assert seen.writes


async def test_a_commit_of_the_loop_that_was_reported_as_failed_doubles_nothing(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SqliteStore.insert_records

    def insert_and_fail(store: SqliteStore, rows: Any, *, wait: bool = True) -> Any:
        numbers = insert(store, rows, wait=wait)
        if not wait:
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
        if _is_main():
            raise TypeError("defect")
        seal_row(row)

    monkeypatch.setattr("securityserver.messagelog.writer.seal_row", seal)
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(20):
        assert await together(log, "a", "b", "c") == [1, 2, 3]
    assert {main for main, _count in seen.writes} == {False}


async def test_a_slow_disk_is_left_to_the_thread_for_a_while(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SLOW_TOGETHER_SECONDS", -1.0)
    monkeypatch.setattr(intake, "_AFTER_SLOW", 2)
    async with running_log(tmp_path, intake=True) as log:
        turn = 0
        async with asyncio.timeout(60):
            while "tL" not in seen.letters:
                await together(log, f"{turn}.a", f"{turn}.b")
                await asyncio.sleep(0.01)  # the thread ends its turn
                turn += 1
    assert seen.letters.startswith("LLLtt")
    assert len(stored(tmp_path)) == 2 * turn


async def test_the_thread_copies_the_write_ahead_log_back(
    tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("securityserver.messagelog.sqlitestore.WAL_CHECKPOINT_PAGES", 40)
    async with running_log(tmp_path, intake=True) as log:
        for turn in range(8):
            await together(log, f"{turn}.a", f"{turn}.b")
        await log.settled()
        assert seen.upkeeps
        assert not any(seen.upkeeps)
        with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as other:
            (busy, left, copied) = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, left) == (0, copied)


async def test_nothing_is_committed_after_the_end(tmp_path: Path, seen: Seen) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await together(log, "a", "b")
        await log.close()
        assert [type(each) for each in await together(log, "c", "d")] == [LoggingFailed, LoggingFailed]
        assert len(seen.writes) == len([count for main, count in seen.writes if main])
    assert stored(tmp_path) == ["a", "b"]
