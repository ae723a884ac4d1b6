"""How far captures, loads and comparisons are: written in the transaction of what they did: a kill loses nothing.

It refuses to know what a position means. It is sealed, because it may be the key of a record.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from adapters.events import EventsKey
from adapters.events.store import milliseconds
from adapters.events.tables import POSITION


def read(connection: Connection, key: EventsKey, name: str) -> dict[str, Any] | None:
    """Return a position; None when there is none yet."""
    sealed = connection.execute(select(POSITION.c.value).where(POSITION.c.name == name)).scalar_one_or_none()
    if sealed is None:
        return None
    found: dict[str, Any] = key.unseal(sealed)
    return found


def write(connection: Connection, key: EventsKey, name: str, value: dict[str, Any], at: datetime) -> None:
    """Write a position in the place of the one before."""
    row = {"value": key.seal(value), "at": milliseconds(at)}
    changed = connection.execute(update(POSITION).where(POSITION.c.name == name).values(row))
    if changed.rowcount == 0:
        connection.execute(insert(POSITION).values(name=name, **row))


def forget(connection: Connection, name: str) -> None:
    """Forget a position: what it was of begins anew."""
    connection.execute(delete(POSITION).where(POSITION.c.name == name))
