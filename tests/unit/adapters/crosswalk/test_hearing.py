"""What registries tell is taken into the crosswalk: who is new, changed or gone, in whatever order and how often."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from adapters.capture.difference import changes, ended
from adapters.crosswalk.definition import load_definition
from adapters.crosswalk.hearing import Hearing, Outcome
from adapters.crosswalk.people import Number
from adapters.crosswalk.taking import Taken
from adapters.events import Change, Event
from adapters.events.tables import CROSSWALK_LINK, CROSSWALK_RECORD, CROSSWALK_WORD, SYNCED
from adapters.synthetic import ALL, generate
from adapters.synthetic.standard import records
from tests.support.crosswalk import AT, DECLARATION, KEY, SOPHEA, Bench, elsewhere, entry

Record = dict[str, Any]
PATIENT: Record = {
    "identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "P1"}],
    "name": {"surname": "កែវ", "given_name": "សុភា"},
    "sex": "female",
    "birth_date": "1990-03-21T00:00:00+07:00",
    "address": [{"village_code": "12040911"}],
}
NOW = AT + timedelta(hours=1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.take(SOPHEA)
    yield made
    made.store.database.close()


@pytest.fixture
def benches(tmp_path: Path, any_database: str) -> Iterator[Bench]:
    made = Bench(tmp_path, any_database.replace("+psycopg", ""))
    made.take(SOPHEA)
    yield made
    made.store.database.close()


def of(record: Record, before: Record | None = None, *, minute: int = 0, kind: str = "") -> Event:
    """Return what an owner tells when a record becomes another, at a minute of its clock."""
    if before is None:
        different: tuple[Change, ...] = ()
    else:
        different = changes(before, record) if record else ended(before)
    told = kind or ("REGISTER" if before is None else "UPDATE" if record else "REMOVE")
    return Event(f"e{minute}", AT + timedelta(minutes=minute), told, "Person", "1.0.0", record, different)


def hear(bench: Bench, *events: Event, registry: str = "pmrs", at: datetime = NOW) -> tuple[Taken, list[Outcome]]:
    return bench.write(lambda one: Hearing(bench.crosswalk).hear(one, registry, events, at))


def rows(bench: Bench) -> list[Sequence[Any]]:
    tables = CROSSWALK_RECORD, CROSSWALK_LINK, CROSSWALK_WORD, SYNCED
    return bench.store.read_now(lambda one: [tuple(row) for each in tables for row in one.execute(each.select())])


def test_events_bring_change_and_end_a_record(benches: Bench) -> None:
    bench, other = benches, {**PATIENT, "name": {"surname": "ចាន់", "given_name": "ដារ៉ា"}}
    assert (hear(bench, of(PATIENT))[0].linked, bench.person_of("pmrs", "P1")) == (1, "AAAA-0001")
    hear(bench, of(other, PATIENT, minute=1))
    assert bench.person_of("pmrs", "P1") is None
    hear(bench, of(PATIENT, other, minute=2))
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"
    assert hear(bench, of({}, PATIENT, minute=3))[0].ended == 1
    assert bench.state_of("pmrs", "P1") == "ended"


def test_one_that_comes_again_changes_nothing(benches: Bench) -> None:
    events = of(PATIENT), of({**PATIENT, "sex": "male"}, PATIENT, minute=1)
    hear(benches, *events)
    before = rows(benches)
    for each in events:
        hear(benches, each)
    assert rows(benches) == before


def test_an_older_one_is_left_alone_and_does_not_bring_back_who_is_gone(bench: Bench) -> None:
    new, gone = of(PATIENT, minute=1), of({}, PATIENT, minute=2)
    assert hear(bench, gone)[1] == [Outcome.TAKEN]
    assert hear(bench, new)[1] == [Outcome.OLDER]
    assert bench.records_of("pmrs") == []
    hear(bench, of(PATIENT, minute=3))
    assert hear(bench, new, gone)[1] == [Outcome.OLDER] * 2
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"


def test_a_clock_that_is_ahead_keeps_nothing_out(bench: Bench) -> None:
    hear(bench, of(PATIENT, minute=10**6))
    assert hear(bench, of({}, PATIENT, minute=120), at=NOW + timedelta(hours=1))[1] == [Outcome.TAKEN]
    assert bench.state_of("pmrs", "P1") == "ended"


def test_what_a_release_withholds_stays_as_it_was_built(bench: Bench) -> None:
    card = Number("KHM_ID", "012345678")
    bench.take(entry("AAAA-0001", numbers=(Number("SPID", "AAAA-0001"), card)))
    bench.take(elsewhere("pmrs", "P1", born="", year=0, village="", numbers=(Number("LOCAL_ID", "P1", "PMRS"), card)))
    cut = {each: PATIENT[each] for each in ("identifier", "sex")}
    hear(bench, of(cut, {**cut, "sex": "unknown"}))
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"  # by the number that this event does not have
    assert ("linked", "identity-card", 0) in bench.links()


def test_an_event_that_names_nobody_is_said_to_and_the_others_are_taken(bench: Bench) -> None:
    nameless = {each: PATIENT[each] for each in ("name", "sex")}
    assert hear(bench, of(nameless), of(PATIENT))[1] == [Outcome.NOBODY, Outcome.TAKEN]
    assert hear(bench, of({}, {}))[1] == [Outcome.NOBODY]
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"


def test_who_is_removed_and_comes_back_in_one_message_is_there(bench: Bench) -> None:
    hear(bench, of(PATIENT))
    taken, _ = hear(bench, of({}, PATIENT, minute=1), of(PATIENT, minute=2))
    assert (taken.ended, bench.person_of("pmrs", "P1")) == (0, "AAAA-0001")


def household(number: str, *people: str) -> Record:
    info = {each: PATIENT[each] for each in ("name", "sex", "birth_date")}
    cards = [[{"identifier_type": "LOCAL_ID", "identifier_value": each}] for each in people]
    return {
        "group_identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": number}],
        "address": PATIENT["address"],
        "member_list": [{"member_identifier": each, "demographic_info": info} for each in cards],
    }


def test_a_member_who_goes_out_of_a_household_is_let_go_of(bench: Bench) -> None:
    both = household("H1", "m1", "m2")
    hear(bench, of(both), registry="idpoor")
    taken, _ = hear(bench, of(household("H1", "m2"), both, minute=1), registry="idpoor")
    assert (taken.ended, bench.state_of("idpoor", "m1")) == (1, "ended")
    assert bench.state_of("idpoor", "m2") != "ended"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("first", ["out", "in"])
def test_a_member_who_moves_is_not_let_go_of(bench: Bench, first: str, together: bool) -> None:  # noqa: FBT001  # a case
    old, new = household("H1", "m1", "m2"), household("H2", "m3")
    hear(bench, of(old), of(new), registry="idpoor")
    out = of(household("H1", "m2"), old, minute=1)
    into = of(household("H2", "m3", "m1"), new, minute=1)
    events = [out, into] if first == "out" else [into, out]
    for each in [events] if together else [[one] for one in events]:
        hear(bench, *each, registry="idpoor")
    assert bench.state_of("idpoor", "m1") != "ended"


def test_an_entry_of_the_registry_that_gives_numbers_is_heard_of_too(bench: Bench) -> None:
    hear(bench, of(PATIENT))
    person = {
        "member_identifier": [{"identifier_type": "SPID", "identifier_value": "AAAA-0001"}],
        "member": {"demographic_info": {each: PATIENT[each] for each in ("name", "sex", "birth_date")}},
    }
    assert hear(bench, of({}, person), registry="spr")[0].ended == 1
    assert bench.state_of("pmrs", "P1") == "open"
    hear(bench, of(person, minute=1), registry="spr")
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"


def test_a_merge_that_the_release_does_not_tell_of_stays_and_one_that_is_undone_is_undone(bench: Bench) -> None:
    bench.take(entry("BBBB-0001", replaced_by="AAAA-0001"))
    person: Record = {"member_identifier": [{"identifier_type": "SPID", "identifier_value": "BBBB-0001"}]}
    into = {"replaced_by": {"identifier_type": "SPID", "identifier_value": "AAAA-0001"}}
    hear(bench, of({**person, "registration_status": "MERGED"}, person, minute=1), registry="spr")
    assert state(bench, "BBBB-0001") == "merged"
    hear(bench, of(person, person | into, minute=2), registry="spr")
    assert state(bench, "BBBB-0001") == "active"


def state(bench: Bench, spid: str) -> str:
    return bench.store.read_now(lambda one: bench.crosswalk.rows.people_of(one, [spid])[spid].state)


def test_a_reading_that_began_before_an_event_does_not_undo_it(bench: Bench) -> None:
    hear(bench, of(PATIENT))
    hear(bench, of({}, PATIENT, minute=1))
    old = list(bench.crosswalk.definition.persons("pmrs", PATIENT))

    def read(since: datetime) -> Taken:
        return bench.write(lambda one: bench.crosswalk.take_read(one, "pmrs", old, NOW, since=since))

    assert (read(NOW - timedelta(minutes=5)).unchanged, bench.state_of("pmrs", "P1")) == (1, "ended")
    assert (read(NOW + timedelta(minutes=5)).linked, bench.state_of("pmrs", "P1")) == (1, "linked")


def test_what_is_heard_comes_to_the_same_as_what_is_built(tmp_path: Path) -> None:
    generate(tmp_path, households=25, seed=4, registers=ALL)
    found: list[list[Sequence[Any]]] = []
    for how in ("built", "heard"):
        (tmp_path / how).mkdir()
        made = Bench(tmp_path / how)
        for name in ("spr", "idpoor", "pmrs"):
            told = list(records(tmp_path, name))
            if how == "heard":
                hear(made, *(of(each, minute=place % 50) for place, each in enumerate(told)), registry=name)
            else:
                people = [person for each in told for person in made.crosswalk.definition.persons(name, each)]
                made.take_all(people)
        found.append(states(made))
        made.store.database.close()
    assert found[0] == found[1]
    assert {"linked", "open"} <= {each[1] for each in found[0]}


def states(bench: Bench) -> list[Sequence[Any]]:
    wanted = select(CROSSWALK_RECORD.c.key, CROSSWALK_RECORD.c.state).order_by(CROSSWALK_RECORD.c.key)
    return bench.store.read_now(lambda one: [tuple(row) for row in one.execute(wanted)])


def test_an_event_and_a_build_at_the_same_time_wait_for_each_other(tmp_path: Path, postgresql_url: str) -> None:
    """On PostgreSQL two may write at once: both would take the person for new."""
    benches = [Bench(tmp_path, postgresql_url.replace("+psycopg", "")) for _ in range(2)]
    wrote, waiting = threading.Event(), threading.Event()

    def first(one: Connection) -> None:
        Hearing(benches[0].crosswalk).hear(one, "pmrs", [of(PATIENT)], NOW)
        wrote.set()
        waiting.wait(20)
        time.sleep(0.2)

    def second(one: Connection) -> Taken:
        wrote.wait(20)
        waiting.set()
        people = list(benches[1].crosswalk.definition.persons("pmrs", PATIENT))
        return benches[1].crosswalk.take_persons(one, "pmrs", people, NOW)

    with ThreadPoolExecutor(2) as threads:
        begun = threads.submit(benches[0].write, first)
        assert threads.submit(benches[1].write, second).result(60).unchanged == 1
        begun.result(60)
    for each in benches:
        each.store.database.close()


def test_what_is_noted_of_whom_was_heard_tells_nobody_who_it_is(bench: Bench) -> None:
    hear(bench, of(PATIENT))
    [row] = bench.store.read_now(lambda one: one.execute(SYNCED.select()).all())
    assert (row.sealed, row.person) == (b"", bench.crosswalk.rows.words.record("pmrs", "P1"))
    assert KEY.word("crosswalk", "record", "pmrs", "P1") == row.person


@pytest.mark.parametrize(
    "place", ["identifier", "name", "sex", "birth_date", "address", "replaced_by", "registered_in"]
)
def test_a_record_of_any_shape_stops_nothing(place: str) -> None:
    definition = load_definition(DECLARATION)
    shapes: tuple[Any, ...] = (None, "x", 7, [], ["x"], [[]], {}, {"identifier_type": []}, {"given_name": {}})
    for junk in shapes:
        junked = {**PATIENT, place: junk}
        assert len(list(definition.persons("pmrs", junked))) == (place != "identifier")
