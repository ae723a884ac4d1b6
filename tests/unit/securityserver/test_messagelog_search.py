"""Searches find what fits, page without loss, and are served by an index in the answer's order, on each database."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bench import records as made
from securityserver.messagelog import Direction, Side, search
from securityserver.messagelog.search import Place, Unsearchable, Wanted
from securityserver.messagelog.tables import RECORD
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.messagelog import database_url
from xroad.errors import DatabaseError
from xroad.identifiers import ClientId, ServiceId

COUNT = 20_000
MEMBERSHIP = replace(made.SERVICE, service_code="membership")


def at(record: int) -> datetime:
    """The time of a made-up record, counted from 0."""
    step = made.DAYS * made.DAY_MILLISECONDS // COUNT
    return datetime.fromtimestamp((made.FIRST_TIME + record * step) / 1000, UTC)


def filled(url: str, count: int = COUNT, of: int = COUNT) -> Database:
    """A database with made-up records."""
    opened = open_node_database(url)
    with opened.transaction() as connection:
        made.make_days(connection)
        made.fill(connection, 0, count, of)
    with opened.transaction() as connection:
        connection.execute(sa.text("ANALYZE log_record" if opened.is_postgresql else "SELECT 1"))
    return opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The same records on each kind of database."""
    if request.param == "sqlite":
        url = database_url(tmp_path_factory.mktemp("search"))
    else:
        url = request.getfixturevalue("postgresql_server").new_database()
    with closing(filled(url)) as opened:
        yield opened


def everything(database: Database, wanted: Wanted) -> list[search.Found]:
    return list(search.find_all(database, wanted))


EXCHANGES = range(COUNT // 2)
BUSY = [each for each in EXCHANGES if each % 8 == 0 and each % 50_000 != 7]

# What is wanted, and the record numbers that fit (exchange e is records 2e and 2e + 1).
CASES: list[tuple[Wanted, list[int]]] = [
    (Wanted(), list(range(COUNT))),
    (Wanted(query_id=made.query_id(5)), [10, 11]),
    (Wanted(request_id=made.request_id(5)), [10, 11]),
    (Wanted(request_id=made.request_id(5), direction=Direction.RESPONSE), [11]),
    (Wanted(query_id="no such"), []),
    (Wanted(client=made.BUSY), [2 * each + half for each in BUSY for half in (0, 1)]),
    (Wanted(client=made.BUSY, direction=Direction.REQUEST), [2 * each for each in BUSY]),
    (Wanted(client=made.RARE), [14, 15]),
    (Wanted(client=made.BUSY.member), []),
    (Wanted(service=MEMBERSHIP), [2 * each + half for each in EXCHANGES if each % 3 == 0 for half in (0, 1)]),
    (Wanted(service=replace(MEMBERSHIP, service_version="v1")), []),
    (Wanted(service=ServiceId(made.RARE, "membership")), []),
    (Wanted(user_id="officer-1"), [2 * each + half for each in EXCHANGES if each % 500 == 1 for half in (0, 1)]),
    (Wanted(user_id="officer"), []),
    (Wanted(issue="case-101"), [202, 203]),
    (Wanted(issue="case-101", user_id="officer-2"), []),
    (Wanted(outcome="failed"), [2 * each + 1 for each in EXCHANGES if each % 500 == 3]),
    (Wanted(outcome="500"), [2 * each + 1 for each in EXCHANGES if each % 500 == 3]),
    (Wanted(outcome="404"), []),
    (Wanted(outcome="200", client=made.RARE), [15]),
    (Wanted(outcome="ok", client=made.RARE), [15]),
    (Wanted(outcome="failed", client=made.RARE), []),
    (Wanted(outcome="failed", query_id=made.query_id(503)), [1007]),
    (Wanted(outcome="unanswered"), []),
    (Wanted(side=Side.PRODUCER), []),
    (Wanted(side=Side.CONSUMER, issue="case-101"), [202, 203]),
    (Wanted(since=at(100), until=at(103)), [100, 101, 102]),
    (Wanted(since=at(16), until=at(18), client=made.BUSY), [16, 17]),
    (Wanted(query_id=made.query_id(8), client=made.BUSY, service=made.SERVICE), [16, 17]),
    (Wanted(query_id=made.query_id(7), client=made.BUSY), []),
    (Wanted(query_id=made.query_id(7), client=made.RARE), [14, 15]),
]


@pytest.mark.parametrize(("wanted", "numbers"), CASES)
def test_finds_what_fits_newest_first_on_any_page_size(database: Database, wanted: Wanted, numbers: list[int]) -> None:
    newest_first = [number + 1 for number in reversed(numbers)]
    assert [each.id for each in everything(database, wanted)] == newest_first
    pages, after = [], None
    for _ in range(4):
        page = search.find(database, wanted, after=after, limit=7)
        pages += [each.id for each in page.found]
        after = page.after
        if after is None:
            break
        after = Place.parse(str(after))
    assert pages == newest_first[:28]


def test_a_line_tells_everything_but_bytes(database: Database) -> None:
    response, request = search.find(database, Wanted(issue="case-101")).found
    assert (request.direction, request.outcome, response.outcome) == (Direction.REQUEST, "answered", "200")
    assert (request.client, request.service) == (ClientId("KH-SANDBOX", "GOV", "M21", "S"), made.SERVICE)
    assert (request.side, request.user_id, request.at) == (Side.CONSUMER, "officer-101", at(202))
    assert not request.stamped
    assert not request.archived
    assert search.find(database, Wanted(client=made.RARE)).found[1].client == made.RARE
    assert search.find(database, Wanted(outcome="failed")).found[0].outcome == "500"


def plan(database: Database, wanted: Wanted, after: Place | None = None) -> list[str]:
    """The plan of a search, as the database tells it."""
    with database.reading() as connection:
        compiled: Any = search.query(wanted, after, 50, connection.dialect.name)
        text = str(compiled.compile(connection, compile_kwargs={"literal_binds": True})).replace("%", "%%")
        if not database.is_postgresql:
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()]
        # What the planner thinks of so few records would else say nothing of many.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}").all()]


AFTER = Place(made.FIRST_TIME + made.DAY_MILLISECONDS * 5 // 2, 1000)
# What is wanted, which index serves it, and the columns that it is entered by.
PLANS: list[tuple[Wanted, str, list[str]]] = [
    (Wanted(), "time", []),
    (Wanted(since=at(5), until=at(9)), "time", ["time"]),
    (Wanted(query_id="x"), "query_id", ["query_id"]),
    (Wanted(query_id="x", client=made.BUSY, service=made.SERVICE, outcome="ok"), "query_id", ["query_id"]),
    (Wanted(issue="x", user_id="x", client=made.BUSY, outcome="failed"), "issue", ["issue"]),
    (Wanted(user_id="x", client=made.BUSY), "user", ["user_id"]),
    (Wanted(outcome="failed"), "failed", []),
    (Wanted(outcome="404", client=made.BUSY), "failed", []),
    (Wanted(service=made.SERVICE, client=made.BUSY), "service", ["service_subsystem_code", "service_code"]),
    (Wanted(client=made.BUSY), "client", ["member_code", "subsystem_code"]),
    (Wanted(client=made.RARE), "client", ["member_code", "subsystem_code"]),
    (Wanted(client=made.BUSY, since=at(5), until=at(9)), "client", ["subsystem_code", "time"]),
]


@pytest.mark.parametrize("after", [None, AFTER], ids=["first page", "next page"])
@pytest.mark.parametrize(("wanted", "index", "entered"), PLANS)
def test_one_index_serves_each_search_in_order(
    database: Database, wanted: Wanted, index: str, entered: list[str], after: Place | None
) -> None:
    lines = plan(database, wanted, after)
    columns = entered if after is None else [*entered, "time"]
    if database.is_postgresql:
        _check_postgresql(lines, index, columns)
    else:
        assert f"USING INDEX ix_log_record_{index}" in lines[0]
        assert len(lines) == 1, "rows are sorted after they are found"
        assert all(f"{column}=?" in lines[0] or f"{column}<?" in lines[0] or ",id)<" in lines[0] for column in columns)


def _check_postgresql(lines: list[str], index: str, columns: list[str]) -> None:
    scans = [line for line in lines if " Scan" in line]
    assert scans
    assert all("Index Scan Backward using" in line for line in scans), lines
    assert not any("->  Sort" in line for line in lines), lines
    # The planner may read a day that is empty in any way.
    conditions = [line for line in lines if "Index Cond" in line]
    assert not columns or any(all(column in line for column in columns) for line in conditions), lines
    if index == "failed":
        assert not any(">= '\\x343030'" in line for line in lines), "the partial index says it already"


@pytest.mark.parametrize("wanted", [Wanted(query_id=made.query_id(5)), Wanted(request_id=made.request_id(5))])
def test_a_search_by_id_looks_into_the_days_that_have_it(database: Database, wanted: Wanted) -> None:
    if not database.is_postgresql:
        return
    with database.reading() as connection:
        bounded = search._bounded(connection, wanted)
    assert bounded is not None
    scans = [line for line in plan(database, bounded) if " Scan" in line]
    assert len(scans) == 1
    assert "log_record_20260701" in scans[0]


def test_a_search_that_is_made_again_and_again_still_looks_into_its_days_only(database: Database) -> None:
    if not database.is_postgresql:
        return
    with database.reading() as connection:
        bounded = search._bounded(connection, Wanted(query_id=made.query_id(5)))
        assert bounded is not None
        for _ in range(12):  # after five the driver prepares it; after five more the server would plan for any values
            connection.execute(search.query(bounded, None, 50, "postgresql")).all()
        days = "SELECT count(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid"
        found = connection.execute(sa.text(f"{days} WHERE relname ~ '^log_record_[0-9]+$'")).scalar_one()
        assert found == 1


def test_a_request_id_is_found_by_its_constraint(database: Database) -> None:
    lines = plan(database, Wanted(request_id="x", client=made.BUSY))
    assert "request_id" in " ".join(line for line in lines if "INDEX" in line or "Index Cond" in line)
    assert not any("Seq Scan" in line or line.startswith("SCAN") for line in lines)


@pytest.mark.parametrize("outcome", ["", "good", "600", "4xx", "failed ", "OK"])
def test_an_outcome_that_is_none_is_refused(outcome: str) -> None:
    with pytest.raises(Unsearchable, match="unanswered"):
        Wanted(outcome=outcome)


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "1-2-3", "a-b", "1 -2", "9" * 20 + "-1"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Unsearchable, match="place in the log"):
        Place.parse(text)


def test_a_request_without_answer_is_told_and_found(any_database: str) -> None:
    with closing(filled(any_database, 100, 100)) as database:
        with database.transaction() as connection:
            connection.execute(sa.delete(RECORD).where(RECORD.c.id == 12))
        (found,) = search.find(database, Wanted(outcome="unanswered")).found
        assert (found.id, found.outcome) == (11, "unanswered")


def test_pages_go_on_though_records_come_and_go(any_database: str) -> None:
    with closing(filled(any_database, 90, 100)) as database:
        page = search.find(database, Wanted(), limit=10)
        with database.transaction() as connection:
            made.fill(connection, 90, 100, 100)
            connection.execute(sa.delete(RECORD).where(RECORD.c.id.in_([81, 80])))
        assert [each.id for each in search.find(database, Wanted(), after=page.after, limit=3).found] == [79, 78, 77]


def test_records_of_one_moment_are_told_apart(any_database: str) -> None:
    with closing(filled(any_database, 20, 100)) as database:
        with database.transaction() as connection:
            connection.execute(sa.update(RECORD).values(time=made.FIRST_TIME))
        page = search.find(database, Wanted(), limit=5)
        assert [each.id for each in page.found] == [20, 19, 18, 17, 16]
        assert search.find(database, Wanted(), after=page.after, limit=1).found[0].id == 15


def test_a_page_has_its_limits(database: Database) -> None:
    assert len(search.find(database, Wanted(), limit=0).found) == 1
    assert len(search.find(database, Wanted(), limit=5000).found) == search.MOST


def test_a_database_that_refuses_is_told(any_database: str) -> None:
    with closing(open_node_database(any_database)) as database:
        with database.transaction() as connection:
            connection.execute(sa.text("ALTER TABLE log_record RENAME TO elsewhere"))
        with pytest.raises(DatabaseError, match="cannot be read"):
            search.find(database, Wanted())


def test_searching_writes_nothing(database: Database) -> None:
    with database.reading() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.delete(RECORD))


def test_newer_than_now(database: Database) -> None:
    assert everything(database, Wanted(since=datetime.now(UTC) + timedelta(days=4000))) == []
