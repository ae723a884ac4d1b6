"""Turns one event into local values: judged by its contract, mapped back, and laid out by field and row.

It refuses a record that the contract or the mapping refuses, naming field and rule and never a value. It knows no
database; :mod:`adapters.writing.applying` compares what it gives with what is there.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import contracts
from adapters.errors import RecordError
from adapters.events import Change, Event
from adapters.events.canonical import NOTHING, digest
from adapters.mapping.model import MISSING
from adapters.mapping.paths import Read, WrongShape, reader
from adapters.writing.definition import WriteDefinition

Values = dict[str, Any]
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_LARGEST: Final = 2**63  # what a column of whole numbers holds
_NO_ROWS: Final[Mapping[str, list[Values]]] = MappingProxyType({})


class Rejected(Exception):  # noqa: N818  # DCI's word
    """An event cannot be applied; the message names field and rule, never a value."""


class Incoming(NamedTuple):
    """What an event says, in local words; a field that was not sent is not there.

    A named tuple, because one is made for each record of a first load.

    Args:
        event: it.
        at: the sender's time of it, in milliseconds.
        gone: whether the record is gone at the sender.
        digest: of the record as it was sent.
        fields: of the record itself.
        rows: of each list that was sent.
    """

    event: Event
    at: int
    gone: bool
    digest: bytes
    fields: Values
    rows: Mapping[str, list[Values]] = _NO_ROWS

    def values(self, path: str) -> list[Any]:
        """Return the values of a field, in a list those of all rows."""
        if path in self.fields:
            return [self.fields[path]]
        for name, rows in self.rows.items():
            own = path.removeprefix(f"{name}.")
            if own != path:
                return [row[own] for row in rows if own in row]
        return []


class Intake:
    """Reads events for one write file."""

    def __init__(self, definition: WriteDefinition) -> None:
        self._definition = definition
        self._fields = _readers(definition.fields)
        self._lists = tuple((each.path, reader(each.path), _readers(each.fields)) for each in definition.children)
        self._only = tuple((reader(each.path), each.values) for each in definition.only_when)

    def read(self, event: Event, at: int) -> Incoming | None:
        """Return what the event says; None when it is not for this service. Raises :class:`Rejected`."""
        definition, mapping = self._definition, self._definition.mapping.mapping
        gone = not event.record or event.event_type in definition.gone_events
        if event.record_type != definition.record_type:
            raise Rejected(f"record type: only {definition.record_type} is taken here")
        if event.version and event.version != mapping.contract_version:
            raise Rejected(f"version: only {mapping.contract} {mapping.contract_version} is taken here")
        record = event.record or _as_it_was(event.changes)
        try:
            contracts.validate(mapping.contract, mapping.contract_version, record, partial=True)
        except contracts.ContractViolation as error:
            raise Rejected(f"contract: {error}") from None
        if self._only and not self._is_for_us(record):
            return None
        said = digest(event.record) if event.record else NOTHING  # here, while the record is at hand
        if event.changes and not gone:
            record = _with_what_was_emptied(record, event.changes)
        try:
            local = definition.mapping.apply(record)
        except RecordError as error:
            raise Rejected(f"mapping: {error}") from None
        return Incoming(event, at, gone, said, _values(local, self._fields), self._rows(local))

    def _is_for_us(self, record: Mapping[str, Any]) -> bool:
        try:
            return all(_plain(read(record)) in values for read, values in self._only)
        except WrongShape as error:
            raise Rejected(f"only_when: {error}") from None

    def _rows(self, local: Values) -> Mapping[str, list[Values]]:
        found: dict[str, list[Values]] = {}
        for path, read, fields in self._lists:
            rows = read(local)
            if rows is not MISSING:
                found[path] = [_values(each, fields) for each in rows]
        return found


def _plain(value: Any) -> Any:  # noqa: ANN401  # what stands there
    return value if isinstance(value, str | int) else None


def _readers(fields: Iterable[str]) -> tuple[tuple[str, Read | None], ...]:
    """Return what reads each field; None where it stands in the record under its own name, as most do."""
    return tuple((each, reader(each) if "." in each else None) for each in fields)


def _values(local: Values, fields: tuple[tuple[str, Read | None], ...]) -> Values:
    found: Values = {}
    for name, read in fields:
        value = local.get(name, MISSING) if read is None else read(local)
        if value is MISSING:
            continue
        kind = type(value)
        if kind is not str and (kind not in _SCALARS or (kind is int and abs(value) >= _LARGEST)):
            raise Rejected(f"mapping: what is to be written into {name} fits no column")
        found[name] = value
    return found


def _as_it_was(changes: tuple[Change, ...]) -> Values:
    """Put a record that is gone together from its changes, so that it is found."""
    return {each.field: each.old for each in changes if "." not in each.field and each.old is not None}


def _with_what_was_emptied(record: Values, changes: tuple[Change, ...]) -> Values:
    """A field that the sender emptied is not in the record: it is null, which is more than not sent."""
    for each in changes:
        if each.new is None:
            record = _emptied(record, each.field.split("."), each.of)
    return record


def _emptied(value: Any, parts: list[str], of: tuple[str, str] | None) -> Any:  # noqa: ANN401  # a part of a record
    if isinstance(value, list):
        return [_emptied(each, parts, of) if _is_of(each, of) else each for each in value]
    if not isinstance(value, dict):
        return value
    first, rest = parts[0], parts[1:]
    if not rest:
        return value if first in value else value | {first: None}
    if first not in value:
        return value | {first: None}
    return value | {first: _emptied(value[first], rest, of)}


def _is_of(element: Any, of: tuple[str, str] | None) -> bool:  # noqa: ANN401  # as above
    """Tell whether an element, or something in it, has the identifier."""
    if of is None:
        return False
    if isinstance(element, list):
        return any(_is_of(each, of) for each in element)
    if not isinstance(element, dict):
        return False
    if (element.get("identifier_type"), element.get("identifier_value")) == of:
        return True
    return any(_is_of(each, of) for each in element.values())
