"""Shows what a record would do to the local rows, without doing it: the transaction is rolled back.

It refuses to publish anything. ``spean adapter try --write`` prints what it finds, for whoever asked to see the record.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.events import Event, EventsStore, Result
from adapters.events.store import milliseconds
from adapters.writing.incoming import Incoming, Rejected, Values
from adapters.writing.places import rows_of
from adapters.writing.rows import Local
from adapters.writing.writer import Writer


@dataclass(frozen=True, slots=True)
class Line:
    """One field before and after; ``row`` names the row of a list."""

    field: str
    row: Any
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of a record."""

    result: Result
    lines: tuple[Line, ...]


class _Undone(Exception):  # noqa: N818  # never leaves this module
    def __init__(self, tried: Tried) -> None:
        super().__init__()
        self.tried = tried


def try_record(store: EventsStore, writer: Writer, record: Values, sender: str, at: datetime, *, kind: str) -> Tried:
    """Apply a record in a transaction that is rolled back; blocks. Raises :class:`EventsError`."""
    definition = writer.definition
    version = definition.mapping.mapping.contract_version
    event = Event(f"try-{uuid.uuid4()}", at, kind, definition.record_type, version, record)

    def work(connection: Connection) -> None:
        with writer.rows(connection, at):
            before = _found(connection, writer, event)
            [result], touched = writer.apply(connection, sender, [event], at)
            seen = writer.statements.load(rows_of(connection), touched)
            raise _Undone(Tried(result, tuple(_lines(before, seen))))

    try:
        store.write_now(work)
    except _Undone as undone:
        return undone.tried
    raise AssertionError("a trial always ends by being undone")


def _found(connection: Connection, writer: Writer, event: Event) -> dict[Any, Local]:
    """Return the records that the event may concern, as they are."""
    try:
        incoming = writer.intake.read(event, milliseconds(event.at))
    except Rejected:
        return {}
    if not isinstance(incoming, Incoming):
        return {}
    keys: set[Any] = set()
    for place, find in enumerate(writer.definition.find):
        for found in writer.statements.find(rows_of(connection), place, incoming.values(find.field)).values():
            keys |= found
    return writer.statements.load(rows_of(connection), keys)


def _lines(before: Mapping[Any, Local], after: Mapping[Any, Local]) -> list[Line]:
    return [line for key, record in after.items() for line in _of_record(before.get(key), record)]


def _of_record(before: Local | None, after: Local) -> list[Line]:
    old = {} if before is None else before.values
    lines = [Line(name, None, old.get(name), value) for name, value in after.values.items()]
    for path, rows in after.rows.items():
        known = {} if before is None else {row.name: row.values for row in before.rows[path]}
        for row in rows:
            had = known.pop(row.name, {})
            lines += [Line(f"{path}.{name}", row.name, had.get(name), value) for name, value in row.values.items()]
        lines += [
            Line(f"{path}.{name}", row, value, None) for row, gone in known.items() for name, value in gone.items()
        ]
    return lines
