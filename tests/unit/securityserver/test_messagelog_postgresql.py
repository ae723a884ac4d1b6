import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog import Body, Direction, MessageLog, Side, partitions, search
from securityserver.messagelog.check import Checker, Trouble
from securityserver.messagelog.records import day_of, milliseconds
from securityserver.messagelog.removal import NotArchived, drop_day
from securityserver.messagelog.search import Wanted
from securityserver.migrations import NODE, open_node_database
from securityserver.serverconf import ServerConfStore, apply, export, read
from serverkit.database import Database, DatabaseUnusable, open_database
from serverkit.migrations import Migrations
from tests.support.messagelog import AT, make_record, running_log
from tests.support.postgres import Server
from tests.support.serverconf import SERVICES, declared
from xroad.errors import InvalidMessage, LoggingFailed


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    opened = open_node_database(postgresql_url)
    yield opened
    opened.close()


def values(database: Database, sql: str) -> list[object]:
    with database.reading() as connection:
        return list(connection.execute(sa.text(sql)).scalars())


async def test_records_lie_in_the_partition_of_their_day(postgresql_url: str, database: Database) -> None:
    async with running_log(postgresql_url) as log:
        for days in (0, 0, 1):
            await log.append(make_record(at=AT + timedelta(days=days)))
    assert values(database, "SELECT count(*) FROM log_record_20260701") == [2]
    assert values(database, "SELECT count(*) FROM log_record_20260702") == [1]


async def test_partitions_are_made_ahead(postgresql_url: str, database: Database) -> None:
    async with running_log(postgresql_url):
        pass
    made = values(database, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'log_record'::regclass")
    assert made == [partitions.DAYS_AHEAD + 1]


async def test_a_day_that_is_archived_is_dropped_whole_and_leaves_its_marks(
    postgresql_url: str, database: Database
) -> None:
    async with running_log(postgresql_url) as log:
        for days in (0, 0, 1):
            await log.append(make_record(at=AT + timedelta(days=days), body=Body.of(b"body")))
    day = day_of(milliseconds(AT))
    with pytest.raises(NotArchived, match="2 records"), database.transaction() as connection:
        drop_day(connection, day, before=2)
    with database.transaction() as connection:
        for sql in (
            "INSERT INTO log_timestamp (id, time, token, authority) VALUES (1, 1, '', '')",
            "INSERT INTO log_archive VALUES (1, '', '', 1, 2, 2, '', 1, 1)",
            "UPDATE log_record SET timestamp_id = 1, archive_id = 1",
        ):
            connection.execute(sa.text(sql))
        assert drop_day(connection, day, before=2) == 2
    assert values(database, "SELECT count(*) FROM log_record") == [1]
    checker = Checker(database)
    assert list(checker.run()) == []
    assert (checker.records, checker.archived) == (1, 2)


async def test_a_message_is_taken_once_also_on_another_day(postgresql_url: str) -> None:
    async with running_log(postgresql_url) as log:
        first = make_record()
        await log.append(first)
        later = AT + timedelta(days=3)
        with pytest.raises(InvalidMessage, match="message log already"):
            await log.append(make_record(request_id=first.request_id, at=later))
        await log.append(make_record(request_id=first.request_id, at=later, direction=Direction.RESPONSE))
        await log.append(make_record(request_id=first.request_id, at=later, side=Side.PRODUCER))


async def two_of_a_message(url: str) -> None:
    async with running_log(url) as log:
        for days, direction in enumerate(Direction):
            at = AT + timedelta(days=days)
            await log.append(make_record(query_id="wanted", request_id="r", direction=direction, at=at))
        await log.append(make_record(query_id="other"))


HIDDEN = [
    "DELETE FROM log_message_key WHERE query_id = 'wanted' AND response = 1",
    "UPDATE log_message_key SET query_id = 'elsewhere' WHERE query_id = 'wanted' AND response = 1",
    "UPDATE log_message_key SET request_id = 'elsewhere' WHERE query_id = 'wanted' AND response = 1",
    "UPDATE log_message_key SET time = time - 1 WHERE query_id = 'wanted' AND response = 1",
]


@pytest.mark.parametrize("hide", HIDDEN)
async def test_who_hides_a_record_from_searches_by_id_is_found(
    postgresql_url: str, database: Database, hide: str
) -> None:
    await two_of_a_message(postgresql_url)
    assert list(Checker(database).run()) == []
    with database.transaction() as connection:
        connection.execute(sa.text(hide))
    assert [(each.trouble, each.record) for each in Checker(database).run()] == [(Trouble.HIDDEN, 2)]


async def test_a_log_from_before_the_keys_is_searched_and_goes_on(postgresql_url: str) -> None:
    await two_of_a_message(postgresql_url)
    with closing(open_node_database(postgresql_url)) as database, database.transaction() as connection:
        connection.execute(sa.text("DROP TABLE log_message_key"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v0005'"))
    await one_more(postgresql_url)
    with closing(open_node_database(postgresql_url)) as database:
        assert [found.id for found in search.find(database, Wanted(query_id="wanted")).found] == [2, 1]
        assert [found.id for found in search.find(database, Wanted(query_id="later")).found] == [4]
        assert search.find(database, Wanted(query_id="none")).found == ()
        assert list(Checker(database).run()) == []


async def one_more(url: str) -> None:
    async with running_log(url) as log:
        await log.append(make_record(query_id="later"))
        with pytest.raises(InvalidMessage, match="message log already"):
            await log.append(make_record(request_id="r"))


async def test_a_duplicate_in_a_batch_harms_only_itself(postgresql_url: str, database: Database) -> None:
    records = [make_record() for _ in range(32)]
    records[20] = make_record(request_id=records[3].request_id)
    async with running_log(postgresql_url) as log:
        results = await asyncio.gather(*(log.append(record) for record in records), return_exceptions=True)
        assert len([result for result in results if isinstance(result, InvalidMessage)]) == 1
        assert log.statistics().appended == 31
    assert list(Checker(database).run()) == []


async def test_concurrent_appends_share_commits_and_keep_their_numbers(postgresql_url: str, database: Database) -> None:
    records = [make_record() for _ in range(300)]
    async with running_log(postgresql_url) as log:
        numbers = await asyncio.gather(*(log.append(record) for record in records))
        assert log.statistics().commits < 60
        for number, record in zip(numbers[::50], records[::50], strict=True):
            stored = await log.reader.get(number)
            assert stored is not None
            assert stored.request_id == record.request_id
    assert list(Checker(database).run()) == []


async def test_traffic_goes_on_by_itself_when_the_server_is_back(
    postgresql_url: str, postgresql_server: Server, database: Database
) -> None:
    async with running_log(postgresql_url) as log:
        await log.append(make_record())
        await asyncio.to_thread(postgresql_server.stop)
        with pytest.raises(LoggingFailed):
            await log.append(make_record())
        assert log.statistics().last_failure is not None
        await asyncio.to_thread(postgresql_server.start)
        await eventually_logged(log)
        assert log.statistics().last_failure is None
    assert list(Checker(database).run()) == []


async def eventually_logged(log: MessageLog) -> None:
    async with asyncio.timeout(20):
        while True:
            with suppress(LoggingFailed):
                await log.append(make_record())
                return
            await asyncio.sleep(0.1)


def test_the_configuration_is_kept_as_on_sqlite(database: Database) -> None:
    text = SERVICES.replace('IDPOOR"\n', 'IDPOOR"\nlog = { requests = "plain", responses = "none" }\n', 1)
    assert apply(database, declared(text))
    assert not apply(database, declared(text))
    assert read(database)[0] == declared(text)
    assert declared(export(database)) == declared(text)
    assert ServerConfStore.load(database).current.version == 2


def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(SQLAlchemyError, match="read-only"), database.reading() as connection:
        connection.execute(sa.text("UPDATE conf_version SET version = 7"))


def test_a_commit_is_durable_whatever_the_server_says(database: Database) -> None:
    assert values(database, "SHOW synchronous_commit") == ["on"]


def test_reopening_keeps_everything_and_other_programs_are_refused(postgresql_url: str, database: Database) -> None:

    open_node_database(postgresql_url).close()
    with pytest.raises(DatabaseUnusable, match="another program's"):
        open_database(postgresql_url, Migrations(NODE.package, NODE.application_id + 1))
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v9999'"))
    with pytest.raises(DatabaseUnusable, match="newer version"):
        open_node_database(postgresql_url)


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    with pytest.raises(DatabaseUnusable, match="see that the server runs") as caught:
        open_node_database("postgresql+psycopg://spean:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
