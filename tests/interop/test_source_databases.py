"""The same source file on three databases, each a real server: the same records, read only, and in time."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import SourceError, SourceTimeoutError
from adapters.source import (
    And,
    Comparison,
    Operator,
    Placed,
    Query,
    SortKey,
    load_source,
    open_source,
    parse_source,
    read_connection,
)
from adapters.source.sql import BATCH, SqlSource
from adapters.starting import from_sql
from tests.support.adapters import dump, write_yaml
from tests.support.mariadb import PASSWORD, MariaDb
from tests.support.postgres import Server

TABLES = """
CREATE TABLE village (code VARCHAR(8) PRIMARY KEY, name VARCHAR(50));
CREATE TABLE household (id BIGINT PRIMARY KEY, card VARCHAR(20) UNIQUE, income DECIMAL(12,2), visited DATE,
    village_code VARCHAR(8));
CREATE TABLE member (household_id BIGINT, seq INTEGER, name VARCHAR(60), born DATE, PRIMARY KEY (household_id, seq));
INSERT INTO village VALUES ('01020304', 'ភូមិទី១');
INSERT INTO household VALUES (9000000001, 'A1', 40000.00, '2026-01-31', '01020304');
INSERT INTO household VALUES (9000000002, 'a1x', 12.50, NULL, NULL);
INSERT INTO member VALUES (9000000001, 1, 'សុខ ដារ៉ា', '1990-05-20'), (9000000001, 2, 'O''Brien -- DROP', NULL)
"""
SOURCE: dict[str, Any] = {
    "source": "households",
    "version": "1.0.0",
    "synthetic": True,
    "statement_timeout_ms": 3000,
    "record": {
        "table": "household",
        "key": "id",
        "fields": {"id": "id", "card": "card", "income": "income", "visited": {"column": "visited", "null": "missing"}},
        "one": {"village": {"table": "village", "key": "code", "parent": "village_code", "fields": {"name": "name"}}},
        "many": {
            "members": {
                "table": "member",
                "key": "household_id",
                "order": ["seq"],
                "limit": 20,
                "fields": {"name": "name", "born": "born"},
            }
        },
    },
    "queries": {
        "identifiers": ["EQUITY_CARD"],
        "attributes": {
            "EQUITY_CARD": {"column": "card", "type": "string", "selective": True, "sortable": True},
            "id": {"column": "id", "type": "integer", "selective": True, "sortable": True},
            "visited": {"column": "visited", "type": "date"},
            "member_name": {"table": "member", "key": "household_id", "column": "name", "type": "string"},
        },
    },
}
FIRST = {
    "id": 9000000001,
    "card": "A1",
    "income": 40000,
    "visited": "2026-01-31",
    "village": {"name": "ភូមិទី១"},
    "members": [{"name": "សុខ ដារ៉ា", "born": "1990-05-20"}, {"name": "O'Brien -- DROP", "born": None}],
}

Opener = Callable[[dict[str, Any], str], SqlSource]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Give what makes a new database from a script and opens it."""
    sources: list[SqlSource] = []

    def open_it(data: dict[str, Any], script: str) -> SqlSource:
        url, password = _fill(request, tmp_path, script)
        sources.append(SqlSource(parse_source(dump(data), name="source.yaml"), url, password=password))
        return sources[-1]

    yield open_it
    for each in sources:
        each.close()


def _fill(request: pytest.FixtureRequest, folder: Path, script: str) -> tuple[str, str | None]:
    if request.param == "sqlite":
        with closing(sqlite3.connect(folder / "db.sqlite")) as database:
            database.executescript(script)
        return f"sqlite:///{folder / 'db.sqlite'}", None
    if request.param == "postgresql":
        import psycopg  # noqa: PLC0415  # an extra

        server: Server = request.getfixturevalue("postgresql_server")
        url = server.new_database()
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(script.encode())
        return url, None
    maria: MariaDb = request.getfixturevalue("mariadb_server")
    name = maria.new_database()
    maria.execute(name, script)
    return maria.url(name), PASSWORD


def eq(attribute: str, *values: object, operator: Operator = Operator.EQ) -> Comparison:
    return Comparison(attribute, operator, values)


def query(where: Any, *sort: SortKey) -> Query:
    return Query(where, sort, 0, 10, 100)


def test_the_same_records_come_from_every_database(opened: Opener) -> None:
    source = opened(SOURCE, TABLES)
    source.check()
    assert source.unindexed() == ()
    assert source.unmentioned() == ()
    assert source.find(query(eq("EQUITY_CARD", "A1"))).records == (FIRST,)
    second = {"id": 9000000002, "card": "a1x", "income": 12.5, "members": []}
    both = eq("id", 9000000001, 9000000002, operator=Operator.IN)
    assert source.find(query(both, SortKey("id", descending=True))).records == (second, FIRST)
    narrowed = And((both, eq("visited", "2026-01-01T00:00:00+07:00", operator=Operator.GE)))
    assert source.find(query(narrowed)).records == (FIRST,)
    assert source.find(query(And((both, eq("member_name", "សុខ ដារ៉ា"))))).records == (FIRST,)


def test_who_asks_for_one_card_does_not_get_another(opened: Opener) -> None:
    source = opened(SOURCE, TABLES)
    for card in ("a1", "A1 ", "Á1", "A1\u200b", "x' OR '1'='1"):
        assert source.find(query(eq("EQUITY_CARD", card))).total == 0
        assert source.find(query(eq("EQUITY_CARD", card, "none", operator=Operator.IN))).total == 0


def test_nothing_can_be_written(opened: Opener) -> None:
    source = opened(SOURCE, TABLES)
    with pytest.raises(SourceError), source._reading() as connection:
        connection.exec_driver_sql("DELETE FROM member")
    assert source.find(query(eq("EQUITY_CARD", "A1"))).records == (FIRST,)


def test_a_slow_statement_is_stopped_in_time(opened: Opener) -> None:
    numbers = ", ".join(f"({each})" for each in range(300))
    script = f"CREATE TABLE n (id INTEGER); INSERT INTO n VALUES {numbers}"  # noqa: S608  # our own
    slow = "CREATE VIEW slow AS SELECT a.id AS id FROM n a, n b, n c, n d WHERE a.id + b.id + c.id + d.id < 0"
    data = SOURCE | {
        "statement_timeout_ms": 200,
        "record": {"table": "slow", "key": "id", "fields": {"id": "id"}},
        "queries": {"attributes": {"id": {"column": "id", "type": "integer", "selective": True}}},
    }
    source = opened(data, f"{script}; {slow}")
    before = time.monotonic()
    with pytest.raises(SourceTimeoutError, match="200 ms"):
        source.find(query(eq("id", 0)))
    assert time.monotonic() - before < 3


def test_selective_attributes_without_an_index_are_found(opened: Opener) -> None:
    attributes = SOURCE["queries"]["attributes"]
    changed = attributes | {"visited": attributes["visited"] | {"selective": True}}
    source = opened(SOURCE | {"queries": {"attributes": changed}}, TABLES)
    assert source.unindexed() == ("visited",)


def test_what_a_view_stands_on_is_not_judged(opened: Opener) -> None:
    data = SOURCE | {
        "record": {"table": "seen", "key": "id", "fields": {"id": "id"}},
        "queries": {"attributes": {"id": {"column": "id", "type": "integer", "selective": True}}},
    }
    source = opened(data, "CREATE TABLE seen_base (id INTEGER); CREATE VIEW seen AS SELECT id FROM seen_base")
    assert (source.unindexed(), source.behind_views()) == ((), ("id",))


def test_a_whole_registry_comes_in_batches(opened: Opener) -> None:
    count = BATCH * 2 + 1
    rows = ", ".join(f"({each}, 'c{each}', 1, NULL, NULL)" for each in range(count))
    source = opened(SOURCE, f"{TABLES.rsplit('INSERT INTO village', 1)[0]} INSERT INTO household VALUES {rows}")  # noqa: S608  # our own
    found: list[Placed] = [placed for batch in source.batches() for placed in batch]
    assert [each.record["id"] for each in found] == list(range(count))
    assert found[7].place == "id 7"


def test_what_a_database_cannot_compare_is_found_by_check(postgresql_server: Server) -> None:
    import psycopg  # noqa: PLC0415  # an extra

    url = postgresql_server.new_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(TABLES.encode())
    wrong = SOURCE | {"queries": {"attributes": {"id": {"column": "id", "type": "string", "selective": True}}}}
    source = SqlSource(parse_source(dump(wrong), name="source.yaml"), url)
    with pytest.raises(SourceError, match="the attribute id"):
        source.check()
    source.close()


async def test_a_password_comes_from_its_file(mariadb_server: MariaDb, tmp_path: Path) -> None:
    name = mariadb_server.new_database()
    mariadb_server.execute(name, TABLES)
    definition = load_source(write_yaml(tmp_path / "source.yaml", SOURCE))
    said = {"kind": "sql", "url": mariadb_server.url(name), "password_file": "secret"}
    for password, works in ((PASSWORD, True), ("wrong", False)):
        (tmp_path / "secret").write_text(f"{password}\n")
        source = open_source(definition, read_connection(said, file="adapter.yaml", folder=tmp_path))
        try:
            if works:
                assert (await source.search(query(eq("EQUITY_CARD", "A1")))).records == (FIRST,)
                assert [placed.record["id"] async for placed in source.stream()] == [9000000001, 9000000002]
            else:
                with pytest.raises(SourceError) as caught:
                    await source.check()
                assert password not in str(caught.value)
        finally:
            await source.close()


def test_a_database_that_is_away_is_an_error(mariadb_server: MariaDb) -> None:
    url = f"mariadb://spean@127.0.0.1:1/{mariadb_server.new_database()}"
    source = SqlSource(parse_source(dump(SOURCE), name="source.yaml"), url)
    with pytest.raises(SourceError):
        source.check()


def test_an_adapter_starts_from_the_schema_of_a_server(
    postgresql_server: Server, mariadb_server: MariaDb, tmp_path: Path
) -> None:
    import psycopg  # noqa: PLC0415  # an extra

    related = TABLES.replace("PRIMARY KEY (household_id, seq)", "PRIMARY KEY (household_id, seq), FOREIGN KEY"
                             " (household_id) REFERENCES household (id)")  # fmt: skip
    url, name = postgresql_server.new_database(), mariadb_server.new_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(related.encode())
    mariadb_server.execute(name, related)
    file = tmp_path / "url.txt"
    for said, password in ((url, None), (mariadb_server.url(name).replace("@", f":{PASSWORD}@"), PASSWORD)):
        file.write_text(f"{said}\n")
        found = from_sql(file, None)
        assert found.password == password
        assert PASSWORD not in found.connection["url"]
        record = found.source["record"]
        assert (record["table"], record["key"]) == ("household", "id")
        assert record["many"]["member_list"]["fields"] == {"seq": "seq", "name": "name", "born": "born"}
        assert found.source["queries"]["attributes"]["card"] == {"column": "card", "type": "string", "selective": True}
        assert found.samples["visited"] == ["2026-01-31", None]
