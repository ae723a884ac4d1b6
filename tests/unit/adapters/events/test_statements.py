"""Statements for many rows: the same answers whatever the number of values, on each kind of database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from adapters.events import EventsKey, EventsStore, open_events
from adapters.events.statements import MOST, Among, Many
from adapters.events.tables import POSITION

NEW = Many(insert(POSITION).values({each.name: bindparam(each.name) for each in POSITION.c}))
NAMED = Among(
    lambda names: select(POSITION.c.name).where(POSITION.c.name.in_(names), POSITION.c.at < bindparam("below"))
)
ODD = ("it's", "50%", "%s", ":name", "ស្ពាន", "")


@pytest.fixture
def store(any_database: str) -> Iterator[EventsStore]:
    found = open_events(any_database.replace("+psycopg", ""), EventsKey(bytes(32)), config="adapter.yaml")
    yield found
    found.database.close()


def row(name: str, at: int) -> dict[str, object]:
    return {"name": name, "value": b"\0%s'", "at": at, "more": "is not asked for"}


def test_whatever_the_number_of_values_the_rows_are_those_that_were_named(store: EventsStore) -> None:
    names = [*ODD, *(f"n{each}" for each in range(2 * MOST + 3))]
    with store.database.transaction() as connection:
        NEW.run(connection, [row(name, at) for at, name in enumerate(names)])
        NEW.run(connection, [])
        for count in (0, 1, 2, 3, len(ODD), MOST - 1, MOST, MOST + 1, len(names)):
            found = NAMED.rows(connection, names[:count], below=2_000)
            assert sorted(name for (name,) in found) == sorted(names[:count])
        assert sorted(name for (name,) in NAMED.rows(connection, ["not there", *names], below=2)) == sorted(names[:2])
        assert NAMED.rows(connection, ["not there"], below=2_000) == []


def test_a_row_that_the_database_refuses_is_sqlalchemys_error_without_values(store: EventsStore) -> None:
    with pytest.raises(IntegrityError) as caught, store.database.transaction() as connection:
        NEW.run(connection, [row("SENSITIVE", 1), row("SENSITIVE", 2)])
    assert "parameters hidden" in str(caught.value)
