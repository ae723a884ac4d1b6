"""Random edits between looks that are killed at random: the events, applied to nothing, give the registry."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from adapters.capture.following import Following
from adapters.events import EventsStore
from tests.support.publishing import AT, Little, little

KINDS: list[dict[str, Any]] = [
    {"kind": "snapshot"},
    {"kind": "version-column", "column": "changed", "overlap": 5},
    {"kind": "change-table", "table": "change", "sequence": "seq", "key": "num"},
]
EDIT = st.tuples(st.sampled_from(["put", "drop", "look", "kill"]), st.integers(1, 4), st.sampled_from("MF"))


class Killed(Exception):  # noqa: N818  # what happens to a process
    """The process was killed before its transaction ended."""


class Killer:
    """Lets a transaction fail at its end, as a kill does."""

    def __init__(self, store: EventsStore) -> None:
        self.armed, self._plain = False, partial(EventsStore.write_now, store)
        store.write_now = self.write_now  # type: ignore[method-assign]  # the seam of this test

    def write_now(self, work: Callable[[Connection], Any]) -> Any:
        """Run work; when armed, undo it."""

        def undone(connection: Connection) -> Any:
            found = work(connection)
            if self.armed:
                raise Killed
            return found

        return self._plain(undone)


@pytest.fixture(params=KINDS, ids=lambda each: str(each["kind"]))
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Little]:
    with little(tmp_path, f"sqlite:///{tmp_path}/registry.sqlite", {"capture": request.param}) as found:
        found.run("CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, num INTEGER)")
        for each in ("REGISTER", "UPDATE", "REMOVE"):
            found.subscribe(each)
        yield found


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDIT, max_size=12))
def test_events_give_the_registry(registry: Little, edits: list[tuple[str, int, str]]) -> None:
    for table in ("person", "change", "spean_known", "spean_position", "spean_outbox"):
        registry.run(f"DELETE FROM {table}")  # noqa: S608  # the test's own
    play(registry, edits)


def play(registry: Little, edits: list[tuple[str, int, str]]) -> None:
    """Edit and look, then compare."""
    clock, truth = AT, dict[int, str]()
    look(registry, clock)
    killer = Killer(registry.store)
    for place, (what, num, sex) in enumerate(edits, start=1):
        clock += timedelta(seconds=1)
        if what in {"look", "kill"}:
            killer.armed = what == "kill"
            try:
                look(registry, clock, whole=place % 3 == 0)
            except Killed:
                pass
            finally:
                killer.armed = False
            continue
        edit(registry, truth, (num, sex if what == "put" else None), place)
    look(registry, clock + timedelta(minutes=1), whole=True)
    assert replayed(registry) == {f"S-{num}": {"M": "male", "F": "female"}[sex] for num, sex in truth.items()}


def edit(registry: Little, truth: dict[int, str], wanted: tuple[int, str | None], place: int) -> None:
    """Write or remove a person, as the institution's own program does."""
    num, sex = wanted
    registry.run(f"DELETE FROM person WHERE num = {num}")  # noqa: S608  # the test's own
    truth.pop(num, None)
    if sex is not None:
        registry.person(num, sex=sex, changed=place)
        truth[num] = sex
    registry.run(f"INSERT INTO change (num) VALUES ({num})")  # noqa: S608  # as above


def look(registry: Little, at: datetime, *, whole: bool = False) -> None:
    """Look once, as a process that was just started."""
    asyncio.run(Following(registry.publisher, registry.store, registry.source, now=lambda: at).once(whole=whole))


def replayed(registry: Little) -> dict[str, str]:
    """Apply the stream of events to nothing; old values must be those that the event before gave."""
    state: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for event in registry.sent():
        assert event.event_id not in seen
        seen.add(event.event_id)
        told = event.record or {each.field: each.old for each in event.changes}
        name = told["member_identifier"][0]["identifier_value"]
        before = state.pop(name, {})
        if event.event_type == "REGISTER":
            assert before == {}
        elif event.event_type == "REMOVE":
            assert {each.field: each.old for each in event.changes} == before
        else:
            [change] = event.changes
            assert change.old == before["member"]["demographic_info"]["sex"]
            assert change.new == event.record["member"]["demographic_info"]["sex"]
        if event.record:
            state[name] = event.record
    return {name: record["member"]["demographic_info"]["sex"] for name, record in state.items()}
