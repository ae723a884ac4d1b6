"""A change is told once, to those who may know it, with what they may know of it, in the transaction of the change."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

import contracts
from adapters.capture.comparing import Taken, bad_keys
from adapters.events import Change
from adapters.events.tables import KNOWN, OUTBOX
from tests.support.publishing import AT, CLIENT, KEY, OTHER, Little

SPID = [{"identifier_type": "SPID", "identifier_value": "S-1"}]
VILLAGE = "member.demographic_info.address"


def test_a_new_record_is_told_whole_and_a_changed_one_with_old_and_new_value(registry: Little) -> None:
    registry.subscribe("REGISTER")
    registry.subscribe("UPDATE")
    registry.person(1)
    assert registry.look(1) == 1
    registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
    assert registry.look(1, at=AT + timedelta(seconds=9)) == 1
    new, changed = registry.sent()
    assert (new.event_type, new.record["member_identifier"], new.changes) == ("REGISTER", SPID, ())
    assert (changed.event_type, changed.at) == ("UPDATE", AT + timedelta(seconds=9))
    assert changed.changes == (Change("member.demographic_info.sex", "male", "female"),)
    assert changed.record["member"]["demographic_info"]["sex"] == "female"
    for body, access in registry.messages():
        contracts.validate("cambodia/notify-data", "1.0.0", body["data"])
        assert access["subjects"] == [["SPID", "S-1"]]
        assert (access["purpose"], access["basis"], access["records"]) == ("ENROLMENT", "authorize", 1)


def test_what_did_not_change_is_not_told_again(registry: Little) -> None:
    registry.subscribe("REGISTER")
    registry.person(1)
    assert [registry.look(1), registry.look(1, 1, 2)] == [1, 0]


def test_a_change_and_what_is_told_of_it_are_one_transaction(registry: Little) -> None:
    registry.subscribe("REGISTER")

    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO person VALUES (1, 'S-1', 'ដារ៉ា', 'M', '02040105', 0)"))
        assert registry.publisher.publish(connection, "1", AT) == 1
        raise RuntimeError

    with pytest.raises(RuntimeError):
        registry.store.write_now(half)
    assert registry.sent() == []
    registry.person(1)
    assert registry.look(1) == 1


def test_each_receiver_gets_what_its_rule_gives(registry: Little) -> None:
    for client in (CLIENT, OTHER):
        registry.subscribe("UPDATE", client=client)
    registry.person(1)
    registry.look(1)
    registry.run("UPDATE person SET village = '02040106', name = 'សុខា' WHERE num = 1")
    assert registry.look(1) == 2
    [mine], [other] = registry.sent(CLIENT), registry.sent(OTHER)
    assert {each.field for each in mine.changes} == {"member.demographic_info.name.given_name", VILLAGE}
    assert {each.field for each in other.changes} == {"member.demographic_info.name.given_name"}
    assert set(other.record) == {"member_identifier", "member"}
    assert set(other.record["member"]["demographic_info"]) == {"name"}
    assert registry.messages(OTHER)[0][1]["given"] == ["member_identifier", "member.demographic_info.name"]


def test_who_may_know_nothing_of_a_change_does_not_hear_that_there_was_one(registry: Little) -> None:
    registry.subscribe("UPDATE", client=OTHER)
    registry.person(1)
    registry.look(1)
    registry.run("UPDATE person SET village = '02040106' WHERE num = 1")
    assert registry.look(1) == 0


def test_who_is_not_declared_any_more_hears_nothing(registry: Little) -> None:
    registry.subscribe("REGISTER", authorize={"ts": AT.isoformat(), "purpose": {"code": "PAYMENT", "ref_uri": "x"}})
    registry.person(1)
    assert registry.look(1) == 0


def test_a_record_that_is_gone_is_told_by_what_it_was_and_a_return_is_new(registry: Little) -> None:
    for each in ("REGISTER", "REMOVE"):
        registry.subscribe(each)
    registry.person(1)
    registry.look(1)
    registry.run("DELETE FROM person WHERE num = 1")
    assert [registry.look(1), registry.look(1)] == [1, 0]
    registry.person(1)
    assert registry.look(1) == 1
    new, gone, again = registry.sent()
    assert (gone.event_type, gone.record) == ("REMOVE", {})
    assert Change("member_identifier", SPID, None) in gone.changes
    assert (again.event_type, again.record) == ("REGISTER", new.record)
    assert again.event_id != new.event_id  # else it would be taken for the first one, and be ignored


def test_times_of_a_records_changes_grow_also_when_the_clock_was_set_back(registry: Little) -> None:
    registry.subscribe("REGISTER")
    registry.subscribe("UPDATE")
    registry.person(1)
    registry.look(1)
    registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
    registry.look(1, at=AT - timedelta(hours=1))
    first, second = registry.sent()
    assert first.at < second.at


VILLAGES: dict[str, Any] = {"village": {"$eq": "02040105"}}


def test_a_filter_is_asked_of_the_source_and_who_leaves_it_is_told_of(registry: Little) -> None:
    for each in ("REGISTER", "UPDATE", "REMOVE"):
        registry.subscribe(each, where=VILLAGES)
    registry.person(1)
    registry.person(2, village="02040106")
    assert registry.look(1, 2) == 1
    registry.run("UPDATE person SET sex = 'F'")
    assert registry.look(1, 2) == 1
    registry.run("UPDATE person SET village = '02040106' WHERE num = 1")
    assert registry.look(1) == 1
    registry.run("UPDATE person SET sex = 'M'")
    assert registry.look(1, 2) == 0
    registry.run("UPDATE person SET village = '02040105' WHERE num = 2")
    assert registry.look(1, 2) == 1
    registry.run("DELETE FROM person")
    assert registry.look(1, 2) == 1
    types = [each.event_type for each in registry.sent()]
    assert types == ["REGISTER", "UPDATE", "REMOVE", "UPDATE", "REMOVE"]


def test_a_bad_record_is_set_aside_stops_nobody_and_is_told_when_it_is_good(registry: Little) -> None:
    registry.subscribe("REGISTER")
    registry.person(1, sex="X")
    registry.person(2)
    registry.person(3)
    for entry in range(4):  # one more than the source declares
        registry.entry(entry, 3)
    assert registry.look(1, 2, 3) == 1
    bad = registry.store.read_now(lambda connection: bad_keys(connection, KEY, "people"))
    assert sorted(bad) == ["1", "3"]
    registry.run("UPDATE person SET sex = 'F' WHERE num = 1", "DELETE FROM entry")
    assert registry.look(1, 3) == 2
    assert registry.store.read_now(lambda connection: bad_keys(connection, KEY, "people")) == []


def test_a_known_record_that_becomes_bad_is_not_gone(registry: Little) -> None:
    registry.subscribe("UPDATE")
    registry.subscribe("REMOVE")
    registry.person(1)
    registry.look(1)
    registry.run("UPDATE person SET sex = 'X' WHERE num = 1")
    assert registry.look(1) == 0
    registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
    registry.look(1)
    assert [each.changes for each in registry.sent()] == [(Change("member.demographic_info.sex", "male", "female"),)]


def test_nothing_personal_stands_in_the_open(on_sqlite: Little) -> None:
    on_sqlite.subscribe("REGISTER")
    on_sqlite.person(1, name="ចន្ទ្រា")
    on_sqlite.look(1)
    rows = on_sqlite.store.read_now(
        lambda connection: [*connection.execute(select(KNOWN)), *connection.execute(select(OUTBOX))]
    )
    assert rows
    assert not any("S-1" in repr(row) or "ចន្ទ្រា" in repr(row) for row in rows)
    assert on_sqlite.store.read_now(lambda connection: connection.scalar(select(func.count()).select_from(KNOWN))) == 1


def test_a_second_record_with_a_key_that_was_seen_is_set_aside(on_sqlite: Little) -> None:
    """Of a source that only streams, which no constraint keeps clean: the first one is told."""
    on_sqlite.people(1)
    publisher, at = on_sqlite.publisher, AT

    def take(connection: Connection) -> list[Taken]:
        there = publisher.reader.records(connection, ["1"])
        return [publisher.take(connection, there, at, number=1, unique=True) for _ in range(2)]

    first, second = on_sqlite.store.write_now(take)
    assert (first.changed, first.bad, second.changed, second.bad) == (1, 0, 0, 1)
