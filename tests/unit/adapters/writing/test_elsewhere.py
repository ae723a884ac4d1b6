"""A register in MariaDB is written as one beside the events is, and a kill between the two commits changes nothing.

The events are in SQLite, and where the two databases could part, in PostgreSQL too.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from adapters.errors import ConfigError, EventsError
from adapters.events import Event, EventsStore, Result, open_events
from adapters.source.engines import open_writing_engine, read_url
from adapters.writing import Writer, open_writers
from adapters.writing.conflicts import decide_conflict, kept_conflicts
from adapters.writing.definition import Wins
from adapters.writing.trying import try_record
from tests.support import writing
from tests.support.mariadb import PASSWORD, MariaDb
from tests.support.writing import KEY, NOW, SENDER, Registry, event, family, made_writer, person
from tests.unit.adapters.writing import test_writer as beside

ONE = event("a", family("A", size=1))
TWO = event("b", family("A", "12010102", size=2), 1)
CHECKED = "ALTER TABLE family ADD CONSTRAINT size_is_small CHECK (size < 100)"


ON_BOTH = pytest.mark.parametrize("events", ["sqlite", "postgresql"], indirect=True)


class Apart(Registry):
    """The registry in MariaDB; the events in a database of the adapter's."""

    def __init__(self, folder: Path, store: EventsStore, engine: Engine) -> None:
        super().__init__(folder, store)
        self.engine = engine
        self._running: Writer | None = None

    def receive(self, *events: Event, writer: Writer | None = None, at: datetime = NOW) -> list[Result]:
        """Let events in, as an adapter that is running: to make a writer costs more than most tests."""
        self._running = self._running or self.writer()
        return super().receive(*events, writer=writer or self._running, at=at)

    def writer(self, **changes: Any) -> Writer:
        definition = made_writer(self.folder, **changes).definition
        writer = open_writers({"family": definition}, self.store, self.engine)["family"]
        writer.after = lambda _connection, key: self.told.append(key)
        return writer

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def noted(self, table: str) -> int:
        """Count the rows of a table of events."""
        counted = text(f"SELECT count(*) FROM {table}")  # noqa: S608  # a name of ours
        return int(self.store.read_now(lambda connection: connection.execute(counted).scalar_one()))


def engine_of(server: MariaDb, database: str) -> Engine:
    return open_writing_engine("a", read_url("a", server.url(database)), password=PASSWORD, timeout_ms=5000)


@contextmanager
def opened(server: MariaDb, folder: Path, events: str = "") -> Iterator[Apart]:
    """Make the tables in a new database."""
    store = open_events(events or f"sqlite:///{folder / 'events.sqlite'}", KEY, config="adapter.yaml")
    found = Apart(folder, store, engine_of(server, server.new_database()))
    for each in (writing.FAMILY, writing.LINE):
        found.run(each)
    yield found
    found.engine.dispose()
    store.database.close()


@pytest.fixture
def events(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of the database of events: SQLite, unless a test asks for another."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'events.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url.replace("+psycopg", "")


@pytest.fixture
def apart(mariadb_server: MariaDb, tmp_path: Path, events: str) -> Iterator[Apart]:
    with opened(mariadb_server, tmp_path, events) as found:
        yield found


@pytest.fixture
def dying(apart: Apart) -> Callable[..., None]:
    """Give what lets events in and fails before the tables of events are committed."""

    def let_in(*events: Event) -> None:
        writer = apart.writer()

        def fail(connection: Any) -> None:
            writer.receive(connection, SENDER, events, NOW)
            raise EventsError("the process died")

        with pytest.raises(EventsError):
            apart.store.write_now(fail)

    return let_in


@pytest.mark.parametrize(
    "story",
    [
        beside.test_a_new_family_gets_its_numbers_and_its_members,
        beside.test_one_that_comes_again_is_applied_once_and_answered_alike,
        beside.test_where_sent_wins_both_values_are_reported_and_what_was_here_is_kept_in_the_conflict,
        beside.test_members_come_change_and_go,
        beside.test_what_is_gone_is_removed_and_an_older_event_does_not_bring_it_back,
        beside.test_one_that_was_rejected_is_tried_again_when_it_comes_again,
        beside.test_a_record_is_found_by_a_number_of_a_member,
    ],
    ids=lambda story: story.__name__,
)
def test_it_is_written_as_beside_the_events(story: Callable[[Registry], None], apart: Apart) -> None:
    story(apart)


@ON_BOTH
def test_what_was_written_before_a_kill_is_followed_and_not_written_again(
    apart: Apart, dying: Callable[..., None]
) -> None:
    dying(ONE)
    assert (apart.rows("SELECT size, version FROM family"), apart.told) == ([(1, 1)], ["F000001"])
    [result] = apart.receive(ONE)
    assert result.status is beside.SUCCEEDED
    assert apart.rows("SELECT size, version FROM family") == [(1, 1)]
    assert apart.told == ["F000001"] * 2  # the first was never committed: whoever publishes hears of it again


@ON_BOTH
def test_another_event_that_comes_first_meets_what_the_killed_process_wrote(
    apart: Apart, dying: Callable[..., None]
) -> None:
    dying(ONE)
    [result] = apart.receive(TWO)
    assert (result.status, result.conflicts) == (beside.SUCCEEDED, ())  # the sender's own value is no local change
    assert apart.rows("SELECT village, size, version FROM family") == [("12010102", 2, 2)]
    assert apart.receive(ONE)[0].status is beside.SUCCEEDED
    assert apart.rows("SELECT village, size, version FROM family") == [("12010102", 2, 2)]


@ON_BOTH
def test_two_messages_in_one_transaction_that_is_lost_are_both_followed(apart: Apart) -> None:
    writer = apart.writer()

    def fail(connection: Any) -> None:
        for each in (ONE, TWO):
            writer.receive(connection, SENDER, [each], NOW)
        raise EventsError("the process died")

    with pytest.raises(EventsError):
        apart.store.write_now(fail)
    assert len(apart.rows("SELECT name FROM spean_applied")) == 2
    assert [each.status for each in apart.receive(ONE, TWO)] == [beside.SUCCEEDED] * 2
    assert apart.rows("SELECT size, version FROM family") == [(2, 2)]
    apart.receive(event("c", family("A", size=3), 2))
    assert len(apart.rows("SELECT name FROM spean_applied")) == 1


def test_an_adapter_follows_at_its_start(apart: Apart, dying: Callable[..., None]) -> None:
    apart.receive(event("z", family("Z")))
    dying(ONE, event("x", family("X", village=None)))
    apart.told.clear()
    writer = apart.writer()
    apart.store.write_now(lambda connection: writer.follow(connection, NOW))
    apart.store.write_now(lambda connection: writer.follow(connection, NOW))
    assert apart.told == ["F000002"]
    assert apart.receive(ONE, event("y", family("Y")))[0].status is beside.SUCCEEDED
    assert apart.rows("SELECT spr_no, version FROM family ORDER BY spr_no") == [("A", 1), ("Y", 1), ("Z", 1)]


def test_the_small_table_stays_small_and_sealed(apart: Apart) -> None:
    for number in range(5):
        apart.receive(event(f"e{number}", family("SPR-A", size=number + 1), number))
    rows = apart.rows("SELECT sealed FROM spean_applied")
    assert len(rows) == 1
    assert b"SPR-A" not in rows[0][0]


def test_two_adapters_do_not_follow_each_other(apart: Apart) -> None:
    apart.receive(ONE)
    other = open_writers({"other": apart.writer().definition}, apart.store, apart.engine)["other"]
    apart.store.write_now(lambda connection: other.follow(connection, NOW))
    apart.store.write_now(lambda connection: other.follow(connection, NOW))
    assert len(apart.rows("SELECT name FROM spean_applied")) == 1


@pytest.mark.parametrize(
    ("change", "record", "rule"),
    [
        (CHECKED, family("A", size=100), "size_is_small"),
        ("ALTER TABLE family MODIFY size TINYINT", family("A", size=300), "size"),
        ("ALTER TABLE family MODIFY book VARCHAR(3)", family("A", book="2026-77"), "book"),
        ("ALTER TABLE family ADD owner VARCHAR(9) NOT NULL", family("A"), "owner"),
        ("ALTER TABLE family ADD UNIQUE own_book (book)", family("A", book="77"), "own_book"),
    ],
    ids=["check", "range", "length", "missing", "unique"],
)
def test_what_a_rule_of_the_table_refuses_is_rejected_alone(
    change: str, record: dict[str, Any], rule: str, apart: Apart
) -> None:
    apart.run("INSERT INTO family (family_no, village, state, book) VALUES ('X1', '12010101', 'LIVE', '77')")
    apart.run(change)
    bad, good = apart.receive(event("bad", record), event("good", family("B")))
    said = bad.message.removeprefix("constraint: the database refuses the row (")
    assert (bad.status, good.status) == (beside.REJECTED, beside.SUCCEEDED if rule != "owner" else beside.REJECTED)
    assert rule in said
    assert "77" not in said


@ON_BOTH
def test_a_conflict_is_decided_where_the_rows_are(apart: Apart) -> None:
    apart.receive(ONE)
    apart.run("UPDATE family SET village = '12010109'")
    apart.receive(TWO)
    writer = apart.writer()
    [open_] = apart.store.read_now(lambda one: kept_conflicts(one, KEY, everything=False, values=False))
    apart.told.clear()
    apart.store.write_now(lambda one: decide_conflict(one, writer, open_.number, Wins.SENT, NOW))
    assert (apart.rows("SELECT village FROM family"), apart.told) == ([("12010102",)], ["F000001"])


def test_records_that_are_gone_at_the_sender_are_ended_there(apart: Apart) -> None:
    apart.receive(ONE)
    writer = apart.writer()
    at = NOW + timedelta(hours=1)
    [result] = apart.store.write_now(lambda one: writer.end(one, SENDER, ["F000001"], "REMOVE", at))
    assert (result.status, apart.rows("SELECT * FROM family")) == (beside.SUCCEEDED, [])


def test_one_connection_stays_and_another_takes_its_place_when_the_server_closes_it(
    apart: Apart, mariadb_server: MariaDb
) -> None:
    mine = f"SELECT id FROM information_schema.processlist WHERE db = '{apart.engine.url.database}'"  # noqa: S608
    seen = []
    for number in range(3):
        assert apart.receive(event(f"e{number}", family("A", size=number + 1), number))[0].status is beside.SUCCEEDED
        seen.append(apart.rows(mine))
    assert seen[0] == seen[1] == seen[2]
    [(connection,)] = seen[0]
    mariadb_server.execute(None, f"KILL {connection}")
    assert apart.receive(event("last", family("A", size=9), 9))[0].status is beside.SUCCEEDED
    assert apart.rows("SELECT size FROM family") == [(9,)]
    assert apart.rows(mine) != seen[0]


def test_a_trial_changes_nothing_there(apart: Apart) -> None:
    tried = try_record(
        apart.store, apart.writer(), family("A", size=3, people=[person("S1")]), SENDER, NOW, kind="UPDATE"
    )
    assert ("size", 3) in {(each.field, each.after) for each in tried.lines}
    assert apart.rows("SELECT * FROM family") == apart.rows("SELECT name FROM spean_applied") == []


@ON_BOTH
def test_what_is_refused_is_undone_in_both_databases_and_the_rest_stays(apart: Apart) -> None:
    apart.run(CHECKED)
    bad = event("bad", family("B", size=100))
    for _ in range(2):
        results = apart.receive(ONE, bad, event("c", family("C", size=3)))
        assert [each.status for each in results] == [beside.SUCCEEDED, beside.REJECTED, beside.SUCCEEDED]
    assert apart.rows("SELECT spr_no, size, version FROM family ORDER BY spr_no") == [("A", 1, 1), ("C", 3, 1)]
    counts = [apart.noted(each) for each in ("spean_inbox", "spean_synced")]
    assert counts == [3, 2]


def test_two_processes_with_one_database_of_events_wait_for_each_other(
    apart: Apart, postgresql_url: str, mariadb_server: MariaDb
) -> None:
    """On PostgreSQL two may write at once: none may follow the note of one that is alive and has not committed yet."""
    stores = [open_events(postgresql_url.replace("+psycopg", ""), KEY, config="adapter.yaml") for _ in range(2)]
    engines = [engine_of(mariadb_server, str(apart.engine.url.database)) for _ in range(2)]
    one, two = [
        open_writers({"family": made_writer(apart.folder).definition}, *each)["family"]
        for each in zip(stores, engines, strict=True)
    ]
    order: list[str] = []
    wrote, waiting = threading.Event(), threading.Event()

    def first(connection: Connection) -> None:
        one.receive(connection, SENDER, [ONE], NOW)
        wrote.set()
        waiting.wait(20)
        time.sleep(0.3)
        order.append("first")

    def second(connection: Connection) -> list[Result]:
        wrote.wait(20)
        waiting.set()
        results = two.receive(connection, SENDER, [ONE], NOW)
        order.append("second")
        return results

    with ThreadPoolExecutor(2) as threads:
        begun = threads.submit(stores[0].write_now, first)
        [result] = threads.submit(stores[1].write_now, second).result(60)
        begun.result(60)
    assert (result.status, order) == (beside.SUCCEEDED, ["first", "second"])
    assert apart.rows("SELECT size, version FROM family") == [(1, 1)]
    for each in stores:
        each.database.close()


def test_tables_without_transactions_are_refused(apart: Apart) -> None:
    apart.run("ALTER TABLE line ENGINE=MyISAM")
    with pytest.raises(ConfigError, match=r"line has no transactions .*MyISAM.*: ALTER TABLE line ENGINE=InnoDB"):
        apart.writer()


def test_whoever_may_not_make_the_table_learns_what_its_administrator_has_to_run(
    apart: Apart, mariadb_server: MariaDb
) -> None:
    name, user = str(apart.engine.url.database), f"u{os.urandom(4).hex()}"
    mariadb_server.execute(
        None, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {user}@'127.0.0.1'",
    )  # fmt: skip
    apart.engine = open_writing_engine("a", apart.engine.url.set(username=user), password=PASSWORD, timeout_ms=5000)
    with pytest.raises(ConfigError, match="administrator run: CREATE TABLE spean_applied") as refused:
        apart.writer()
    mariadb_server.execute(name, str(refused.value).rpartition("run: ")[2])
    assert apart.receive(ONE)[0].status is beside.SUCCEEDED
    assert apart.rows("SELECT count(*) FROM spean_applied") == [(1,)]


_CHILD = """
import os, signal, sys
from pathlib import Path
from adapters.events import open_events
from adapters.source.engines import open_writing_engine, read_url
from adapters.writing import open_writers
from tests.support.mariadb import PASSWORD
from tests.support.writing import KEY, NOW, SENDER, event, family, made_writer
folder, url = Path(sys.argv[1]), sys.argv[2]
store = open_events(sys.argv[3], KEY, config="adapter.yaml")
engine = open_writing_engine("a", read_url("a", url), password=PASSWORD, timeout_ms=5000)
writer = open_writers({"family": made_writer(folder).definition}, store, engine)["family"]
writer.after = lambda connection, key: os.kill(os.getpid(), signal.SIGKILL)
store.write_now(lambda one: writer.receive(one, SENDER, [event("a", family("A", size=1))], NOW))
"""


@ON_BOTH
def test_a_process_that_is_killed_between_the_commits_loses_and_doubles_nothing(
    apart: Apart, mariadb_server: MariaDb, events: str
) -> None:
    url = mariadb_server.url(str(apart.engine.url.database))
    ended = subprocess.run([sys.executable, "-c", _CHILD, str(apart.folder), url, events], check=False, timeout=100)
    assert ended.returncode == -signal.SIGKILL
    assert apart.rows("SELECT size, version FROM family") == [(1, 1)]
    assert apart.store.read_now(lambda one: one.exec_driver_sql("SELECT count(*) FROM spean_inbox").scalar()) == 0
    assert [each.status for each in apart.receive(ONE, TWO)] == [beside.SUCCEEDED] * 2
    assert apart.rows("SELECT size, version FROM family") == [(2, 2)]
    assert apart.told == ["F000001"]
