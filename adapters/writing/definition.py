"""What a write file says: who may send what, into which tables and columns, and which side wins where both changed.

It refuses behaviour: these are values. :mod:`adapters.writing.loading` reads them from YAML,
:class:`adapters.writing.Writer` works by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.mapping import CompiledMapping


class Wins(StrEnum):
    """Whose value stands where both sides changed a field."""

    SENT = "sent"
    LOCAL = "local"
    NEWEST = "newest"  # by the event's time and the local record's time of change


class Missing(StrEnum):
    """What becomes of a record that is not here."""

    INSERT = "insert"
    REJECT = "reject"
    SKIP = "skip"  # it is of somebody whom this institution does not serve
    ASK = "ask"  # kept for a person's decision


class Gone(StrEnum):
    """What becomes of a record that is gone at the sender."""

    MARK = "mark"  # columns are set
    DELETE = "delete"
    REJECT = "reject"
    SKIP = "skip"
    ASK = "ask"


class Absent(StrEnum):
    """What becomes of a row that the sender sent once and does not send any more."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Maker:
    """How a value is made here.

    Args:
        kind: ``value``, ``now`` (``date``, ``timestamp``), ``next``, ``random``, ``add``, ``event`` (``id``, ``day``,
            ``sender``), ``text`` (with fields in braces).
        argument: as the write file has it.
    """

    kind: str
    argument: Any


@dataclass(frozen=True, slots=True)
class Child:
    """A table with any number of rows per record.

    Args:
        path: of the list in the local record.
        table: its name.
        key: its column with the record's key.
        row: its column that names one row.
        same: fields that tell that two rows are the same one; the first of which both have a value decides.
        absent: what becomes of rows that are not sent any more.
        fields: column by field, without the path of the list.
    """

    path: str
    table: str
    key: str
    row: str
    same: tuple[str, ...]
    absent: Absent
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Find:
    """One way to find the local record: the column that holds a sent field's value.

    Args:
        field: of the local record as the mapping makes it; in a list, the first element's.
        table: where to look; the record's own table when it is that.
        column: with the value.
        key: column of that table with the record's key.
    """

    field: str
    table: str
    column: str
    key: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Only records with one of these values at a path of the standard are for this service."""

    path: str
    values: frozenset[Any]


@dataclass(frozen=True, slots=True)
class WriteDefinition:
    """A whole write file.

    Args:
        file: its path, for messages.
        name: of the file.
        version: of the file.
        record_type: the only ``reg_record_type`` that is taken.
        mapping: from the record of the standard to the local fields.
        senders: who may send which events; None is any.
        only_when: all must hold, else the event is left alone.
        table: with one row a record.
        key: its column that names a record.
        fields: column by field.
        children: further tables.
        find: ways to the local record, tried in this order.
        missing: what to do with a record that is not here.
        gone_events: the event types that say that a record is gone.
        gone: what to do then.
        gone_set: what ``mark`` writes, by field.
        new: what is made for a new record or row, by field (with the path of its list).
        always: what is made with every write, by field of the record itself.
        wins: by field, with the path of its list.
        wins_default: for all others.
        changed: the field with the local time of change, for ``newest``.
        tells: field with the key of a record of another service of this adapter, which must be told too, by service.
    """

    file: str
    name: str
    version: str
    record_type: str
    mapping: CompiledMapping
    senders: Mapping[str, frozenset[str] | None]
    only_when: tuple[Condition, ...]
    table: str
    key: str
    fields: Mapping[str, str]
    children: tuple[Child, ...]
    find: tuple[Find, ...]
    missing: Missing
    gone_events: frozenset[str]
    gone: Gone
    gone_set: Mapping[str, Any]
    new: Mapping[str, Maker]
    always: Mapping[str, Maker]
    wins: Mapping[str, Wins]
    wins_default: Wins
    changed: str | None
    tells: Mapping[str, str]

    def winner(self, field: str) -> Wins:
        """Say who wins in a field."""
        return self.wins.get(field, self.wins_default)

    @property
    def own_number(self) -> str | None:
        """The field by which records are found and which names them here; None when that is not one field."""
        own = (self.table, self.key, self.key)
        return next(
            (
                each.field
                for each in self.find
                if (each.table, each.column, each.key) == own and each.field == self.key_field
            ),
            None,
        )

    @property
    def key_field(self) -> str:
        """The field with the record's key."""
        return next(field for field, column in self.fields.items() if column == self.key)
