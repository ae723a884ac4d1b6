"""Records that come alone are durable in a file, and moved into the database; whatever goes wrong is told."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from securityserver.messagelog import Body, Direction, MessageLog, Side, SpoolDirectory, intake, intakefile, recovery
from securityserver.messagelog.intakefile import FILE_BYTES, HALVES, PAGE, IntakeDamaged, IntakeFile, encoded, read
from securityserver.messagelog.records import LEAF_INDEX, row_of, seal_row
from securityserver.messagelog.recovery import open_log
from securityserver.messagelog.sqlitestore import SqliteMessages
from securityserver.messagelog.store import Refusal, StoreRefused, open_store
from securityserver.migrations import open_node_database
from serverkit.database import DatabaseUnusable
from tests.support.audit import tree_problems
from tests.support.messagelog import database_url, make_record, running_log
from xroad.errors import InvalidMessage, LoggingFailed


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first record in already, and move nothing by itself: each test says when."""
    monkeypatch.setattr(intake, "ALONE", 0)
    monkeypatch.setattr(intake, "MOVE_SECONDS", 1000.0)
    monkeypatch.setattr(intake, "SLOW_SECONDS", 1000.0)
    monkeypatch.setattr(recovery, "_SETTLE_SECONDS", 0.1)


def query(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "node.db")) as connection:
        return connection.execute(sql).fetchall()


def requests(directory: Path) -> list[str]:
    return [request for (request,) in query(directory, "SELECT request_id FROM log_record ORDER BY leaf_index")]


def file_of(directory: Path) -> Path:
    return directory / "node.db-intake"


async def crashed(directory: Path, *counts: int) -> list[str]:
    """Leave what a killed process leaves: so many records in the database, so many in the intake."""
    in_database, in_intake = counts
    names = [f"r{number}" for number in range(in_database + in_intake)]
    live = directory / "live"
    live.mkdir()
    async with running_log(live, intake=True) as log:
        for number, name in enumerate(names):
            await log.append(make_record(request_id=name))
            if number == in_database - 1:
                await log.settled()
        for part in live.glob("node.db*"):
            shutil.copy(part, directory / part.name)
    return names


@pytest.mark.parametrize("fresh", [True, False])
async def test_the_database_is_asked_for_a_message_unless_its_id_was_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fresh: bool
) -> None:
    asked: list[Any] = []

    def known(_self: SqliteMessages, key: Any) -> bool:
        asked.append(key)
        return False

    monkeypatch.setattr(SqliteMessages, "known", known)
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="r1"), fresh=fresh)
        assert len(asked) == (0 if fresh else 1)
        with pytest.raises(InvalidMessage):  # what waits in the file is looked through in either case
            await log.append(make_record(request_id="r1"), fresh=fresh)
        assert requests(tmp_path) == ["r1"]


async def test_a_record_is_durable_in_the_file_before_the_database_has_it(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        record = make_record(body=Body.of(b"body"), user_id="ខ្មែរ", side=Side.PRODUCER, direction=Direction.RESPONSE)
        number = await log.append(record)
        assert requests(tmp_path) == []
        (batch,) = read(file_of(tmp_path))
        (row,) = batch.rows()
        expected = row_of(record)
        seal_row(expected)
        expected[LEAF_INDEX] = 0
        assert row == expected
        assert (await log.settled())[0] == 1
        stored = await log.reader.get(number)
        assert stored is not None
        assert stored.request_id == record.request_id
        assert log.statistics().appended == log.statistics().commits == 1


async def test_the_file_is_for_its_owner_only_and_goes_with_an_orderly_end(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record())
        assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
        assert file_of(tmp_path).stat().st_size == FILE_BYTES
    assert not file_of(tmp_path).exists()
    assert len(requests(tmp_path)) == 1
    async with running_log(tmp_path):
        pass


async def test_numbers_are_those_that_the_database_gives(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        alone = [await log.append(make_record(request_id=f"a{number}")) for number in range(5)]
        together = await asyncio.gather(*(log.append(make_record(request_id=f"b{number}")) for number in range(20)))
        later = [await log.append(make_record(request_id=f"c{number}")) for number in range(5)]
        await log.settled()
        names = [f"{kind}{number}" for kind, count in (("a", 5), ("b", 20), ("c", 5)) for number in range(count)]
        found = dict(query(tmp_path, "SELECT request_id, id FROM log_record"))
        assert [found[name] for name in names] == [*alone, *together, *later]
    with closing(open_node_database(database_url(tmp_path))) as database:
        assert tree_problems(database) == []


async def test_who_comes_with_others_goes_to_the_database_at_once(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await asyncio.gather(*(log.append(make_record()) for _ in range(20)))
        # Only the first was alone when it came.
        assert sum(batch.count for batch in read(file_of(tmp_path))) == 1
        assert len(requests(tmp_path)) == 20


async def test_only_who_comes_alone_again_and_again_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "ALONE", 8)
    async with running_log(tmp_path, intake=True) as log:
        for _ in range(10):
            await log.append(make_record())
        assert len(requests(tmp_path)) == 8


async def test_records_are_moved_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOVE_SECONDS", 0.01)
    async with running_log(tmp_path, intake=True) as log, asyncio.timeout(10):
        await log.append(make_record())
        while not requests(tmp_path):  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


async def test_a_full_half_is_moved_while_the_other_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "HALF_BYTES", 4 * PAGE)
    async with running_log(tmp_path, intake=True) as log:
        for number in range(40):
            await log.append(make_record(request_id=f"r{number}"))
    assert requests(tmp_path) == [f"r{number}" for number in range(40)]


@pytest.mark.parametrize("moved", ["moved", "not moved"])
async def test_a_message_is_taken_once(tmp_path: Path, moved: str) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="once"))
        if moved == "moved":
            await log.settled()
        with pytest.raises(InvalidMessage, match="message log already") as caught:
            await log.append(make_record(request_id="once"))
        assert caught.value.full_code == "InvalidMessage.DuplicateRecord"
        await log.append(make_record(request_id="once", direction=Direction.RESPONSE))
    assert requests(tmp_path) == ["once", "once"]


async def test_a_row_that_no_database_takes_harms_only_itself(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="before"))
        assert intake._content([*[None] * 5, "\ud800", *[None] * 26]) is None
        assert intake._content([*[None] * 4, 1 << 70, *[None] * 27]) is None
        await log.append(make_record(request_id="after"))
    assert requests(tmp_path) == ["before", "after"]


async def test_a_large_body_goes_by_way_of_the_database(tmp_path: Path) -> None:
    spools = SpoolDirectory.open(tmp_path / "spool", inline_limit=1000)
    async with running_log(tmp_path, intake=True) as log, spools.collect() as spool:
        await log.append(make_record(request_id="small"))
        await spool.write(os.urandom(300_000))
        body = await spool.finish()
        number = await log.append(make_record(request_id="large", body=body))
        assert sum([len(chunk) async for chunk in log.reader.read_body(number)]) == 300_000
        await log.append(make_record(request_id="next"))
    spools.close()
    assert requests(tmp_path) == ["small", "large", "next"]


async def test_a_write_that_fails_is_the_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="first"))
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwritev", refuse)
            await log.append(make_record(request_id="second"))
        assert requests(tmp_path) == ["first", "second"]
        await log.append(make_record(request_id="third"))
        # What failed may be whole in the file: it is voided, else two records would have one place.
        assert [batch.first for batch in read(file_of(tmp_path))] == [0, 2]
    assert requests(tmp_path) == ["first", "second", "third"]


async def test_a_slow_disk_is_waited_for_by_the_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLOW_SECONDS", -1.0)
    async with running_log(tmp_path, intake=True) as log:
        for number in range(5):
            await log.append(make_record(request_id=f"r{number}"))
        assert [batch.first for batch in read(file_of(tmp_path))] == [0, 1, 2]
        assert len(requests(tmp_path)) == 5


async def test_a_full_disk_refuses_until_what_waits_is_moved(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="waits", signature=bytes(100_000)))
        connection = _driver(log)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        await asyncio.to_thread(connection.execute, f"PRAGMA max_page_count={pages}")
        log._writer.submit(())
        await log.settled()
        for _ in range(3):
            with pytest.raises(LoggingFailed, match="full"):
                await log.append(make_record())
        assert requests(tmp_path) == []
        assert "full" in (log.statistics().last_failure or "")
        await asyncio.to_thread(connection.execute, "PRAGMA max_page_count=1000000")
        await log.append(make_record(request_id="goes on"))
        assert log.statistics().last_failure is None
        await log.append(make_record(request_id="alone"))
        assert [batch.first for batch in read(file_of(tmp_path))] == [0, 2]
    assert requests(tmp_path) == ["waits", "goes on", "alone"]


async def test_what_could_not_be_moved_stays_for_the_next_start(tmp_path: Path) -> None:
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record(request_id="waits", signature=bytes(100_000)))
        await asyncio.to_thread(_driver(log).execute, "PRAGMA max_page_count=1")
    assert file_of(tmp_path).exists()
    async with running_log(tmp_path, intake=True):
        assert requests(tmp_path) == ["waits"]


async def test_a_disk_without_room_for_the_file_leaves_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IntakeFile, "create", _no_room)
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record())
        assert len(requests(tmp_path)) == 1


def _no_room(*_: object) -> IntakeFile:
    raise OSError(28, "No space left on device")


def _driver(log: MessageLog) -> sqlite3.Connection:
    return log._writer._store._connection  # type: ignore[attr-defined,no-any-return]


async def test_a_start_after_a_kill_brings_everything_over(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 3, 600)
    async with running_log(tmp_path, intake=True) as log:
        assert requests(tmp_path) == names
        assert await log.append(make_record(request_id="next")) == len(names) + 1
    assert requests(tmp_path) == [*names, "next"]
    with closing(open_node_database(database_url(tmp_path))) as database:
        assert tree_problems(database) == []


async def test_a_start_in_the_middle_of_moving_doubles_nothing(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 0, 6)
    with closing(open_node_database(database_url(tmp_path))) as database:
        store = open_store(database)
        store.insert_records([row for batch in read(file_of(tmp_path))[:4] for row in batch.rows()])
        store.close()
    async with running_log(tmp_path):
        assert requests(tmp_path) == names


async def test_a_commit_that_was_reported_as_failed_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_log(tmp_path, intake=True) as log:
        store = log._writer._store
        insert = store.insert_records

        def insert_and_fail(rows: Any) -> Any:
            insert(rows)
            raise StoreRefused(Refusal.ALL, "disk I/O error")

        names = [f"r{number}" for number in range(4)]
        for name in names:
            await log.append(make_record(request_id=name))
        with monkeypatch.context() as broken:
            broken.setattr(store, "insert_records", insert_and_fail)
            log._writer.submit(())
            await log.settled()
        await log.append(make_record(request_id="next"))
        assert requests(tmp_path) == [*names, "next"]


async def test_who_reads_a_dead_nodes_log_sees_everything(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 1, 3)
    with closing(open_log(database_url(tmp_path))):
        assert requests(tmp_path) == names
    assert not file_of(tmp_path).exists()


async def test_who_reads_beside_a_running_node_waits_until_it_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_SETTLE_SECONDS", 20)
    async with running_log(tmp_path, intake=True) as log:
        await log.append(make_record())
        opening = asyncio.ensure_future(asyncio.to_thread(open_log, database_url(tmp_path)))  # noqa: TID251
        await asyncio.sleep(0.1)
        assert not opening.done()
        await log.settled()
        (await opening).close()


@pytest.mark.parametrize("cut", [0, 100, PAGE])
async def test_a_write_that_the_kill_cut_short_is_no_record(tmp_path: Path, cut: int) -> None:
    names = await crashed(tmp_path, 0, 3)
    damage(tmp_path, lambda content: zeroed(content, HALVES[0] + 2 * PAGE + cut, HALVES[0] + 3 * PAGE + cut))
    async with running_log(tmp_path, intake=True) as log:
        assert requests(tmp_path) == names[: 3 if cut == PAGE else 2]
        await log.append(make_record(request_id="next"))
    assert requests(tmp_path)[-1] == "next"


@pytest.mark.parametrize("place", [0, 60, 90, 400])
async def test_a_flipped_byte_before_the_end_is_told_and_nothing_is_dropped(tmp_path: Path, place: int) -> None:
    await crashed(tmp_path, 1, 4)
    content = damage(tmp_path, lambda content: flipped(content, HALVES[1] + PAGE + place))
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match=r"records from 2 to 2.*damaged"):
            await MessageLog.open(open_node_database(database_url(tmp_path)), intake=True)
        assert file_of(tmp_path).read_bytes() == content


@pytest.mark.parametrize(
    "spoil", [lambda content: b"", lambda content: content[:-1], lambda content: b"PK" + content[2:]]
)
async def test_a_file_that_is_no_intake_is_told(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    await crashed(tmp_path, 1, 1)
    damage(tmp_path, spoil)
    with pytest.raises(DatabaseUnusable, match="cannot be read"):
        await MessageLog.open(open_node_database(database_url(tmp_path)))


async def test_an_older_database_is_told(tmp_path: Path) -> None:
    await crashed(tmp_path, 4, 2)
    (tmp_path / "node.db").unlink()
    (tmp_path / "node.db-wal").unlink()
    (tmp_path / "node.db-message-log.lock").rename(tmp_path / "lock")
    file_of(tmp_path).rename(tmp_path / "aside")
    async with running_log(tmp_path) as log:
        for number in range(2):
            await log.append(make_record(request_id=f"r{number}"))
    (tmp_path / "aside").rename(file_of(tmp_path))
    damage(tmp_path, lambda content: zeroed(content, HALVES[0], HALVES[0] + 4 * PAGE))
    with pytest.raises(DatabaseUnusable, match=r"records from 2 to 3.*older"):
        await MessageLog.open(open_node_database(database_url(tmp_path)))
    file_of(tmp_path).unlink()  # as the text says
    async with running_log(tmp_path):
        assert requests(tmp_path) == ["r0", "r1"]


async def test_a_newer_database_has_it_all(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 0, 3)
    kept = file_of(tmp_path).read_bytes()
    async with running_log(tmp_path) as log:
        await log.append(make_record(request_id="newer"))
    file_of(tmp_path).write_bytes(kept)
    async with running_log(tmp_path):
        assert requests(tmp_path) == [*names, "newer"]


@pytest.mark.parametrize("records", [2, 5])
async def test_another_databases_intake_is_told(tmp_path: Path, records: int) -> None:
    await crashed(tmp_path, 2, 3)
    kept = file_of(tmp_path).read_bytes()
    forget(tmp_path)
    async with running_log(tmp_path) as log:
        for _ in range(records):
            await log.append(make_record())
    file_of(tmp_path).write_bytes(kept)
    with pytest.raises(DatabaseUnusable, match="another database's"):
        await MessageLog.open(open_node_database(database_url(tmp_path)))


async def test_a_backup_of_the_database_alone_can_be_used_elsewhere(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 2, 2)
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "node.db")) as source:
        source.execute("VACUUM INTO ?", (str(tmp_path / "other" / "node.db"),))
    async with running_log(tmp_path / "other", intake=True):
        assert requests(tmp_path / "other") == names[:2]


async def test_a_file_that_is_gone_is_missed(tmp_path: Path) -> None:
    names = await crashed(tmp_path, 2, 2)
    file_of(tmp_path).unlink()
    with pytest.raises(DatabaseUnusable, match=r"intake is gone.*node\.db-message-log\.lock"):
        await MessageLog.open(open_node_database(database_url(tmp_path)), intake=True)
    (tmp_path / "node.db-message-log.lock").unlink()  # as the text says
    async with running_log(tmp_path, intake=True):
        assert requests(tmp_path) == names[:2]


async def test_pages_that_a_sender_chose_are_no_batch(tmp_path: Path) -> None:
    await crashed(tmp_path, 0, 1)
    foreign = file_of(tmp_path).read_bytes()[HALVES[0] : HALVES[0] + PAGE]
    forget(tmp_path)
    shutil.rmtree(tmp_path / "live")
    await crashed(tmp_path, 0, 1)
    damage(tmp_path, lambda content: content[: HALVES[1]] + foreign + content[HALVES[1] + PAGE :])
    assert [batch.first for batch in read(file_of(tmp_path))] == [0]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    file = IntakeFile.create(tmp_path / "intake", tmp_path / "note")
    rows = [row_of(make_record(body=Body.of(bytes([number]) * number * 40))) for number in range(60)]
    for row in rows:
        seal_row(row)
    file.write(HALVES[0], 7, bytes(32), [encoded(row) for row in rows])
    file.close()
    (batch,) = read(tmp_path / "intake")
    assert (batch.first, batch.end) == (7, 67)
    for place, (row, found) in enumerate(zip(rows, batch.rows(), strict=True), start=7):
        row[LEAF_INDEX] = place
        assert found == row


def test_a_torn_batch_has_no_rows(tmp_path: Path) -> None:
    file = IntakeFile.create(tmp_path / "intake", tmp_path / "note")
    row = row_of(make_record())
    seal_row(row)
    file.write(HALVES[1], 0, bytes(32), [encoded(row)])
    file.close()
    content = (tmp_path / "intake").read_bytes()
    (tmp_path / "intake").write_bytes(zeroed(content, HALVES[1] + 200, HALVES[1] + 300))
    (batch,) = read(tmp_path / "intake")
    with pytest.raises(IntakeDamaged):
        batch.rows()


def test_a_file_that_cannot_be_made_whole_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", lambda *_: 10)
    with pytest.raises(OSError, match="in part only"):
        IntakeFile.create(tmp_path / "intake", tmp_path / "note")
    assert list(tmp_path.iterdir()) == []
    assert intakefile.IN_USE


def forget(directory: Path) -> None:
    for part in directory.glob("node.db*"):
        part.unlink()


def damage(directory: Path, change: Callable[[bytes], bytes]) -> bytes:
    content = change(file_of(directory).read_bytes())
    file_of(directory).write_bytes(content)
    return content


def zeroed(content: bytes, start: int, end: int) -> bytes:
    return content[:start] + bytes(end - start) + content[end:]


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :]
