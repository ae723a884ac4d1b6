"""What was last told of each record of a service: the state that the next change is compared with.

It refuses to forget a record that is gone: its number of changes goes on, so that no event of a record that came back
has the name of an older one. Rows are sealed; who has the database alone sees how many records there are.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, text, update

from adapters.events import EventsKey
from adapters.events.canonical import NOTHING, written
from adapters.events.statements import Many
from adapters.events.tables import KNOWN

Record = dict[str, Any]
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_NEW: Final = Many(insert(KNOWN).values({each.name: bindparam(each.name) for each in KNOWN.c}))
_MANY: Final = 500  # of one statement: below SQLite's limit for variables in every version


@dataclass(frozen=True, slots=True)
class Known:
    """A record as it was told.

    Args:
        person: under which it stands: :meth:`EventsKey.order` of service and key.
        digest: of all that is told of it, NOTHING when it is gone.
        key: of the local record.
        records: in the standard, by version of the contract; empty when it is gone.
        at: time of its last change, in milliseconds.
        count: its changes so far.
        told: names of the audiences with a filter that had it.
        round: the last whole comparison that saw it.
        size: bytes of its row, where it was read: what leaves of it is no larger.
        text: its records in canonical form, where that was made for their digest: they are written once.
    """

    person: bytes
    digest: bytes
    key: str
    records: Mapping[str, Record]
    at: int
    count: int
    told: frozenset[str] = frozenset()
    round: int = 0
    size: int = 0
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The row of a record, sealed: most comparisons need no more than its digest."""

    person: bytes
    digest: bytes
    round: int
    sealed: bytes
    place: int

    def open(self, key: EventsKey) -> Known:
        """Read the row; raises :class:`EventsError` when it was sealed with another key."""
        plain = key.plain(self.sealed)
        content = json.loads(plain.decode())  # of bytes, it would first look for other encodings
        return Known(
            person=self.person,
            digest=self.digest,
            key=content["key"],
            records=content["records"],
            at=content["at"],
            count=content["count"],
            told=frozenset(content["told"]),
            round=self.round,
            size=len(plain),
        )


def lock(connection: Connection, service: str) -> None:
    """Let one transaction at a time publish for a service; SQLite has one writer anyway.

    Two that publish one record at the same time would both make a change out of the same old state.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"name": f"spean publish {service}"})


def stored(connection: Connection, service: str, persons: Sequence[bytes]) -> dict[bytes, Stored]:
    """Return the rows of some records."""
    found: dict[bytes, Stored] = {}
    for start in range(0, len(persons), _MANY):
        wanted = KNOWN.c.person.in_(persons[start : start + _MANY])
        found.update((each.person, each) for each in _rows(connection, service, wanted))
    return found


def page(connection: Connection, service: str, after: bytes, limit: int, *, before: int | None = None) -> list[Stored]:
    """Return the next records that are there, in an order that tells nothing of them.

    Args:
        connection: of a transaction.
        service: whose.
        after: the person of the last one of the page before; empty at the start.
        limit: at most so many.
        before: only those that no whole comparison saw since this one.
    """
    wanted = (KNOWN.c.person > after) & (KNOWN.c.digest != NOTHING)
    if before is not None:
        wanted &= KNOWN.c.round < before
    return _rows(connection, service, wanted, limit)


def behind(connection: Connection, service: str, place: int, limit: int) -> list[Stored]:
    """Return the next records that are there, in the order in which they were met, which is mostly that of their keys.

    Neighbours stand side by side, here and in the tables of whoever takes them in.

    Args:
        connection: of a transaction.
        service: whose.
        place: of the last one of the page before; 0 at the start.
        limit: at most so many.
    """
    wanted = (KNOWN.c.place > place) & (KNOWN.c.digest != NOTHING)
    return _rows(connection, service, wanted, limit, order=KNOWN.c.place)


def _rows(
    connection: Connection,
    service: str,
    wanted: ColumnElement[bool],
    limit: int | None = None,
    *,
    order: ColumnElement[Any] = KNOWN.c.person,
) -> list[Stored]:
    table = KNOWN.c
    statement = (
        select(table.person, table.digest, table.round, table.sealed, table.place)
        .where(table.service == service, wanted)
        .order_by(order)
        .limit(limit)
    )
    return [Stored(bytes(row[0]), bytes(row[1]), *row[2:]) for row in connection.execute(statement)]


def counted(connection: Connection, service: str, *, before: int | None = None) -> int:
    """Count the records that are there; with ``before``, those that no comparison saw since that one."""
    table = KNOWN.c
    statement = select(func.count()).select_from(KNOWN).where(table.service == service, table.digest != NOTHING)
    if before is not None:
        statement = statement.where(table.round < before)
    return int(connection.execute(statement).scalar_one())


def write(connection: Connection, key: EventsKey, service: str, new: Iterable[Known], old: Iterable[Known]) -> None:
    """Write what was told: of records that were not known, and of those that were."""
    added, changed = list(new), list(old)
    if added:
        last = connection.execute(select(func.max(KNOWN.c.place)).where(KNOWN.c.service == service)).scalar_one() or 0
        _NEW.run(
            connection,
            [
                {"service": service, "person": each.person, "place": place, **_row(each, key)}
                for place, each in enumerate(added, start=last + 1)
            ],
        )
    if changed:
        table = KNOWN.c
        statement = update(KNOWN).where(table.service == service, table.person == bindparam("b_person"))
        connection.execute(statement, [{"b_person": each.person, **_row(each, key)} for each in changed])


def seen(connection: Connection, service: str, persons: Sequence[bytes], number: int) -> None:
    """Note that a whole comparison saw records, which are as they were."""
    table = KNOWN.c
    for start in range(0, len(persons), _MANY):
        wanted = table.person.in_(persons[start : start + _MANY])
        connection.execute(update(KNOWN).where(table.service == service, wanted).values(round=number))


def _row(each: Known, key: EventsKey) -> dict[str, Any]:
    head = written({"key": each.key, "at": each.at, "count": each.count, "told": sorted(each.told)})
    text = written(each.records) if each.text is None else each.text
    sealed = key.seal_plain(head[:-1] + b',"records":' + text + b"}")
    return {"digest": each.digest, "sealed": sealed, "round": each.round}
