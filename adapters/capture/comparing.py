"""Compares a batch of local records with what is known of them, and remembers them: what changed becomes steps.

It refuses to know who is told. A record that cannot be given in the standard is set aside with its reason, stays known
as it was, and is tried again when it changes or the mapping does.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, delete, func, insert, select

from adapters.capture import known as memory
from adapters.capture.known import Known, Stored
from adapters.events import EventsKey
from adapters.events.canonical import NOTHING, canonical
from adapters.events.store import milliseconds, moment
from adapters.events.tables import BAD
from adapters.mapping.counting import RefusedRecord

_log = structlog.get_logger(__name__)
_LATER: Final = timedelta(milliseconds=1)
Record = dict[str, Any]
Versions = Callable[[Record], dict[str, Record]]


@dataclass(slots=True)
class Taken:
    """What came of records that were looked at."""

    records: int = 0
    changed: int = 0
    told: int = 0
    bad: int = 0

    def add(self, other: "Taken") -> None:
        """Count another one too."""
        self.records += other.records
        self.changed += other.changed
        self.told += other.told
        self.bad += other.bad


@dataclass(frozen=True, slots=True)
class Step:
    """One record from what was known to what it is; None where there was or is none."""

    before: Known | None
    after: Known

    @property
    def old(self) -> Mapping[str, Record]:
        """Its records before, by version."""
        return self.before.records if self.before is not None else {}

    def event_id(self, key: EventsKey, service: str) -> str:
        """Name the event: a second capture of the same change after the same history makes the same name."""
        before = NOTHING if self.before is None else self.before.digest
        parts = (self.after.key, str(self.after.count), before.hex(), self.after.digest.hex())
        return key.word("event", service, *parts).hex()


@dataclass(frozen=True, slots=True)
class Moment:
    """The transaction that a batch is part of.

    Args:
        connection: of the transaction.
        key: of the events.
        service: whose records they are.
        at: now.
        number: of the whole comparison that they are part of; None for single ones.
    """

    connection: Connection
    key: EventsKey
    service: str
    at: datetime
    number: int | None


@dataclass(slots=True)
class Batch:
    """One batch on its way: what changed, what was only seen, and what is bad."""

    of: Moment
    rows: Mapping[bytes, Stored]
    versions: Versions
    unique: bool
    steps: list[Step] = field(default_factory=list)
    same: list[bytes] = field(default_factory=list)
    good: list[bytes] = field(default_factory=list)
    bad: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def take(self, person: bytes, name: str, local: Record | RefusedRecord | None) -> None:
        """Look at one record."""
        row = self.rows.get(person)
        try:
            records = self._standard(row, local)
        except RefusedRecord as reason:
            self.bad[person] = name, str(reason)
            self.same.append(person)  # it is still there, whatever it has become
            return
        self.good.append(person)
        text = canonical(records) if records else None
        now = NOTHING if text is None else hashlib.sha256(text).digest()
        if now == (NOTHING if row is None else row.digest):
            self.same.append(person)
            return
        before = None if row is None else row.open(self.of.key)
        self.steps.append(Step(before, self._after(person, now, name, records, before, text)))

    def _standard(self, row: Stored | None, local: Record | RefusedRecord | None) -> dict[str, Record]:
        if isinstance(local, RefusedRecord):
            raise local
        if self.unique and row is not None and row.round == self.of.number:
            raise RefusedRecord("another record has the same key: the first one is told")
        return {} if local is None else self.versions(local)

    def _after(
        self,
        person: bytes,
        now: bytes,
        name: str,
        records: Mapping[str, Record],
        before: Known | None,
        text: bytes | None,
    ) -> Known:
        """A record's changes have times that grow, also when the clock was set back: receivers go by them."""
        at = milliseconds(self.of.at)
        number = self.of.number or 0
        if before is None:
            return Known(person, now, name, records, at, 1, round=number, text=text)
        later = max(at, milliseconds(moment(before.at) + _LATER))
        return Known(
            person, now, name, records, later, before.count + 1, before.told, max(number, before.round), text=text
        )

    def remember(self) -> None:
        """Write the batch."""
        code, key = self.of.service, self.of.key
        added = [each.after for each in self.steps if each.before is None]
        memory.write(
            self.of.connection, key, code, added, [each.after for each in self.steps if each.before is not None]
        )
        if self.of.number is not None:
            memory.seen(self.of.connection, code, self.same, self.of.number)
        self._set_aside()

    def _set_aside(self) -> None:
        code, table = self.of.service, BAD.c
        if self.bad or self.good:
            persons = [*self.good, *self.bad]
            self.of.connection.execute(delete(BAD).where(table.service == code, table.person.in_(persons)))
        rows = [
            {
                "service": code,
                "person": person,
                "at": milliseconds(self.of.at),
                "sealed": self.of.key.seal({"key": name, "reason": reason}),
            }
            for person, (name, reason) in self.bad.items()
        ]
        if rows:
            self.of.connection.execute(insert(BAD), rows)
        for reason in sorted({each for _name, each in self.bad.values()}):
            _log.warning("record_cannot_be_told", service=code, reason=reason)


def bad_keys(connection: Connection, key: EventsKey, service: str) -> list[str]:
    """Return the keys of the records that were set aside."""
    rows = connection.execute(select(BAD.c.sealed).where(BAD.c.service == service).order_by(BAD.c.at)).scalars()
    return [key.unseal(each)["key"] for each in rows]


def count_bad(connection: Connection, service: str) -> int:
    """Count the records that are set aside."""
    return int(connection.execute(select(func.count()).select_from(BAD).where(BAD.c.service == service)).scalar_one())
