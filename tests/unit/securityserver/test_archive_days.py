"""On PostgreSQL records leave by whole days, when nothing of a day is still needed."""

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from securityserver.archiving.removal import Remover
from securityserver.messagelog import Body, SpoolDirectory, partitions
from securityserver.messagelog.check import Checker
from securityserver.messagelog.records import day_of, milliseconds
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.messagelog import AT, make_record, running_log

DAY = day_of(milliseconds(AT))
LATER = AT + timedelta(days=30)


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    opened = open_node_database(postgresql_url)
    yield opened
    opened.close()


def run(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def values(database: Database, sql: str) -> list[object]:
    with database.reading() as connection:
        return list(connection.execute(sa.text(sql)).scalars())


def days(database: Database) -> list[int]:
    with database.reading() as connection:
        return [day for day in partitions.days(connection) if day < DAY + 30]


async def logged(url: str, tmp_path: Path) -> None:
    """Log two records of one day, one with a large body, and two of the next."""
    spools = SpoolDirectory.open(tmp_path / "spool", inline_limit=1000)
    async with running_log(url) as log, spools.collect() as spool:
        await spool.write(os.urandom(5000))
        await log.append(make_record(body=await spool.finish()))
        await log.append(make_record(body=Body.of(b"body")))
        for _ in range(2):
            await log.append(make_record(at=AT + timedelta(days=1)))
    spools.close()


def archive(database: Database, records: str, *, verified: int = 1) -> None:
    """Archive records as if an hour after they were logged."""
    at = milliseconds(AT + timedelta(days=1, hours=1))
    run(
        database,
        "INSERT INTO log_timestamp (id, time, token, authority) VALUES (1, 1, '', '') ON CONFLICT DO NOTHING",
        f"INSERT INTO log_archive SELECT count(*) + 1, '', '', 1, 4, 4, '', {at}, {verified} FROM log_archive",  # noqa: S608
        f"UPDATE log_record SET timestamp_id = 1, archive_id = (SELECT max(id) FROM log_archive) WHERE {records}",  # noqa: S608
    )


async def test_a_day_that_may_go_is_dropped_whole(postgresql_url: str, database: Database, tmp_path: Path) -> None:
    await logged(postgresql_url, tmp_path)
    archive(database, "id <= 3")
    assert await Remover(database).remove(AT) == 0
    assert await Remover(database).remove(LATER - timedelta(days=28)) == 2
    assert days(database) == [DAY + 1]
    assert values(database, "SELECT id FROM log_record ORDER BY id") == [3, 4]
    assert values(database, "SELECT count(*) FROM log_body") == [0]
    checker = Checker(database)
    assert await asyncio.to_thread(lambda: list(checker.run())) == []
    assert (checker.records, checker.archived) == (2, 2)


async def test_a_planned_archive_keeps_its_day(postgresql_url: str, database: Database, tmp_path: Path) -> None:
    await logged(postgresql_url, tmp_path)
    archive(database, "id = 1")
    archive(database, "id = 2", verified=0)
    assert await Remover(database).remove(AT + timedelta(days=2)) == 0
    assert days(database) == [DAY, DAY + 1]
    assert values(database, "SELECT count(*) FROM log_record") == [4]


async def test_what_holds_a_day_up_for_long_does_not_hold_its_other_records(
    postgresql_url: str, database: Database, tmp_path: Path
) -> None:
    await logged(postgresql_url, tmp_path)
    archive(database, "id <> 2")
    assert await Remover(database).remove(LATER) == 3
    assert days(database) == [DAY]
    assert values(database, "SELECT id FROM log_record") == [2]
    assert list(Checker(database).run()) == []
