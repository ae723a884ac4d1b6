"""What is sent becomes rows, once; what staff changed is reported with both values, whoever wins."""

from typing import Any

import pytest
import yaml
from sqlalchemy import select

from adapters.errors import EventsError
from adapters.events.model import Change, Status
from adapters.events.tables import CONFLICT, INBOX
from adapters.writing import Writer
from adapters.writing.applying import NOT_FOR_US, NOT_HERE, OLDER, REMOVED_HERE, WAITS
from tests.support.writing import KEY, NOW, SENDER, WRITE, Registry, event, family, person

ROOT = "SELECT spr_no, village, book, size, state, version FROM family ORDER BY family_no"
BOOK = "group.group_identifier[identifier_type=FAMILY_BOOK].identifier_value"
VILLAGE = "group.address[first].village_code"
SUCCEEDED, REJECTED = Status.SUCCEEDED, Status.REJECTED


def conflicts(registry: Registry) -> list[tuple[str, str, Any, Any]]:
    """Return what is kept of conflicts: field, who was kept, and both values."""

    def read(connection: Any) -> list[tuple[str, str, Any, Any]]:
        rows = connection.execute(select(CONFLICT.c.field, CONFLICT.c.kept, CONFLICT.c.sealed).order_by(CONFLICT.c.id))
        opened = [(field, kept, KEY.unseal(sealed)) for field, kept, sealed in rows]
        return [(field, kept, data["sent"], data["local"]) for field, kept, data in opened]

    return registry.store.read_now(read)


def test_a_new_family_gets_its_numbers_and_its_members(registry: Registry) -> None:
    people = [person("S1", birth="1990-01-02", card="010000001"), person("S2", given="ធីតា", sex="female")]
    [result] = registry.receive(event("e", family("A", people=people, book="77", size=2), kind="REGISTER"))
    assert (result.reference_id, result.status, result.message, result.conflicts) == ("e", SUCCEEDED, "", ())
    assert registry.rows(ROOT) == [("A", "12010101", "77", 2, "LIVE", 1)]
    assert registry.rows("SELECT * FROM line ORDER BY line") == [
        ("F000001/1", "F000001", 1, "S1", "010000001", "សុខ ដារា", "M", "1990/01/02"),
        ("F000001/2", "F000001", 2, "S2", None, "សុខ ធីតា", "F", None),
    ]
    assert registry.told == ["F000001"]


def test_one_that_comes_again_is_applied_once_and_answered_alike(registry: Registry) -> None:
    first = event("e", family("A"))
    once = registry.receive(first)
    registry.run("UPDATE family SET village = '12010109'")
    assert registry.receive(first, event("e", family("A", "12010103"))) == once * 2
    assert registry.rows("SELECT village, version FROM family") == [("12010109", 1)]
    assert registry.told == ["F000001"]


def test_one_event_twice_in_a_message_is_one(registry: Registry) -> None:
    results = registry.receive(event("e", family("A")), event("e", family("A")), event("f", family("B")))
    assert [each.status for each in results] == [SUCCEEDED] * 3
    assert registry.rows("SELECT count(*) FROM family") == [(2,)]


def test_what_was_judged_before_is_not_judged_in_the_transaction(registry: Registry) -> None:
    writer, unlike = registry.writer(), family("B") | {"group": "no object"}
    events = [event("e", family("A")), event("f", unlike), event("g", family("C"), kind="STRANGE")]
    judged = writer.judge(SENDER, events)
    again = registry.writer()
    expected = registry.store.read_now(lambda _connection: [each.outcome for each in again.judge(SENDER, events)])
    assert [each.outcome for each in judged] == expected

    def read(*_event: object) -> None:
        raise AssertionError("this was judged")

    writer.intake.read = read  # type: ignore[method-assign, assignment]
    results = registry.store.write_now(lambda connection: writer.receive(connection, SENDER, judged, NOW))
    assert [each.reference_id for each in results] == ["e", "f", "g"]
    assert [each.status for each in results[:2]] == [SUCCEEDED, REJECTED]
    assert results[1].message.startswith("contract: ")
    assert registry.rows("SELECT spr_no FROM family WHERE spr_no <> 'C'") == [("A",)]


def test_a_stranger_is_refused_judged_or_not(registry: Registry) -> None:
    writer, stranger, events = registry.writer(), "KH-SANDBOX/GOV/XXX/YYY", [event("e", family("A"))]
    judged = writer.judge(stranger, events)
    results = [
        *registry.store.write_now(lambda connection: writer.receive(connection, stranger, events, NOW)),
        *registry.store.write_now(lambda connection: writer.receive(connection, stranger, judged, NOW)),
    ]
    assert [(each.status, each.message) for each in results] == [
        (REJECTED, "sender: takes nothing from this client")
    ] * 2
    assert registry.rows("SELECT count(*) FROM family") == [(0,)]
    assert registry.rows("SELECT count(*) FROM spean_inbox") == [(0,)]


def test_what_only_the_sender_changed_is_written(registry: Registry) -> None:
    registry.receive(event("a", family("A", size=1)))
    [result] = registry.receive(event("b", family("A", "12010102", size=2), 1))
    assert result.conflicts == ()
    assert registry.rows(ROOT) == [("A", "12010102", None, 2, "LIVE", 2)]


def test_what_only_staff_changed_is_left_and_is_no_conflict(registry: Registry) -> None:
    registry.receive(event("a", family("A", size=1)))
    registry.run("UPDATE family SET village = '12010109', size = 9")
    [result] = registry.receive(event("b", family("A", size=1), 1))
    assert result.conflicts == ()
    assert registry.rows(ROOT) == [("A", "12010109", None, 9, "LIVE", 1)]
    assert registry.told == ["F000001"]  # nothing was written: nothing is told


def test_where_local_wins_both_values_are_reported_and_what_is_here_stays(registry: Registry) -> None:
    registry.receive(event("a", family("A")))
    registry.run("UPDATE family SET village = '12010109'")
    [result] = registry.receive(event("b", family("A", "12010102"), 1))
    assert result.status is SUCCEEDED
    assert result.conflicts == ({"field": VILLAGE, "sent": "12010102", "local": "12010109", "kept": "local"},)
    assert registry.rows("SELECT village FROM family") == [("12010109",)]
    assert conflicts(registry) == [("village", "local", "12010102", "12010109")]


def test_where_sent_wins_both_values_are_reported_and_what_was_here_is_kept_in_the_conflict(registry: Registry) -> None:
    registry.receive(event("a", family("A", size=1)))
    registry.run("UPDATE family SET size = 9")
    [result] = registry.receive(event("b", family("A", size=2), 1))
    assert result.conflicts == ({"field": "group.group_size", "sent": 2, "local": 9, "kept": "sent"},)
    assert registry.rows("SELECT size FROM family") == [(2,)]
    assert conflicts(registry) == [("size", "sent", 2, 9)]


@pytest.mark.parametrize(
    ("changed", "kept", "book"),
    [
        ("2026-11-28 12:00:30", "sent", "79"),  # without a zone: Cambodia's
        ("2026-11-28T05:01:30+00:00", "local", "88"),
        ("yesterday", "local", "88"),  # what cannot be read is no reason to overwrite
        (None, "local", "88"),
    ],
)
def test_where_the_newest_wins_the_times_are_compared(
    registry: Registry, changed: str | None, kept: str, book: str
) -> None:
    registry.receive(event("a", family("A", book="77")))
    registry.run("UPDATE family SET book = '88', changed = :changed", changed=changed)
    [result] = registry.receive(event("b", family("A", book="79"), 1))
    assert result.conflicts == ({"field": BOOK, "sent": "79", "local": "88", "kept": kept},)
    assert registry.rows("SELECT book FROM family") == [(book,)]


def test_the_same_conflict_is_reported_once(registry: Registry) -> None:
    registry.receive(event("a", family("A")))
    registry.run("UPDATE family SET village = '12010109'")
    registry.receive(event("b", family("A", "12010102"), 1))
    [again] = registry.receive(event("c", family("A", "12010102", size=3), 2))
    assert again.conflicts == ()
    [another] = registry.receive(event("d", family("A", "12010103"), 3))
    assert [each["sent"] for each in another.conflicts] == ["12010103"]


def test_at_first_contact_a_value_that_differs_is_a_conflict_and_an_empty_one_is_filled(registry: Registry) -> None:
    registry.run("INSERT INTO family (family_no, spr_no, village, state) VALUES ('X1', 'A', '12010109', 'LIVE')")
    [result] = registry.receive(event("a", family("A", "12010101", book="77")))
    assert [(each["field"], each["kept"]) for each in result.conflicts] == [(VILLAGE, "local")]
    assert registry.rows("SELECT family_no, village, book FROM family") == [("X1", "12010109", "77")]


def test_an_older_event_undoes_nothing_and_gives_what_no_newer_one_said(registry: Registry) -> None:
    registry.receive(event("a", family("A", "12010101")))
    registry.receive(event("c", family("A", "12010103"), 10))
    [older] = registry.receive(event("b", family("A", "12010102", size=4), 5))
    assert older.status is SUCCEEDED
    assert registry.rows("SELECT village, size FROM family") == [("12010103", 4)]
    assert registry.receive(event("z", family("A", "12010104"), 1))[0].message == OLDER
    registry.receive(event("y", family("A", size=5), 4))
    assert registry.rows("SELECT village, size FROM family") == [("12010103", 4)]


def test_what_was_not_sent_stays_and_what_was_emptied_becomes_null(registry: Registry) -> None:
    registry.receive(event("a", family("A", book="77", size=3)))
    registry.receive(event("b", family("A", village=None), 1))
    assert registry.rows(ROOT) == [("A", "12010101", "77", 3, "LIVE", 1)]
    registry.receive(event("c", family("A"), 2, changes=(Change("group.group_size", 3, None),)))
    assert registry.rows("SELECT size FROM family") == [(None,)]


def test_a_field_of_one_member_can_be_emptied(registry: Registry) -> None:
    people = [person("S1", birth="1990-01-02"), person("S2", birth="1991-01-02")]
    registry.receive(event("a", family("A", people=people)))
    gone = Change("group.member_list.demographic_info.birth_date", "x", None, ("SPID", "S2"))
    registry.receive(event("b", family("A", people=[people[0], person("S2")]), 1, changes=(gone,)))
    assert registry.rows("SELECT spid, birth FROM line ORDER BY line") == [("S1", "1990/01/02"), ("S2", None)]


def test_members_come_change_and_go(registry: Registry) -> None:
    registry.receive(event("a", family("A", people=[person("S1"), person("S2"), person("S3")])))
    registry.run("INSERT INTO line VALUES ('own', 'F000001', 7, NULL, NULL, 'ours', 'F', NULL)")
    registry.run("UPDATE line SET sex = 'F' WHERE spid = 'S3'")
    [result] = registry.receive(event("b", family("A", people=[person("S1", given="ធីតា"), person("S4")]), 1))
    assert registry.rows("SELECT line_no, spid, full_name FROM line ORDER BY line_no") == [
        ("F000001/1", "S1", "សុខ ធីតា"),
        ("F000001/3", "S3", "សុខ ដារា"),  # staff changed it: it stays
        ("F000001/8", "S4", "សុខ ដារា"),
        ("own", None, "ours"),  # nobody sent it
    ]
    assert result.conflicts == ({"field": "group.member_list", "sent": None, "local": None, "kept": "local"},)


def test_a_member_is_the_same_by_the_first_number_that_both_have(registry: Registry) -> None:
    registry.run("INSERT INTO family (family_no, spr_no, village, state) VALUES ('X1', 'A', '12010101', 'LIVE')")
    registry.run("INSERT INTO line VALUES ('l1', 'X1', 1, NULL, '010000001', 'សុខ ដារា', 'M', NULL)")
    registry.run("INSERT INTO line VALUES ('l2', 'X1', 2, 'S2', '010000002', 'សុខ ដារា', 'M', NULL)")
    registry.receive(event("a", family("A", people=[person("S1", card="010000001"), person("S9", card="010000002")])))
    assert registry.rows("SELECT spid, id_card FROM line ORDER BY line_no") == [
        ("S9", "010000002"),  # another SPID is another person, whatever the card says
        ("S1", "010000001"),
        ("S2", "010000002"),
    ]


def test_a_member_that_staff_removed_does_not_come_back_by_itself(registry: Registry) -> None:
    registry.receive(event("a", family("A", people=[person("S1"), person("S2")])))
    registry.run("DELETE FROM line WHERE spid = 'S2'")
    assert registry.receive(event("b", family("A", people=[person("S1"), person("S2")]), 1))[0].conflicts == ()
    [result] = registry.receive(event("c", family("A", people=[person("S1"), person("S2", sex="female")]), 2))
    assert [each["field"] for each in result.conflicts] == ["group.member_list"]
    assert registry.rows("SELECT spid FROM line") == [("S1",)]


def test_a_family_that_staff_removed_does_not_come_back_by_itself(registry: Registry) -> None:
    registry.receive(event("a", family("A")))
    registry.run("DELETE FROM family")
    assert registry.receive(event("b", family("A"), 1))[0].message == NOT_HERE
    [result] = registry.receive(event("c", family("A", "12010102"), 2))
    assert result.conflicts == ({"field": "*", "sent": None, "local": None, "kept": "local"},)
    assert registry.rows("SELECT count(*) FROM family") == [(0,)]


def test_a_family_whose_number_staff_corrected_is_still_known(registry: Registry) -> None:
    registry.receive(event("a", family("A")))
    registry.run("UPDATE family SET spr_no = 'B'")
    [result] = registry.receive(event("b", family("A", "12010102"), 1))
    assert registry.rows("SELECT spr_no, village FROM family") == [("B", "12010102")]
    assert result.conflicts == ()


def test_what_is_gone_is_removed_and_an_older_event_does_not_bring_it_back(registry: Registry) -> None:
    record = family("A", people=[person("S1")])
    registry.receive(event("a", record))
    assert registry.receive(event("z", record, 5, kind="REMOVE"))[0].status is SUCCEEDED
    assert registry.rows("SELECT count(*) FROM family") == [(0,)]
    assert registry.rows("SELECT count(*) FROM line") == [(0,)]
    assert registry.receive(event("b", family("A", "12010102"), 3))[0].message == OLDER
    registry.receive(event("c", family("A", "12010103"), 6))
    assert registry.rows("SELECT spr_no, village FROM family") == [("A", "12010103")]


def test_what_is_gone_before_it_was_here_stays_away(registry: Registry) -> None:
    assert registry.receive(event("z", family("A"), 5, kind="REMOVE"))[0].message == NOT_HERE
    assert registry.receive(event("a", family("A")))[0].message == OLDER
    registry.receive(event("b", family("A"), 6))
    registry.receive(event("c", family("A", "12010102"), 7))
    assert registry.rows("SELECT family_no, village FROM family") == [("F000001", "12010102")]


def test_gone_and_new_again_in_one_message(registry: Registry) -> None:
    registry.receive(event("a", family("A", people=[person("S1")])))
    registry.receive(event("b", family("A"), 1, kind="REMOVE"), event("c", family("A", people=[person("S1")]), 2))
    assert registry.rows("SELECT spr_no FROM family") == [("A",)]
    assert registry.rows("SELECT spid FROM line") == [("S1",)]


def test_what_is_gone_can_be_marked(registry: Registry) -> None:
    marking = registry.writer(gone={"events": ["REMOVE"], "do": "mark", "set": {"state": "STOP"}})
    registry.receive(event("a", family("A")), writer=marking)
    registry.receive(event("b", family("A"), 1, kind="REMOVE"), writer=marking)
    assert registry.rows("SELECT state FROM family") == [("STOP",)]


def test_what_staff_changed_is_not_deleted_where_local_wins(registry: Registry) -> None:
    careful = registry.writer(wins={"default": "local"})
    registry.receive(event("a", family("A", size=2)), writer=careful)
    registry.run("UPDATE family SET size = 9")
    [result] = registry.receive(event("b", family("A"), 1, kind="REMOVE"), writer=careful)
    assert (result.message, result.conflicts[0]["kept"]) == (WAITS, "local")
    assert registry.rows("SELECT size FROM family") == [(9,)]


def test_where_sent_wins_what_is_deleted_is_kept_in_the_conflict(registry: Registry) -> None:
    registry.receive(event("a", family("A", size=2)))
    registry.run("UPDATE family SET size = 9")
    registry.receive(event("b", family("A"), 1, kind="REMOVE"))
    [(field, kept, _sent, local)] = conflicts(registry)
    assert (field, kept, local["size"]) == ("*", "sent", 9)


@pytest.mark.parametrize(
    ("missing", "status", "message"),
    [
        ("reject", REJECTED, "missing: no local record by group.group_identifier[identifier_type=LOCAL_ID]"),
        ("skip", SUCCEEDED, NOT_HERE),
        ("ask", SUCCEEDED, WAITS),
    ],
)
def test_a_record_that_is_not_here(small: Registry, missing: str, status: Status, message: str) -> None:
    [result] = small.receive(event("a", family("A")), writer=small.writer(missing=missing))
    assert result.status is status
    assert result.message.startswith(message)
    assert small.rows("SELECT count(*) FROM family") == [(0,)]
    assert [each[0] for each in conflicts(small)] == (["*"] if missing == "ask" else [])


def test_only_declared_clients_and_events_are_taken(small: Registry) -> None:
    writer = small.writer()
    first = event("a", family("A"))
    [result] = small.store.write_now(lambda connection: writer.receive(connection, "KH/GOV/OTHER/X", [first], NOW))
    assert (result.status, result.message) == (REJECTED, "sender: takes nothing from this client")
    [result] = small.receive(event("b", family("A"), kind="MERGE"))
    assert (result.status, result.message) == (REJECTED, "event type: not taken from this client")
    assert small.rows("SELECT count(*) FROM family") == [(0,)]


def test_only_records_that_are_for_this_service_are_applied(small: Registry) -> None:
    choosy = small.writer(only_when=[{"path": "group.address[first].region_code", "in": ["12"]}])
    results = small.receive(event("a", family("A")), event("b", family("B", "13010101")), writer=choosy)
    assert [each.message for each in results] == ["", NOT_FOR_US]
    assert small.rows("SELECT spr_no FROM family") == [("A",)]


SECRET = "somebody"
BAD = {
    "another record": (event("x", family("X"), record_type="Person"), "record type: "),
    "another version": (event("x", family("X"), version="9.0.0"), "version: "),
    "contract": (event("x", family("X", size=-1) | {"registration_status": SECRET}), "contract: "),
    "an unknown code": (event("x", family("X", people=[person("S9", sex="other")])), "mapping: "),
    "no number": (event("x", {"assistance_unit": "2", "group": {"group_type": "2"}}), "mapping: "),
    "no name": (event("x", family("X", people=[{"demographic_info": {"sex": "male"}}])), "constraint: "),
    "a village that is needed": (event("x", family("X", village=None)), "constraint: "),
    "a number that is another's": (event("x", family("X", people=[person("S1")])), "constraint: "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_rejected_and_the_others_are_applied(registry: Registry, name: str) -> None:
    bad, reason = BAD[name]
    registry.receive(event("first", family("A", people=[person("S1")])))
    before, after = [event(f"b{each}", family(f"B{each}")) for each in range(5)], event("c", family("C"))
    results = registry.receive(*before, bad, after)
    assert [each.status for each in results] == [*[SUCCEEDED] * 5, REJECTED, SUCCEEDED]
    assert results[5].message.startswith(reason)
    assert SECRET not in results[5].message
    assert "S1" not in results[5].message
    found = registry.rows("SELECT spr_no FROM family ORDER BY spr_no")
    assert found == [("A",), *((f"B{each}",) for each in range(5)), ("C",)]


def test_a_rejection_names_the_rule_of_the_database(registry: Registry) -> None:
    [result] = registry.receive(event("x", family("X", village=None)))
    assert "village" in result.message
    assert "family" in result.message


def test_one_that_was_rejected_is_tried_again_when_it_comes_again(registry: Registry) -> None:
    registry.receive(event("first", family("A", people=[person("S1")])))
    bad = event("x", family("X", people=[person("S1")]))
    assert registry.receive(bad)[0].status is REJECTED
    registry.run("UPDATE line SET spid = NULL")
    assert registry.receive(bad)[0].status is SUCCEEDED
    rows = registry.store.read_now(lambda connection: connection.execute(select(INBOX.c.outcome)).all())
    assert sorted(each[0] for each in rows) == ["succ", "succ"]


def test_a_record_of_two_local_ones_is_rejected(registry: Registry) -> None:
    for number in ("X1", "X2"):
        registry.run("INSERT INTO family (family_no, village, state) VALUES (:number, '1', 'LIVE')", number=number)
        registry.run("INSERT INTO line VALUES (:number, :number, 1, NULL, '010000001', 'x', 'M', NULL)", number=number)
    [result] = registry.receive(event("a", family("A", people=[person(None, card="010000001")])))
    assert result.status is REJECTED
    assert result.message.endswith("belongs to several local records")


def test_a_record_is_found_by_a_number_of_a_member(registry: Registry) -> None:
    registry.run("INSERT INTO family (family_no, village, state) VALUES ('X1', '12010101', 'LIVE')")
    registry.run("INSERT INTO line VALUES ('l', 'X1', 1, NULL, '010000001', 'x', 'M', NULL)")
    registry.receive(event("a", family("A", people=[person("S1", card="010000001")])))
    assert registry.rows("SELECT family_no, spr_no FROM family") == [("X1", "A")]


def test_a_database_that_cannot_be_written_fails_the_whole_message(small: Registry) -> None:
    writer = small.writer()

    def lock(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        try:
            writer.receive(connection, SENDER, [event("a", family("A"))], NOW)
        finally:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    with pytest.raises(EventsError):
        small.store.write_now(lock)
    assert small.receive(event("a", family("A")))[0].status is SUCCEEDED


def test_nothing_stays_of_a_message_that_failed_later(registry: Registry) -> None:
    writer = registry.writer()

    def fail(connection: Any) -> None:
        writer.receive(connection, SENDER, [event("a", family("A"))], NOW)
        raise EventsError("the process died")

    with pytest.raises(EventsError):
        registry.store.write_now(fail)
    assert registry.rows("SELECT count(*) FROM family") == [(0,)]
    assert registry.receive(event("a", family("A")))[0].status is SUCCEEDED
    assert registry.rows("SELECT count(*) FROM family") == [(1,)]


def test_more_events_than_are_taken_at_once_keep_their_order(small: Registry) -> None:
    events = [event(f"e{each}", family("A", size=each), each) for each in range(1, 1100)]
    assert {each.status for each in small.receive(*events)} == {SUCCEEDED}
    assert small.rows("SELECT size FROM family") == [(1099,)]


def test_other_services_hear_of_the_rows_that_they_publish(small: Registry) -> None:
    writer = small.writer(tells={"person": "lines.spid"})
    heard: list[str] = []
    writer.others["person"] = lambda _connection, key: heard.append(key)
    small.receive(event("a", family("A", people=[person("S1"), person("S2")])), writer=writer)
    assert heard == ["S1", "S2"]


def own_key(registry: Registry) -> Writer:
    """Make a writer whose records are found by the column that names them."""
    record = yaml.safe_load(WRITE)["record"] | {"key": "spr_no"}
    new = {
        "familyNo": {"text": "F{sprNo}"}, "state": {"value": "LIVE"}, "lines.line": {"next": {}},
        "lines.lineNo": {"text": "{sprNo}/{lines.line}"},
    }  # fmt: skip
    return registry.writer(record=record, find=[{"field": "sprNo"}], new=new)


def links(registry: Registry) -> list[bool]:
    return [each[0] is not None for each in registry.rows("SELECT link FROM spean_synced")]


def test_a_record_that_is_found_by_its_own_key_needs_no_link(registry: Registry) -> None:
    writer = own_key(registry)
    registry.receive(event("a", family("A")), event("b", family("B")), writer=writer)
    registry.receive(event("c", family("A", size=4), 1), writer=writer)
    assert registry.rows("SELECT spr_no, size FROM family ORDER BY spr_no") == [("A", 4), ("B", None)]
    assert links(registry) == [False, False]


def test_a_record_that_was_removed_here_is_known_by_its_own_key(registry: Registry) -> None:
    writer = own_key(registry)
    registry.receive(event("a", family("A")), writer=writer)
    registry.run("DELETE FROM family")
    assert registry.receive(event("b", family("A"), 1), writer=writer)[0].message == NOT_HERE
    assert registry.receive(event("c", family("A", size=4), 2), writer=writer)[0].message == REMOVED_HERE
    assert registry.rows("SELECT count(*) FROM family") == [(0,)]


def test_what_was_gone_before_it_came_is_known_by_its_number(registry: Registry) -> None:
    writer = own_key(registry)
    assert registry.receive(event("z", family("A"), 5, kind="REMOVE"), writer=writer)[0].message == NOT_HERE
    assert registry.receive(event("a", family("A")), event("o", family("B")), writer=writer)[0].message == OLDER
    registry.receive(event("b", family("A"), 6), writer=writer)
    assert registry.rows("SELECT spr_no FROM family ORDER BY spr_no") == [("A",), ("B",)]
    registry.run("DELETE FROM family WHERE spr_no = 'A'")
    assert registry.receive(event("c", family("A", size=4), 7), writer=writer)[0].message == REMOVED_HERE
    assert links(registry) == [False, False, False]  # one of them says that its link was taken away
