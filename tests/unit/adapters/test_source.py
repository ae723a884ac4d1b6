import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError, SearchRejected, SourceError, SourceTimeoutError
from adapters.source import And, Comparison, Filter, Not, Operator, Or, Query, SortKey, SqlSource, parse_source
from adapters.source.render import count_statement, page_statement
from tests.support.adapters import dump
from tests.support.registry import SOURCE, make_database

INJECTION = "x' OR '1'='1"


def changed(path: str, value: object, *, base: dict[str, Any] = SOURCE) -> dict[str, Any]:
    head, _dot, rest = path.partition("/")
    return base | {head: changed(rest, value, base=base[head]) if rest else value}


def source(folder: Path, data: dict[str, Any] = SOURCE, extra: str = "") -> SqlSource:
    path = make_database(folder, extra)
    return SqlSource(parse_source(dump(data), name="source.yaml"), f"sqlite:///{path}")


def query(where: Filter, **more: Any) -> Query:
    return Query(
        where, more.get("sort", ()), more.get("offset", 0), more.get("limit", 10), more.get("max_matches", 100)
    )


def eq(attribute: str, *values: object, operator: Operator = Operator.EQ) -> Comparison:
    return Comparison(attribute, operator, values)


def ids(found: SqlSource, where: Filter, **more: Any) -> list[str]:
    return [each["id"] for each in found.find(query(where, **more)).records]


def test_records_are_put_together_from_their_tables(tmp_path: Path) -> None:
    found = source(tmp_path).find(query(eq("LOCAL_ID", "p1")))
    assert found.total == 1
    assert found.records[0] == {
        "id": "p1",
        "name": "Dara",
        "sex": "M",
        "dob": "1980-05-20",
        "home": {"code": "01020101"},
        "cards": [{"number": "c1"}, {"number": "c2"}],
    }


def test_null_column_is_null_or_missing_as_declared(tmp_path: Path) -> None:
    both = changed(
        "record/fields",
        {"id": "id", "name": {"column": "dob", "null": "null"}, "dob": {"column": "dob", "null": "missing"}},
    )
    record = source(tmp_path, both).find(query(eq("LOCAL_ID", "p2"))).records[0]
    assert record == {"id": "p2", "name": None, "cards": []}


def test_a_part_that_the_database_lacks_is_missing(tmp_path: Path) -> None:
    assert "home" not in source(tmp_path).find(query(eq("LOCAL_ID", "p4"))).records[0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (eq("SPID", "c3"), ["p3"]),
        (eq("SPID", "c1", "c3", operator=Operator.IN), ["p1", "p3"]),
        (And((eq("LOCAL_ID", "p1", "p2", operator=Operator.IN), eq("sex", "female"))), ["p2"]),
        (Or((eq("LOCAL_ID", "p1"), eq("SPID", "c3"))), ["p1", "p3"]),
        (And((eq("birth_date", "1985-01-01", operator=Operator.GE), Not(eq("sex", "male")))), ["p3"]),
        (And((eq("birth_date", "1990-01-01T00:00:00+07:00"), eq("age", 36))), ["p3", "p4"]),
        (And((eq("LOCAL_ID", "p1", "p2", operator=Operator.IN), eq("age", 45, operator=Operator.LT))), ["p2"]),
        (eq("LOCAL_ID", INJECTION), []),
        (eq("SPID", INJECTION), []),
        (eq("LOCAL_ID", "%"), []),
    ],
)
def test_filters_find_what_they_say(tmp_path: Path, where: Filter, expected: list[str]) -> None:
    assert ids(source(tmp_path), where) == expected


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (eq("age", 36), "rjct.search.too_many_records_found"),
        (Or((eq("LOCAL_ID", "p1"), eq("age", 36))), "rjct.search.too_many_records_found"),
        (Not(eq("LOCAL_ID", "p1")), "rjct.search.too_many_records_found"),
        (eq("password", "x"), "rjct.search_criteria.invalid"),
        (eq("id; DROP TABLE person", "x"), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", "a", operator=Operator.LT), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", 5), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", *[True]), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", ""), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", "x" * 256), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", "a\0b"), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", "a\ud800"), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", {"$gt": ""}), "rjct.search_criteria.invalid"),
        (eq("LOCAL_ID", None), "rjct.search_criteria.invalid"),
        (And((eq("LOCAL_ID", "p1"), eq("age", "36"))), "rjct.search_criteria.invalid"),
        (And((eq("LOCAL_ID", "p1"), eq("age", *[True]))), "rjct.search_criteria.invalid"),
        (And((eq("LOCAL_ID", "p1"), eq("age", 2**63))), "rjct.search_criteria.invalid"),
        (eq("birth_date", "yesterday"), "rjct.search_criteria.invalid"),
        (eq("birth_date", "1990-02-30"), "rjct.search_criteria.invalid"),
        (And((eq("LOCAL_ID", "p1"), eq("sex", "M"))), "rjct.search_criteria.invalid"),
    ],
)
def test_what_the_source_does_not_declare_is_rejected(tmp_path: Path, where: Filter, reason: str) -> None:
    with pytest.raises(SearchRejected) as caught:
        source(tmp_path).find(query(where))
    assert caught.value.reason == reason


BORN_90 = eq("birth_date", "1970-01-01", operator=Operator.GE)


def test_sort_and_pages(tmp_path: Path) -> None:
    found = source(tmp_path)
    assert ids(found, BORN_90, sort=(SortKey("age", descending=True),)) == ["p1", "p3", "p4"]
    assert ids(found, BORN_90, sort=(SortKey("age", descending=False), SortKey("LOCAL_ID", descending=True))) == [
        "p4",
        "p3",
        "p1",
    ]
    assert ids(found, BORN_90, limit=2) == ["p1", "p3"]
    assert ids(found, BORN_90, limit=2, offset=2) == ["p4"]
    assert found.find(query(BORN_90, limit=2, offset=2)).total == 3
    assert ids(found, BORN_90, offset=50) == []


@pytest.mark.parametrize("attribute", ["sex", "SPID", "nothing"])
def test_only_declared_attributes_sort(tmp_path: Path, attribute: str) -> None:
    with pytest.raises(SearchRejected) as caught:
        source(tmp_path).find(query(BORN_90, sort=(SortKey(attribute, descending=False),)))
    assert caught.value.reason == "rjct.sort.invalid"


def test_more_matches_than_allowed_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(SearchRejected, match="more than 2"):
        source(tmp_path).find(query(BORN_90, max_matches=2))
    assert source_total(tmp_path / "again", max_matches=3) == 3


def source_total(folder: Path, **more: Any) -> int:
    folder.mkdir()
    return source(folder).find(query(BORN_90, **more)).total


def test_values_are_parameters_never_text(tmp_path: Path) -> None:
    definition = source(tmp_path).definition
    for statement in (page_statement, count_statement):
        text = str(statement(definition, query(And((eq("LOCAL_ID", INJECTION), eq("SPID", INJECTION))))))
        assert INJECTION not in text
        assert "'" not in text


def test_the_database_is_opened_read_only(tmp_path: Path) -> None:
    found = source(tmp_path)
    with found._reading() as connection, pytest.raises(Exception, match=r"readonly|read-only|query_only"):
        connection.exec_driver_sql("DELETE FROM person")


def test_a_slow_statement_is_stopped(tmp_path: Path) -> None:
    endless = (
        "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n;"
    )
    data = changed("record/table", "slow", base=changed("statement_timeout_ms", 50))
    data = changed(
        "record/fields", {"id": "id"}, base=changed("record/one", {}, base=changed("record/many", {}, base=data))
    )
    with pytest.raises(SourceTimeoutError):
        source(tmp_path, data, endless).find(query(Comparison("LOCAL_ID", Operator.EQ, ("x",))))


def test_a_locked_database_is_not_waited_for_longer_than_a_statement(tmp_path: Path) -> None:
    found, began = source(tmp_path, changed("statement_timeout_ms", 50)), time.monotonic()
    with closing(sqlite3.connect(tmp_path / "people.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceTimeoutError):
            found.find(query(Comparison("LOCAL_ID", Operator.EQ, ("x",))))
    assert time.monotonic() - began < 3  # the library's own limit is five seconds


def test_a_database_file_that_is_away_is_named(tmp_path: Path) -> None:
    found = source(tmp_path)
    (tmp_path / "people.sqlite").unlink()
    with pytest.raises(SourceError, match=r"people\.sqlite is not there"):
        found.find(query(Comparison("LOCAL_ID", Operator.EQ, ("x",))))


def test_too_many_rows_of_a_record_are_an_error_not_a_cut(tmp_path: Path) -> None:
    extra = "INSERT INTO card VALUES ('c4', 'p1'), ('c5', 'p1');"
    with pytest.raises(SourceError, match="more than 3 rows in card"):
        source(tmp_path, extra=extra).find(query(eq("LOCAL_ID", "p1")))


@pytest.mark.parametrize(
    "data",
    [
        changed("record/table", "nobody"),
        changed("record/key", "nothing"),
        changed("record/fields", {"id": "id", "name": "nothing"}),
        changed("record/many/cards/table", "nothing"),
        changed("record/one/home/key", "nothing"),
        changed("record/one/home/parent", "nothing"),
        changed(
            "queries/attributes",
            {"LOCAL_ID": {"column": "nothing", "type": "string"}, "SPID": {"column": "id", "type": "string"}},
        ),
    ],
)
def test_check_finds_tables_and_columns_that_are_not_there(tmp_path: Path, data: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        source(tmp_path, data).check()


def test_check_accepts_what_is_there(tmp_path: Path) -> None:
    source(tmp_path).check()


def test_a_missing_database_is_an_error_without_its_content(tmp_path: Path) -> None:
    definition = parse_source(dump(SOURCE), name="source.yaml")
    found = SqlSource(definition, f"sqlite:///{tmp_path}/nothing.sqlite")
    with pytest.raises(SourceError):
        found.check()
    assert not (tmp_path / "nothing.sqlite").exists()


def test_a_corrupt_database_is_an_error(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(SourceError):
        SqlSource(parse_source(dump(SOURCE), name="source.yaml"), f"sqlite:///{path}").find(query(eq("LOCAL_ID", "p1")))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "postgresql://u:SECRET@h/d", "sqlite://", "mysql://u:SECRET@h/d", "sqlite+x:///a"]
)
def test_urls_that_cannot_be_opened_read_only_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SqlSource(parse_source(dump(SOURCE), name="source.yaml"), url)
    assert "SECRET" not in str(caught.value)


ATTRIBUTES = SOURCE["queries"]["attributes"]


@pytest.mark.parametrize(
    "data",
    [
        changed("queries/identifiers", ["UNKNOWN"]),
        changed("queries/attributes", ATTRIBUTES | {"x": {"column": "a", "type": "string", "table": "t"}}),
        changed(
            "queries/attributes",
            ATTRIBUTES | {"x": {"column": "a", "type": "string", "table": "t", "key": "k", "sortable": True}},
        ),
        changed("queries/attributes", ATTRIBUTES | {"x": {"column": "a", "type": "integer", "codes": {"a": "b"}}}),
        changed("queries/attributes", ATTRIBUTES | {"x": {"column": "a; --", "type": "integer"}}),
        changed("record/table", "person; DROP TABLE person"),
        changed("record/fields", {"a": "x", "a.b": "y"}),
        changed("record/fields", {}),
        changed("statement_timeout_ms", 0),
        changed("synthetic", "yes"),
        {"source": "x"},
    ],
)
def test_source_files_that_contradict_themselves_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse_source(dump(data), name="source.yaml")


def test_one_page_is_of_one_moment(tmp_path: Path) -> None:
    found = source(tmp_path)
    with found._reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM person").scalar_one() == 4
        with (
            closing(sqlite3.connect(tmp_path / "people.sqlite", timeout=0)) as writer,
            pytest.raises(sqlite3.OperationalError),
        ):
            writer.executescript("DELETE FROM person; COMMIT;")
        assert connection.exec_driver_sql("SELECT count(*) FROM person").scalar_one() == 4
