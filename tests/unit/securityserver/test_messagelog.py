import asyncio
import hashlib
import os
import resource
import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from securityserver.messagelog import (
    Body,
    Direction,
    LogLimits,
    MessageLog,
    MessageLogReader,
    Side,
    SpoolDirectory,
    sqlitestore,
    statements,
)
from securityserver.migrations import open_node_database
from tests.support.messagelog import AT, database_url, make_record, running_log
from xroad.errors import DatabaseError, InvalidMessage, LoggingFailed

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[SpoolDirectory]:
    directory = SpoolDirectory.open(tmp_path / "spool", inline_limit=1000)
    yield directory
    directory.close()


def query(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "node.db")) as connection:
        rows = connection.execute(sql).fetchall()
        connection.commit()
        return rows


def driver(log: MessageLog) -> sqlite3.Connection:
    store = log._writer._store
    assert isinstance(store, sqlitestore.SqliteStore)
    return store._connection


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread or the file system makes it true
            await asyncio.sleep(0.01)


async def drain(chunks: AsyncIterator[bytes]) -> int:
    return sum([len(chunk) async for chunk in chunks])


async def test_gives_back_what_was_logged(any_database: str) -> None:
    record = make_record(
        direction=Direction.RESPONSE,
        side=Side.PRODUCER,
        user_id="KH1",
        issue="case 7",
        body=Body.of(b"body"),
        hash_chain=b"<chain/>",
        hash_chain_result=b"<result/>",
    )
    async with running_log(any_database) as log:
        number = await log.append(record)
        stored = await log.reader.get(number)
        assert stored is not None
        shared = ("direction", "side", "query_id", "request_id", "client", "service", "user_id", "issue", "head")
        for name in (*shared, "signature", "hash_chain", "hash_chain_result", "at"):
            assert getattr(stored, name) == getattr(record, name), name
        assert (stored.body_size, stored.body_digest) == (4, hashlib.sha512(b"body").digest())
        assert stored.signature_hash == hashlib.sha512(b"<signature/>").digest()
        assert [chunk async for chunk in log.reader.read_body(number)] == [b"body"]
        assert await log.reader.get(number + 1) is None


async def test_append_returns_after_the_commit(tmp_path: Path) -> None:
    async with running_log(tmp_path) as log:
        number = await log.append(make_record())
        assert query(tmp_path, "SELECT id FROM log_record") == [(number,)]


async def test_concurrent_appends_share_syncs_and_keep_their_numbers(tmp_path: Path) -> None:
    records = [make_record() for _ in range(500)]
    async with running_log(tmp_path) as log:
        numbers = await asyncio.gather(*(log.append(record) for record in records))
        statistics = log.statistics()
    assert statistics.appended == 500
    assert statistics.commits < 50
    by_number = dict(query(tmp_path, "SELECT id, request_id FROM log_record"))
    assert [by_number[number] for number in numbers] == [record.request_id for record in records]


async def test_one_message_is_one_record(any_database: str) -> None:
    async with running_log(any_database) as log:
        first = make_record()
        await log.append(first)
        with pytest.raises(InvalidMessage, match="message log already") as caught:
            await log.append(make_record(request_id=first.request_id))
        assert caught.value.full_code == "InvalidMessage.DuplicateRecord"
        await log.append(make_record(request_id=first.request_id, direction=Direction.RESPONSE))
        await log.append(make_record(request_id=first.request_id, side=Side.PRODUCER))
        assert log.statistics().last_failure is None


async def test_a_duplicate_harms_only_itself(tmp_path: Path) -> None:
    records = [make_record() for _ in range(64)]
    records[20] = make_record(request_id=records[3].request_id)
    async with running_log(tmp_path) as log:
        results = await asyncio.gather(*(log.append(record) for record in records), return_exceptions=True)
        failed = [place for place, result in enumerate(results) if isinstance(result, BaseException)]
        assert failed in ([3], [20])
        assert log.statistics().appended == 63
        assert log.statistics().commits < 15


async def test_text_that_is_no_unicode_cannot_stop_the_batch(any_database: str) -> None:
    async with running_log(any_database) as log:
        await log.append(make_record(query_id="a\udcff", user_id="\ud800"))
        assert len(await log.reader.find(query_id="a\udcff")) == 1


async def test_find(any_database: str) -> None:
    async with running_log(any_database) as log:
        for step in range(5):
            await log.append(make_record(query_id=f"q{step % 2}", at=AT + timedelta(seconds=step)))
        reader = log.reader
        assert [record.at.second for record in await reader.find(query_id="q0")] == [4, 2, 0]
        assert len(await reader.find(limit=2)) == 2
        assert len(await reader.find(since=AT + timedelta(seconds=1), until=AT + timedelta(seconds=3))) == 2
        first = (await reader.find())[-1]
        assert await reader.find(request_id=first.request_id) == [first]
        assert await reader.find(query_id="none") == []


async def test_iterate_goes_on_where_it_stopped(any_database: str) -> None:
    async with running_log(any_database) as log:
        numbers = await asyncio.gather(*(log.append(make_record()) for _ in range(250)))
        assert [record.id async for record in log.reader.iterate()] == sorted(numbers)
        assert [record.id async for record in log.reader.iterate(after_id=200)] == list(range(201, 251))


async def test_searches_use_an_index(tmp_path: Path) -> None:
    async with running_log(tmp_path):
        for column in ("query_id", "request_id", "time"):
            plan = query(tmp_path, f"EXPLAIN QUERY PLAN SELECT id FROM log_record WHERE {column} = 'x'")  # noqa: S608
            assert "USING" in plan[0][3]
            assert "INDEX" in plan[0][3]


async def test_spooled_body_is_stored_in_chunks(tmp_path: Path, spools: SpoolDirectory) -> None:
    data = os.urandom(3 * 1024 * 1024 + 17)
    async with running_log(tmp_path) as log, spools.collect() as spool:
        for start in range(0, len(data), 100_000):
            await spool.write(data[start : start + 100_000])
        number = await log.append(make_record(body=await spool.finish()))
        assert b"".join([chunk async for chunk in log.reader.read_body(number)]) == data
    assert query(tmp_path, "SELECT COUNT(*) FROM log_body_chunk") == [(4,)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_body_chunk SET data = zeroblob(length(data)) WHERE position = 1",
        "DELETE FROM log_body_chunk WHERE position = 2",
        "UPDATE log_record SET body_size = body_size + 1",
    ],
)
async def test_a_changed_body_is_not_given_whole(tmp_path: Path, spools: SpoolDirectory, sql: str) -> None:
    async with running_log(tmp_path) as log, spools.collect() as spool:
        await spool.write(os.urandom(2 * 1024 * 1024 + 17))
        number = await log.append(make_record(body=await spool.finish()))
        query(tmp_path, sql)
        with pytest.raises(DatabaseError, match="not what was logged"):
            await drain(log.reader.read_body(number))


async def test_unknown_body(any_database: str) -> None:
    async with running_log(any_database) as log:
        with pytest.raises(KeyError):
            await drain(log.reader.read_body(1))


async def test_a_large_body_needs_little_memory_and_a_bounded_wal(tmp_path: Path, spools: SpoolDirectory) -> None:
    mebibyte = os.urandom(1024 * 1024)
    async with running_log(tmp_path) as log, spools.collect() as spool:
        tracemalloc.start()
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(64):
            await spool.write(mebibyte)
        body = await spool.finish()
        number = await log.append(make_record(body=body))
        size = await drain(log.reader.read_body(number))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size == 64 * 1024 * 1024
        assert peak < 16 * 1024 * 1024
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 48 * 1024  # KiB
        assert (tmp_path / "node.db-wal").stat().st_size < sqlitestore.WAL_LIMIT_BYTES


async def test_a_large_body_does_not_hold_others_up(tmp_path: Path, spools: SpoolDirectory) -> None:
    async with running_log(tmp_path) as log, spools.collect() as spool:
        for _ in range(48):
            await spool.write(bytes(1024 * 1024))
        body = await spool.finish()
        async with asyncio.TaskGroup() as group:
            large = group.create_task(log.append(make_record(body=body)))
            small = 0
            while not large.done():
                await log.append(make_record())
                small += 1
        assert small > 20


async def test_a_cancelled_append_frees_its_body(tmp_path: Path, spools: SpoolDirectory) -> None:
    async with running_log(tmp_path) as log:
        async with spools.collect() as spool:
            for _ in range(32):
                await spool.write(bytes(1024 * 1024))
            body = await spool.finish()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await log.append(make_record(body=body))
        await until(lambda: query(tmp_path, "SELECT COUNT(*) FROM log_body") == [(0,)])
        assert query(tmp_path, "SELECT COUNT(*) FROM log_body_chunk") == [(0,)]
        await log.append(make_record())


async def test_orphans_are_swept_at_start(tmp_path: Path, spools: SpoolDirectory) -> None:
    async with running_log(tmp_path) as log, spools.collect() as spool:
        await spool.write(bytes(5000))
        await log.append(make_record(body=await spool.finish()))
    query(tmp_path, "INSERT INTO log_body VALUES (99)")
    for position in range(20):
        query(tmp_path, f"INSERT INTO log_body_chunk (body_id, position, data) VALUES (99, {position}, x'00')")  # noqa: S608
    async with running_log(tmp_path):
        await until(lambda: query(tmp_path, "SELECT id FROM log_body") == [(1,)])
    assert query(tmp_path, "SELECT body_id FROM log_body_chunk") == [(1,)]


async def test_reader_of_another_process_sweeps_nothing(tmp_path: Path) -> None:
    database = open_node_database(database_url(tmp_path))
    query(tmp_path, "INSERT INTO log_body VALUES (1)")
    assert await MessageLogReader(database).find() == []
    assert query(tmp_path, "SELECT id FROM log_body") == [(1,)]
    database.close()


async def test_back_pressure(any_database: str) -> None:
    async with running_log(any_database, limits=LogLimits(pending=4)) as log:
        tasks = [asyncio.ensure_future(log.append(make_record())) for _ in range(50)]  # noqa: TID251
        await asyncio.sleep(0)
        assert log.statistics().waiting <= 4
        assert len(set(await asyncio.gather(*tasks))) == 50


async def test_closing_writes_what_is_queued_and_refuses_more(any_database: str) -> None:
    async with running_log(any_database) as log:
        tasks = [asyncio.ensure_future(log.append(make_record())) for _ in range(100)]  # noqa: TID251
        await asyncio.sleep(0)
        await log.close()
        assert len(await asyncio.gather(*tasks)) == 100
        with pytest.raises(LoggingFailed, match="closed"):
            await log.append(make_record())


async def test_a_full_database_refuses_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_log(tmp_path) as log:
        connection = driver(log)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        await asyncio.to_thread(connection.execute, f"PRAGMA max_page_count={pages + 40}")
        records = [make_record(signature=bytes(10_000)) for _ in range(32)]
        results = await asyncio.gather(*(log.append(record) for record in records), return_exceptions=True)
        logged = {result for result in results if isinstance(result, int)}
        assert 0 < len(logged) < 32
        assert all(isinstance(result, int | LoggingFailed) for result in results)
        assert {number for (number,) in query(tmp_path, "SELECT id FROM log_record")} == logged
        assert "full" in (log.statistics().last_failure or "")
        await asyncio.to_thread(connection.execute, "PRAGMA max_page_count=1000000")
        await log.append(make_record())
        assert log.statistics().last_failure is None


async def test_a_body_that_does_not_fit_leaves_nothing(tmp_path: Path, spools: SpoolDirectory) -> None:
    async with running_log(tmp_path) as log, spools.collect() as spool:
        for _ in range(6):
            await spool.write(bytes(1024 * 1024))
        body = await spool.finish()
        connection = driver(log)
        await asyncio.to_thread(connection.execute, "PRAGMA max_page_count=1000")
        with pytest.raises(LoggingFailed, match="full"):
            await log.append(make_record(body=body))
        await log.append(make_record())
        await until(lambda: query(tmp_path, "SELECT COUNT(*) FROM log_body_chunk") == [(0,)])


DISK_LIMIT = """
import asyncio, resource, sys
from pathlib import Path
from tests.support.messagelog import make_record, running_log
from xroad.errors import LoggingFailed

async def main():
    async with running_log(Path(sys.argv[1])) as log:
        await log.append(make_record())
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        results = await asyncio.gather(
            *(log.append(make_record(signature=bytes(20_000))) for _ in range(40)), return_exceptions=True)
        failed = [result for result in results if isinstance(result, LoggingFailed)]
        assert failed, results
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        numbers = [result for result in results if isinstance(result, int)] + [await log.append(make_record())]
        found = {record.id async for record in log.reader.iterate()}
        assert set(numbers) <= found, (numbers, found)

asyncio.run(main())
"""


def test_a_disk_that_refuses_writes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DISK_LIMIT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_a_locked_database_refuses_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_log(tmp_path) as log:
        driver(log).execute("PRAGMA busy_timeout=50")
        with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(2):  # 64 rows, each with a wait of its own, would take 3 s
                results = await asyncio.gather(*(log.append(make_record()) for _ in range(64)), return_exceptions=True)
            assert all(isinstance(result, LoggingFailed) for result in results)
            other.execute("ROLLBACK")
        await log.append(make_record())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_defect_in_the_thread_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> int:
        raise ZeroDivisionError

    async with running_log(tmp_path) as log:
        monkeypatch.setattr(statements, "insert_records", explode)
        async with asyncio.timeout(5):
            results = await asyncio.gather(*(log.append(make_record()) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, LoggingFailed) for result in results)


async def test_a_reader_cannot_make_the_wal_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlitestore, "WAL_LIMIT_BYTES", 2_000_000)
    async with running_log(tmp_path) as log:
        wal = tmp_path / "node.db-wal"
        with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM log_record").fetchall()
            while wal.stat().st_size < 3_000_000:
                await log.append(make_record(signature=bytes(100_000)))
            reader.execute("ROLLBACK")
        await asyncio.sleep(1.1)
        await log.append(make_record())
        await until(lambda: wal.stat().st_size < 2_000_000)


async def test_names_no_personal_value_in_errors(any_database: str) -> None:
    async with running_log(any_database) as log:
        record = make_record(user_id="SECRET-USER", request_id="SECRET-REQUEST")
        await log.append(record)
        with pytest.raises(InvalidMessage) as caught:
            await log.append(record)
        assert "SECRET" not in str(caught.value)
