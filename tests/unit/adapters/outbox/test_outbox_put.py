"""Putting something into the outbox is part of the transaction that changed something, once for each key."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import Connection

from adapters.events import EventsStore, open_events
from adapters.events.store import milliseconds
from adapters.outbox import put
from tests.support.outbox import KEY, outgoing, table

AT = datetime(2026, 11, 28, tzinfo=UTC)


def test_a_row_holds_what_is_to_be_sent_sealed(store: EventsStore) -> None:
    assert store.write_now(lambda connection: put(connection, KEY, [outgoing("e-1")], at=AT)) == 1
    [row] = table(store)
    assert (row.key, row.state, row.created, row.due) == ("e-1", "waiting", milliseconds(AT), milliseconds(AT))
    assert b"e-1" not in row.sealed
    told = outgoing("e-1")
    assert KEY.unseal(row.sealed) == {"to": row.receiver, "body": told.body, "access": told.access}


def test_the_same_key_twice_is_one_row(store: EventsStore) -> None:
    def work(connection: Connection) -> list[int]:
        return [put(connection, KEY, each, at=AT) for each in ([outgoing("a"), outgoing("b")], [outgoing("a")], [])]

    assert store.write_now(work) == [2, 0, 0]
    assert [each.key for each in table(store)] == ["a", "b"]


def test_what_is_due_later_is_due_later(store: EventsStore) -> None:
    due = AT + timedelta(hours=3)
    store.write_now(lambda connection: put(connection, KEY, [outgoing("a", due=due)], at=AT))
    assert [each.due for each in table(store)] == [milliseconds(due)]


@pytest.mark.parametrize("key", ["", "k" * 100])
def test_a_key_that_does_not_fit_is_refused(store: EventsStore, key: str) -> None:
    with pytest.raises(ValueError, match="1 to 99"):
        store.write_now(lambda connection: put(connection, KEY, [outgoing(key)], at=AT))


def test_who_listens_is_told_after_the_commit_and_not_when_nothing_was_put(store: EventsStore) -> None:
    seen: list[int] = []
    store.when_told(lambda: seen.append(len(table(store))))
    store.write_now(lambda connection: put(connection, KEY, [outgoing("a")], at=AT))
    store.write_now(lambda connection: put(connection, KEY, [], at=AT))
    assert seen == [1]


def test_what_is_rolled_back_was_never_put(store: EventsStore) -> None:
    def work(connection: Connection) -> None:
        put(connection, KEY, [outgoing("a")], at=AT)
        raise LookupError

    with pytest.raises(LookupError):
        store.write_now(work)
    assert table(store) == []


def test_on_postgresql_the_second_about_a_person_waits_for_the_firsts_commit(postgresql_url: str) -> None:
    """Without that, a relay could see number 2 before number 1 is there, and send them the wrong way round."""
    first, second = (open_events(postgresql_url, KEY, config="adapter.yaml") for _ in range(2))
    begun, done = Event(), Event()

    def later() -> None:
        begun.set()
        second.write_now(lambda connection: put(connection, KEY, [outgoing("second")], at=AT))
        done.set()

    thread = Thread(target=later)

    def work(connection: Connection) -> bool:
        put(connection, KEY, [outgoing("first"), outgoing("other", person="2")], at=AT)
        thread.start()
        begun.wait()
        return done.wait(0.3)

    assert first.write_now(work) is False
    thread.join()
    assert [each.key for each in table(first)] == ["first", "other", "second"]
    for each in (first, second):
        each.database.close()
