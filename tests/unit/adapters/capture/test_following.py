"""Each way to notice changes finds them all, tells them once, goes on after a kill, and does not believe everything."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from adapters.capture.following import Following
from adapters.errors import CaptureStopped
from adapters.events.tables import KNOWN
from tests.support.publishing import AT, Little, little


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=7)
        return self.at


def following(registry: Little, clock: Clock | None = None) -> Following:
    return Following(registry.publisher, registry.store, registry.source, now=clock or Clock())


def look(registry: Little, clock: Clock | None = None, **how: bool) -> int:
    """Look once; returns how many messages will leave."""
    return asyncio.run(following(registry, clock).once(**how)).told


@contextmanager
def captured(folder: Path, url: str, capture: dict[str, Any], *, at_source: bool = True) -> Iterator[Little]:
    with little(folder, url, {"capture": capture}, at_source=at_source) as found:
        for each in ("REGISTER", "UPDATE", "REMOVE"):
            found.subscribe(each)
        yield found


@pytest.fixture(params=["beside", "elsewhere"])
def place(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "beside")


VERSION = {"kind": "version-column", "column": "changed", "overlap": 10}


def test_the_first_look_tells_nobody(tmp_path: Path, any_database: str, *, place: bool) -> None:
    with captured(tmp_path, any_database, {"kind": "snapshot"}, at_source=place) as registry:
        registry.person(1)
        assert look(registry) == 0
        assert registry.sent() == []
        registry.person(2)
        assert look(registry, whole=True) == 1


def test_a_version_column_finds_what_changed_and_what_came_late(
    tmp_path: Path, any_database: str, *, place: bool
) -> None:
    clock = Clock()
    with captured(tmp_path, any_database, VERSION, at_source=place) as registry:
        registry.person(1, changed=100)
        assert look(registry, clock) == 0
        registry.person(2, changed=105)
        registry.person(3, changed=95)  # of a transaction that was longer
        registry.person(4, changed=50)  # before any overlap: a whole comparison finds it
        assert look(registry, clock) == 2
        assert look(registry, clock) == 0
        clock.at += timedelta(hours=1)
        registry.run("UPDATE person SET sex = 'F', changed = 106 WHERE num = 1")
        assert look(registry, clock) == 1
        assert look(registry, clock, whole=True) == 1


def test_a_version_column_reads_more_rows_of_one_time_than_a_page(tmp_path: Path) -> None:
    with captured(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", VERSION) as registry:
        assert look(registry) == 0
        registry.people(*range(1200), changed=7)
        assert look(registry) == 1200
        assert look(registry) == 0


@pytest.mark.parametrize(
    ("type_", "first", "second", "late"),
    [
        ("TEXT", "2026-11-28 03:00:00", "2026-11-28 03:00:09.5", "2026-11-28 03:00:05"),
        ("TIMESTAMP", "2026-11-28 03:00:00", "2026-11-28 03:00:09.5", "2026-11-28 03:00:05"),
    ],
)
def test_times_are_versions(tmp_path: Path, any_database: str, type_: str, first: str, second: str, late: str) -> None:
    with captured(tmp_path, any_database, VERSION) as registry:
        registry.run(
            "ALTER TABLE person DROP COLUMN changed",
            f"ALTER TABLE person ADD COLUMN changed {type_}",
        )
        insert = "INSERT INTO person VALUES ({0}, 'S-{0}', 'ដារ៉ា', 'M', '02040105', '{1}')"
        registry.run(insert.format(1, first))
        assert look(registry) == 0
        registry.run(insert.format(2, second))
        assert look(registry) == 1
        registry.run(insert.format(3, late))
        assert look(registry) == 1


def test_a_change_in_a_further_table_is_a_change_of_the_record(tmp_path: Path, any_database: str) -> None:
    also = [{"table": "entry", "column": "changed", "key": "num"}]
    with captured(tmp_path, any_database, VERSION | {"also": also}) as registry:
        registry.person(1, changed=3)
        assert look(registry) == 0
        registry.entry(1, 1, changed=900)
        assert look(registry) == 1
        assert {each.field for each in registry.sent()[0].changes} == {"registered_in"}


def test_a_whole_comparison_finds_what_is_gone(tmp_path: Path, any_database: str, *, place: bool) -> None:
    with captured(tmp_path, any_database, VERSION, at_source=place) as registry:
        registry.person(1)
        look(registry)
        registry.run("DELETE FROM person")
        assert look(registry) == 0
        assert look(registry, whole=True) == 1
        assert registry.sent()[0].event_type == "REMOVE"


CHANGES = {"kind": "change-table", "table": "change", "sequence": "seq", "key": "num"}
CHANGE_TABLE = "CREATE TABLE change (seq BIGINT PRIMARY KEY, num INTEGER)"


def test_a_change_table_is_read_on_and_missing_numbers_are_waited_for(
    tmp_path: Path, any_database: str, *, place: bool
) -> None:
    with captured(tmp_path, any_database, CHANGES, at_source=place) as registry:
        registry.run(CHANGE_TABLE)
        assert look(registry) == 0
        for num in (1, 2, 3):
            registry.person(num)
        registry.run("INSERT INTO change VALUES (1, 1), (3, 3)")
        assert look(registry) == 2
        registry.run("INSERT INTO change VALUES (2, 2)")
        assert look(registry) == 1
        registry.run("DELETE FROM person WHERE num = 1", "INSERT INTO change VALUES (4, 1)")
        assert look(registry) == 1
        assert look(registry) == 0


def test_a_number_is_waited_for_as_long_as_its_transaction_is_open(tmp_path: Path, postgresql_url: str) -> None:
    clock = Clock()
    with captured(tmp_path, postgresql_url, CHANGES) as registry:
        registry.run(CHANGE_TABLE)
        look(registry, clock)
        with registry.registry.database.transaction() as slow:
            slow.execute(text("INSERT INTO person VALUES (1, 'S-1', 'ដារ៉ា', 'M', '02040105', 0)"))
            slow.execute(text("INSERT INTO change VALUES (1, 1)"))
            registry.person(2)
            registry.run("INSERT INTO change VALUES (2, 2)")
            assert look(registry, clock) == 1
            clock.at += timedelta(days=2)
            assert look(registry, clock) == 0
        assert look(registry, clock) == 1


def test_a_large_part_of_a_registry_is_not_gone_before_staff_say_so(tmp_path: Path) -> None:
    clock = Clock()
    with captured(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", {"kind": "snapshot"}) as registry:
        registry.people(*range(150))
        look(registry, clock)
        registry.run("DELETE FROM person")
        with pytest.raises(CaptureStopped, match="--accept-gone"):
            look(registry, clock, whole=True)
        assert registry.sent() == []
        assert look(registry, clock, whole=True, accept_gone=True) == 150
        count = select(func.count()).select_from(KNOWN)
        assert registry.store.read_now(lambda connection: connection.scalar(count)) == 150  # none is forgotten


def test_another_mapping_is_a_reason_to_compare_and_what_was_bad_is_told(tmp_path: Path) -> None:
    with captured(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", VERSION) as registry:
        registry.person(1)
        registry.person(2, sex="X")
        assert look(registry) == 0
        corrected = registry.remapped("F: female", "F: female, X: unknown")
        assert look(corrected) == 1
        assert registry.sent()[0].record["member"]["demographic_info"]["sex"] == "unknown"
        assert look(corrected.remapped("M: male", "M: unknown")) == 1
