"""Lists what both sides changed, and does what staff decides about it.

It refuses to decide over a value that was changed again since, and what can only be decided in the register itself.
``spean adapter conflicts`` shows and decides; the values are sealed until somebody asks for them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from adapters.errors import AdapterError
from adapters.events import Event, EventsKey
from adapters.events.model import Change
from adapters.events.store import milliseconds, moment
from adapters.events.tables import CONFLICT
from adapters.writing.applying import Chunk
from adapters.writing.deciding import same
from adapters.writing.definition import Wins
from adapters.writing.incoming import Rejected, Values
from adapters.writing.memory import WHOLE
from adapters.writing.places import rows_of
from adapters.writing.rows import Local
from adapters.writing.writer import Writer


class CannotDecide(AdapterError):  # noqa: N818  # what staff meets
    """The conflict cannot be decided so; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A conflict as it is kept; the values only where they were asked for."""

    number: int
    at: datetime
    service: str
    sender: str
    event: str
    field: str
    kept: str
    decided: str | None
    values: Values | None


def kept_conflicts(
    connection: Connection, key: EventsKey, *, everything: bool, values: bool, after: int = 0, limit: int = 50
) -> list[Kept]:
    """Return conflicts in their order.

    Args:
        connection: of the events.
        key: of the adapter's events.
        everything: also those that were decided.
        values: open the sealed values.
        after: the number of the last one seen.
        limit: at most so many.
    """
    wanted = select(CONFLICT).where(CONFLICT.c.id > after).order_by(CONFLICT.c.id).limit(limit)
    rows = connection.execute(wanted if everything else wanted.where(CONFLICT.c.decided.is_(None)))
    return [
        Kept(
            row.id, moment(row.at), row.service, row.sender, row.event, row.field, row.kept, row.decided,
            key.unseal(row.sealed) if values else None,
        )
        for row in rows
    ]  # fmt: skip


def decide_conflict(connection: Connection, writer: Writer, number: int, side: Wins, at: datetime) -> None:
    """Do what staff decided, and tell those to whom it is published, in the given transaction.

    Raises:
        CannotDecide: there is no such open conflict, or the value was changed again since.
    """
    row = connection.execute(select(CONFLICT).where(CONFLICT.c.id == number)).first()
    if row is None or row.decided is not None or row.service != writer.service:
        raise CannotDecide(f"There is no open conflict {number} of this service.")
    data = writer.memory.key.unseal(row.sealed)
    with writer.rows(connection, at) as told:
        if "event" in data and side is Wins.SENT:
            told.extend(writer.heard(_apply(connection, writer, row.sender, data["event"], at)))
        elif row.field != WHOLE and side.value != row.kept:
            told.extend(writer.heard(_set(connection, writer, row.field, data, side)))
        elif side.value != row.kept:
            raise CannotDecide(
                "The record was deleted here. Enter it again, then decide for 'sent': its values are in the list."
            )
    done = update(CONFLICT).where(CONFLICT.c.id == number)
    connection.execute(done.values(decided=side.value, decided_at=milliseconds(at)))


def _set(connection: Connection, writer: Writer, field: str, data: Values, side: Wins) -> dict[Any, Local]:
    rows = rows_of(connection)
    record = writer.statements.load(rows, [data["key"]]).get(data["key"])
    if record is None:
        raise CannotDecide("The record is not here any more.")
    values, dirty, name = _place(writer, record, field, data["row"])
    if not any(same(values.get(name), data[each]) for each in ("sent", "local")):
        raise CannotDecide("The value was changed again since: look at it, and decide for 'local' if it is right.")
    values[name] = data[side.value]
    dirty.add(name)
    writer.statements.write(rows, [record])
    return {record.key: record}


def _place(writer: Writer, record: Local, field: str, row: Any) -> tuple[Values, set[str], str]:  # noqa: ANN401  # a column's value
    if field in writer.definition.fields:
        return record.values, record.dirty, field
    for path, rows in record.rows.items():
        own = field.removeprefix(f"{path}.")
        found = next((each for each in rows if own != field and str(each.name) == str(row)), None)
        if found is not None:
            return found.values, found.dirty, own
    raise CannotDecide("This is about a whole row: add or remove it in the register, then decide for 'local'.")


def _apply(connection: Connection, writer: Writer, sender: str, document: Values, at: datetime) -> dict[Any, Local]:
    event = _event(document)
    try:
        incoming = writer.intake.read(event, milliseconds(event.at))
        chunk = Chunk(connection, writer.statements, writer.memory, writer.names, sender, at, decided=True)
        if incoming is not None:
            chunk.load([incoming])
            chunk.apply(incoming)
            chunk.flush()
    except Rejected as error:
        raise CannotDecide(f"What was sent cannot be applied: {error}") from None
    return chunk.touched


def _event(document: Values) -> Event:
    changes: list[Any] = document["changes"]
    return Event(
        document["id"],
        datetime.fromisoformat(document["at"]),
        document["type"],
        document["record_type"],
        document["version"],
        document["record"],
        tuple(Change(field, old, new, None if of is None else tuple(of)) for field, old, new, of in changes),
    )
