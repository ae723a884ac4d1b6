"""The archiver's runs: what goes into archives, in what order, linked how, and what leaves the database when."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.ledger import Ledger, Member
from securityserver.archiving.removal import Remover
from securityserver.archiving.settings import Grouping
from securityserver.archiving.stores import DirectoryStore
from securityserver.archiving.verification import VerifiedArchive, in_link_order, verify_chain, verify_file
from securityserver.messagelog import Side
from tests.support.archives import (
    NOW,
    SampleContents,
    archived,
    archiver,
    files_in_ledger,
    links,
    node_database,
    seed,
    some,
)
from tests.support.messagelog import HOUSEHOLD, NSAF
from xroad.linkinginfo import START


def chain(directory: Path) -> list[VerifiedArchive]:
    return list(verify_chain(in_link_order(map(verify_file, archived(directory)))))


async def test_what_is_time_stamped_is_archived_once(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(3))
        waiting = seed(database, *some(1, query_id="later"), stamped=False)
        run = await archiver(database, tmp_path).run()
        assert (run.archives, run.records) == (1, 3)
        assert [number for number, archive in links(database) if archive is None] == waiting
        assert (await archiver(database, tmp_path).run()).archives == 0
    (archive,) = chain(tmp_path)
    assert (archive.previous, archive.containers) == (START, 3)
    assert archive.file.name.startswith("mlog-20260701120000-20260701120002-")


async def test_each_archive_continues_the_one_before_also_in_a_later_run(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        for number in range(3):
            seed(database, *some(2, query_id=f"run{number}", at=NOW + timedelta(minutes=number)))
            await archiver(database, tmp_path, settings={"max_records": 1}).run()
    assert [archive.containers for archive in chain(tmp_path)] == [1] * 6


async def test_an_archive_ends_with_the_record_that_goes_beyond_its_size(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(5))
        await archiver(database, tmp_path, settings={"max_file_bytes": 20 * 1024}).run()
    assert sorted(archive.containers for archive in chain(tmp_path)) == [1, 2, 2]


@pytest.mark.parametrize(
    ("grouping", "groups"),
    [
        (Grouping.NONE, [""]),
        (Grouping.MEMBER, ["KH-SANDBOX_GOV_MOP-", "KH-SANDBOX_GOV_NSAF-"]),
        (
            Grouping.SUBSYSTEM,
            ["KH-SANDBOX_GOV_MOP_IDPOOR-", "KH-SANDBOX_GOV_NSAF_FAMILY-PACKAGE-", "KH-SANDBOX_GOV_NSAF_OTHER-"],
        ),
    ],
)
async def test_a_group_is_the_side_that_this_server_speaks_for(
    grouping: Grouping, groups: list[str], tmp_path: Path
) -> None:
    other = NSAF.member.__class__(NSAF.instance, NSAF.member_class, NSAF.member_code, "OTHER")
    with node_database(tmp_path) as database:
        seed(database, *some(2), *some(2, side=Side.PRODUCER, service=HOUSEHOLD), *some(1, client=other))
        await archiver(database, tmp_path, settings={"grouping": grouping}).run()
    verified = chain(tmp_path)
    assert [archive.file.name.removeprefix("mlog-").split("2026")[0] for archive in verified] == groups
    assert all(archive.previous == START for archive in verified)
    assert sum(archive.containers for archive in verified) == 5


async def test_the_same_records_make_the_same_archive(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        with node_database(tmp_path / name) as database:
            seed(database, *some(3))
            await archiver(database, tmp_path / name).run()
        (file,) = archived(tmp_path / name)
        contents.append((file.name, file.read_bytes()))
    assert contents[0] == contents[1]


class Lossy(DirectoryStore):
    """Changes what it stores."""

    async def read(self, name: str) -> AsyncIterator[bytes]:
        async for chunk in super().read(name):
            yield chunk[:-1] + bytes([chunk[-1] ^ 1])


async def test_a_store_that_gives_back_other_bytes_is_not_believed(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        with pytest.raises(ArchivingFailed, match="gives back other bytes"):
            await archiver(database, tmp_path, store=Lossy(tmp_path / "archives")).run()
        assert len(Ledger(database).unfinished()) == 1
        with pytest.raises(ArchivingFailed):
            await archiver(database, tmp_path, store=Lossy(tmp_path / "archives"), settings={"retention_days": 0}).run()
        assert len(links(database)) == 1


class Broken(SampleContents):
    """Writes a container that does not open."""

    def write(self, sink: Any) -> None:
        sink(b"no container")


class BrokenContainers:
    """Gives such."""

    def read(self, members: Sequence[Member]) -> Iterator[Broken]:
        return (Broken(member.id) for member in members)


async def test_a_container_that_does_not_open_reaches_no_store(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        with pytest.raises(ArchivingFailed, match="came out wrong"):
            await archiver(database, tmp_path, containers=BrokenContainers).run()
    assert archived(tmp_path) == []
    assert not any((tmp_path / "work").iterdir())


async def test_a_record_that_vanished_after_it_was_planned_is_noticed(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(3))
        Ledger(database).plan(None, max_records=3, max_bytes=2**30, at=NOW)
        with database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM log_record WHERE id = 2")
        with pytest.raises(ArchivingFailed, match="Of 3 records that were to be archived 2 are there"):
            await archiver(database, tmp_path).run()
    assert archived(tmp_path) == []


async def test_what_an_earlier_run_put_under_another_name_is_taken_away(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(2))
        ledger = Ledger(database)
        planned = ledger.plan(None, max_records=2, max_bytes=2**30, at=NOW)
        assert planned is not None
        ledger.built(planned, "mlog-old.zip", "00" * 64)
        (tmp_path / "archives").mkdir()
        (tmp_path / "archives" / "mlog-old.zip").write_bytes(b"of another version")
        await archiver(database, tmp_path).run()
        assert files_in_ledger(database) == [file.name for file in archived(tmp_path)]
    assert [archive.containers for archive in chain(tmp_path)] == [2]


async def test_two_archivers_do_not_work_at_once(tmp_path: Path) -> None:
    with (
        node_database(tmp_path) as database,
        Ledger(database).alone(),
        pytest.raises(ArchivingFailed, match="Another process archives"),
    ):
        await archiver(database, tmp_path).run()


def test_an_archive_is_verified_only_once(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        ledger = Ledger(database)
        planned = ledger.plan(None, max_records=1, max_bytes=1, at=NOW)
        assert planned is not None
        ledger.built(planned, "mlog.zip", "00" * 64)
        ledger.verified(planned, NOW)
        with pytest.raises(ArchivingFailed, match="Another process"):
            ledger.verified(planned, NOW)
        assert ledger.last_success() == NOW


async def test_the_oldest_that_waits_is_told_until_it_is_verified(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        ledger = Ledger(database)
        assert ledger.oldest_waiting() is None
        seed(database, *some(2))
        ledger.plan(None, max_records=1, max_bytes=1, at=NOW)
        assert ledger.oldest_waiting() == some(1)[0]["at"]
        await archiver(database, tmp_path).run()
        assert ledger.oldest_waiting() is None


@pytest.mark.parametrize(("days", "left"), [(29, 3), (31, 0)])
async def test_records_leave_the_database_when_they_were_archived_long_ago(
    days: int, left: int, tmp_path: Path
) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(3))
        await archiver(database, tmp_path).run()
        run = await archiver(database, tmp_path, now=lambda: NOW + timedelta(days=days)).run()
        assert (len(links(database)), run.removed) == (left, 3 - left)
        unarchived = seed(database, *some(1, query_id="new"), stamped=False)
        await archiver(database, tmp_path, now=lambda: NOW + timedelta(days=100)).run()
        assert [number for number, archive in links(database) if archive is None] == unarchived


async def test_records_of_an_archive_that_is_not_verified_stay(tmp_path: Path) -> None:
    with node_database(tmp_path) as database:
        seed(database, *some(2))
        planned = Ledger(database).plan(None, max_records=2, max_bytes=2**30, at=NOW)
        assert planned is not None
        assert await Remover(database).remove(NOW + timedelta(days=100)) == 0
        assert len(links(database)) == 2
