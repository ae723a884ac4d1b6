"""What may go next, and what becomes of it: order per person, messages of several events, rows that spoil."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from adapters.errors import EventsError
from adapters.events import EventsKey, EventsStore, Outgoing
from adapters.events.store import milliseconds
from adapters.events.tables import OUTBOX
from adapters.outbox import overview, rows
from adapters.outbox.config import Limits
from adapters.outbox.rows import Batch, State
from tests.support.outbox import KEY, RECEIVER, outgoing, put_now, states, table

OTHER = "KH/GOV/NSSF/MEMBERS/membership"
FEW = Limits(events=3)
NOW = milliseconds(datetime.now(UTC)) + 3_600_000


def take(store: EventsStore, receiver: str = RECEIVER, *, now: int = NOW, **others: Any) -> Batch | None:
    limits = others.pop("limits", FEW)
    return store.write_now(lambda each: rows.take(each, KEY, receiver, limits=limits, now=now, **others))


def taken(store: EventsStore, **others: Any) -> list[str]:
    found = take(store, **others)
    return [] if found is None else [each.body["reference_id"] for each in found.rows]


def finish(store: EventsStore, batch: Batch | None) -> None:
    assert batch is not None
    store.write_now(lambda each: rows.sent(each, KEY, batch, {}, now=NOW))


def test_the_first_of_each_person_goes_and_the_next_when_it_is_over(store: EventsStore) -> None:
    put_now(store, [outgoing("a1", person="a"), outgoing("a2", person="a"), outgoing("b1", person="b")])
    first = take(store)
    assert first is not None
    assert [each.body["reference_id"] for each in first.rows] == ["a1", "b1"]
    store.write_now(lambda each: rows.later(each, first, "timeout", due=NOW + 5, counted=True))
    assert taken(store) == []
    finish(store, take(store, now=NOW + 5))
    assert taken(store) == ["a2"]


def test_the_same_message_is_tried_again_with_the_same_rows(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b")])
    first = take(store)
    assert first is not None
    store.write_now(lambda each: rows.later(each, first, "timeout", due=NOW, counted=True))
    put_now(store, [outgoing("c", person="c")])
    second = take(store)
    assert second == replace(first, fresh=False, attempts=1, rows=tuple(replace(e, recorded=True) for e in first.rows))


def test_what_is_away_is_not_counted(store: EventsStore) -> None:
    put_now(store, [outgoing("a")])
    first = take(store)
    assert first is not None
    store.write_now(lambda each: rows.later(each, first, "unreachable", due=NOW, counted=False))
    assert [each.attempts for each in table(store)] == [0]


def test_while_one_is_retried_other_persons_pass(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a")])
    first = take(store)
    assert first is not None
    store.write_now(lambda each: rows.later(each, first, "timeout", due=NOW + 999, counted=True))
    put_now(store, [outgoing("a2", person="a"), outgoing("b", person="b"), outgoing("n", person=None)])
    assert taken(store) == ["b", "n"]


def test_a_dead_letter_lets_the_later_ones_pass(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("a2", person="a")])
    first = take(store)
    assert first is not None
    store.write_now(lambda each: rows.dead(each, first.ids, "no", now=NOW, attempts=1))
    assert taken(store) == ["a2"]


def test_one_message_is_for_one_receiver_service_and_path(store: EventsStore) -> None:
    put_now(
        store,
        [
            outgoing("a", person="a"),
            outgoing("b", person="b", service="grievance"),
            outgoing("c", person="c", path="/registry/other"),
            outgoing("d", person="d", receiver=OTHER),
            outgoing("e", person="e"),
        ],
    )
    assert taken(store) == ["a", "e"]
    assert taken(store, receiver=OTHER) == ["d"]


def test_one_message_has_no_more_events_and_bytes_than_its_receiver_bears(store: EventsStore) -> None:
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(9)])
    size = len(str(outgoing("0").body))
    finish(store, take(store))
    assert taken(store, limits=Limits(events=9, bytes=2 * size)) == ["3", "4"]


def test_an_event_that_is_larger_than_a_message_goes_alone(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b")])
    assert taken(store, limits=Limits(bytes=10)) == ["a"]


def test_anything_but_a_notification_is_a_message_of_its_own_and_keeps_its_identifier(store: EventsStore) -> None:
    document = {"header": {"message_id": "m-1"}, "message": {}}
    put_now(store, [outgoing(f"{n}", person=None, kind="on-search", body=document) for n in range(2)])
    found = take(store)
    assert found is not None
    assert (found.message_id, len(found.rows)) == ("m-1", 1)


def chunk(key: str, load: str, number: int) -> Outgoing:
    body = {"header": {"message_id": f"{load}-{number}"}, "message": {}}
    return outgoing(key, person=None, kind=rows.LOAD, body=body)


def test_beside_what_is_under_way_go_other_persons_only(store: EventsStore) -> None:
    put_now(store, [outgoing(f"{person}{turn}", person=person) for turn in (1, 2) for person in "abcd"])
    first = take(store)
    assert first is not None
    assert taken(store, under_way=[first]) == ["d1"]
    finish(store, first)
    assert taken(store) == ["d1"]  # in its own message, which was chosen before
    finish(store, take(store))
    assert taken(store) == ["a2", "b2", "c2"]


def test_chunks_of_one_first_load_go_together_and_those_of_another_wait(store: EventsStore) -> None:
    """Each has other persons; another load may be of the same ones, at another moment."""
    put_now(store, [chunk("a", "one", 0), chunk("b", "one", 1), chunk("c", "other", 0)])
    first = take(store)
    assert first is not None
    second = take(store, under_way=[first])
    assert (second and second.message_id) == "one-1"
    assert take(store, under_way=[first, second]) is None
    assert [each.message for each in table(store)] == ["one-0", "one-1", None]
    finish(store, first)
    finish(store, second)
    assert (found := take(store)) is not None
    assert found.message_id == "other-0"


@pytest.mark.parametrize("kinds", [("notify", "subscribe"), ("subscribe", "subscribe"), ("load", "notify")])
def test_what_may_be_about_anybody_waits_for_what_is_under_way(store: EventsStore, kinds: tuple[str, str]) -> None:
    put_now(store, [outgoing(f"{place}", person=None, kind=kind) for place, kind in enumerate(kinds)])
    first = take(store)
    assert first is not None
    assert take(store, under_way=[first]) is None
    finish(store, first)
    assert (found := take(store)) is not None
    assert found.kind == kinds[1]


def test_chunks_are_spread_over_shards_as_persons_are(store: EventsStore) -> None:
    put_now(store, [chunk(f"{number}", "one", number) for number in range(4)])
    handed = {}
    for _ in range(4):
        batch = take(store, shards=4)
        assert batch is not None
        store.write_now(lambda each, batch=batch: rows.hand_over(each, batch, now=NOW))  # type: ignore[misc]  # each its own
        handed[batch.message_id] = rows.shard(batch.person, 4)
    assert sorted(handed.values()) == [0, 1, 2, 3]
    again = store.read_now(lambda each: rows.handed_over(each, RECEIVER))  # by a process that takes over
    assert {message: rows.shard(person, 4) for message, _since, person in again} == handed


def test_a_body_leaves_as_it_was_put_whatever_stands_in_it(store: EventsStore) -> None:
    body = {"header": {"message_id": "m-1"}, "message": {'x","body":{}': ['","body":', "ដារ៉ា", None, 1.5, "\x00\\"]}}
    access = {"purpose": ',"body":', "basis": "law", "given": [], "subjects": [["SPID", '","body":']], "records": 1}
    put_now(store, [outgoing("a", person=None, kind="on-search", body=body, access=access)])
    batch = take(store)
    assert batch is not None
    [row] = batch.rows
    assert (row.body, batch.message_id) == (body, "m-1")
    assert row.access is not None
    assert row.access.subjects == {("SPID", '","body":')}


def test_what_is_due_later_waits(store: EventsStore) -> None:
    due = datetime.now(UTC) + timedelta(hours=2)
    put_now(store, [outgoing("a", due=due)])
    assert taken(store) == []
    assert store.read_now(lambda each: rows.next_due(each, RECEIVER, now=NOW)) == milliseconds(due)
    assert taken(store, now=milliseconds(due)) == ["a"]


@pytest.mark.parametrize("spoiled", ["key", "receiver", "access", "body"])
def test_a_row_that_cannot_be_read_is_dead_and_stops_nobody(store: EventsStore, spoiled: str) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b")])
    sealed = {
        "key": EventsKey(bytes(32)).seal({"to": RECEIVER, "body": {}, "access": None}),
        "receiver": KEY.seal({"to": OTHER, "body": {}, "access": None}),  # moved by whoever has the database alone
        "access": KEY.seal({"to": RECEIVER, "body": {}, "access": {"subjects": [7]}}),
        "body": KEY.seal({"to": RECEIVER, "body": [], "access": None}),
    }[spoiled]
    store.write_now(lambda each: each.execute(update(OUTBOX).where(OUTBOX.c.key == "a").values(sealed=sealed)))
    assert taken(store) == ["b"]
    assert states(store)["a"] is State.DEAD


def test_what_staff_dropped_while_it_was_under_way_stays_dropped(store: EventsStore) -> None:
    put_now(store, [outgoing("a")])
    batch = take(store)
    [row] = table(store)
    at = datetime.now(UTC)
    store.write_now(lambda each: overview.drop(each, KEY, row.id, reason="twice", by="dara", at=at))
    finish(store, batch)
    assert states(store) == {"a": State.DROPPED}


def test_a_rejected_event_is_kept_with_what_the_receiver_says(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b")])
    batch = take(store)
    assert batch is not None
    result = {"reference_id": "b", "status": "rjct", "message": "no such village"}
    store.write_now(lambda each: rows.sent(each, KEY, batch, {batch.rows[1].id: result}, now=NOW))
    assert states(store) == {"a": State.SENT, "b": State.REJECTED}
    opened = store.read_now(lambda each: overview.open_row(each, KEY, batch.rows[1].id))
    assert opened.result == result


def test_receivers_are_those_for_whom_something_waits(store: EventsStore) -> None:
    put_now(store, [outgoing(f"{number}", receiver=each) for number, each in enumerate([RECEIVER, OTHER, RECEIVER])])
    assert store.read_now(rows.receivers) == sorted([RECEIVER, OTHER])
    finish(store, take(store, OTHER))
    assert store.read_now(rows.receivers) == [RECEIVER]


def test_rows_of_one_shard_make_one_message(store: EventsStore) -> None:
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(12)])
    batch = take(store, limits=Limits(events=12), shards=4)
    assert batch is not None
    persons = [each.person for each in table(store) if each.id in batch.ids]
    assert len({rows.shard(each, 4) for each in persons}) == 1
    assert 0 < len(persons) < 12


def test_a_message_in_a_queue_outside_is_given_until_it_is_over(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("a2", person="a")])
    batch = take(store)
    assert batch is not None
    store.write_now(lambda each: rows.hand_over(each, batch, now=NOW))

    def given(since: int) -> Batch | None:
        return store.write_now(lambda each: rows.queued(each, KEY, RECEIVER, batch.message_id, since, now=NOW))

    assert taken(store) == []  # neither again, nor what is behind it
    assert given(NOW - 1) is None
    assert given(NOW) is not None
    store.write_now(lambda each: rows.later(each, batch, "timeout", due=NOW, counted=True))
    assert given(NOW) is None
    assert taken(store) == ["a"]


def test_what_a_queue_outside_has_lost_is_taken_back(store: EventsStore) -> None:
    put_now(store, [outgoing("a")])
    batch = take(store)
    assert batch is not None
    store.write_now(lambda each: rows.hand_over(each, batch, now=NOW))
    assert store.read_now(lambda each: rows.handed_over(each, RECEIVER)) == [(batch.message_id, NOW, batch.person)]
    assert store.write_now(lambda each: rows.take_back(each, RECEIVER, before=NOW)) == 0
    assert store.write_now(lambda each: rows.take_back(each, RECEIVER, before=NOW + 1)) == 1
    assert taken(store) == ["a"]


def test_depth_and_age_are_counted_by_receiver_and_state(store: EventsStore) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    put_now(store, [outgoing("a"), outgoing("b", person="b", due=later), outgoing("c", receiver=OTHER)])
    batch = take(store, OTHER)
    assert batch is not None
    store.write_now(lambda each: rows.dead(each, batch.ids, "no", now=NOW, attempts=1))
    found = store.read_now(lambda each: overview.depths(each, now=NOW))
    first = table(store)[0]
    assert {(each.receiver, each.state, each.rows) for each in found} == {
        (RECEIVER, State.WAITING, 2),
        (OTHER, State.DEAD, 1),
    }
    assert [milliseconds(each.oldest) for each in found if each.oldest] == [first.created]


def test_what_is_over_leaves_after_its_days_and_the_dead_stay(store: EventsStore) -> None:
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b")])
    finish(store, take(store, limits=Limits(events=1)))
    batch = take(store)
    assert batch is not None
    store.write_now(lambda each: rows.dead(each, batch.ids, "no", now=NOW, attempts=1))
    at = datetime.now(UTC)

    def let_go(days: int) -> int:
        return store.write_now(lambda each: overview.let_go(each, days=30, at=at + timedelta(days=days)))

    assert let_go(29) == 0
    assert let_go(31) == 1
    assert states(store) == {"b": State.DEAD}


def test_what_is_sent_is_not_sent_again_by_hand(store: EventsStore) -> None:
    put_now(store, [outgoing("a")])
    finish(store, take(store))
    number = table(store)[0].id
    with pytest.raises(EventsError, match=f"row {number} is sent"):
        store.write_now(lambda each: overview.retry(each, number, now=NOW))
    with pytest.raises(EventsError, match="is sent"):
        store.write_now(lambda each: overview.drop(each, KEY, number, reason="x", by="y", at=datetime.now(UTC)))
    with pytest.raises(EventsError, match="no row 999"):
        store.write_now(lambda each: overview.retry(each, 999, now=NOW))
