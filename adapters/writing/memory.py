"""What a writer remembers between events: what it wrote, which events it knows, and where it met a local change.

It refuses values in the open: all are sealed with the adapter's events key. Read and written a chunk at a time, inside
the transaction of the records themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select, update

from adapters.events import EventsKey, Result
from adapters.events.canonical import NOTHING
from adapters.events.model import Status
from adapters.events.tables import CONFLICT, INBOX, SYNCED
from adapters.writing.incoming import Values
from adapters.writing.places import note

KIND: Final = "event"  # of the inbox
WHOLE: Final = "*"  # a conflict about a whole record
_APPLIED: Final = Status.SUCCEEDED.value
_SAID: Final = ("sealed", "link", "digest", "sender", "event_at", "at")
_WRITES: Final[Mapping[str, Executable]] = {
    "new": insert(SYNCED),
    "known": update(SYNCED)
    .where(SYNCED.c.service == bindparam("spean_service"), SYNCED.c.person == bindparam("spean_person"))
    .values({each: bindparam(each) for each in _SAID}),
    "conflicts": insert(CONFLICT),
    "answers": insert(INBOX),
    "forgotten": delete(INBOX).where(INBOX.c.key == bindparam("spean_key")),
}


def carry_out(connection: Connection, what: str, rows: list[Values]) -> None:
    """Write what is remembered; where the register's rows are elsewhere, it is kept with them too."""
    note(connection, what, rows)
    connection.execute(_WRITES[what], rows)


@dataclass(slots=True)
class Synced:
    """What was last written into one record.

    Args:
        key: of the local record.
        at: the sender's time of the newest event.
        values: by field; of a row as ``list/row/field``.
        times: of those fields that an older event wrote; all others are of ``at``.
        gone: whether the record was removed because it was gone at the sender.
        is_known: whether there is a row of it in the table.
        dirty: whether it is to be written.
    """

    key: Any
    at: int
    values: Values
    times: dict[str, int]
    gone: bool = False
    link: bytes | None = None
    person: bytes = b""
    digest: bytes = NOTHING
    is_known: bool = False
    dirty: bool = False

    def time_of(self, name: str) -> int:
        """Return the sender's time of what was last written into a field; 0 when nothing was."""
        return self.times.get(name, self.at) if name in self.values else 0

    def move_to(self, at: int) -> None:
        """Let all that is not written now keep its time."""
        if at <= self.at:
            return
        for name in self.values:
            self.times.setdefault(name, self.at)
        self.at = at

    def note(self, name: str, value: Any, at: int) -> None:  # noqa: ANN401  # a column's value
        """Remember what a sender said of a field, and when."""
        self.values[name] = value
        if at == self.at:
            self.times.pop(name, None)
        else:
            self.times[name] = at
        self.dirty = True

    def forget(self, prefix: str) -> None:
        """Forget a row."""
        for name in [each for each in self.values if each.startswith(prefix)]:
            del self.values[name]
            self.times.pop(name, None)
        self.dirty = True


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed one field: what was sent, what is here, and who was kept."""

    event: str
    field: str
    kept: str
    key: Any
    sent: Any
    local: Any
    row: Any = None
    document: Values | None = None  # the whole event, where it waits for a decision


class Memory:
    """The tables of one service's writer."""

    def __init__(self, service: str, key: EventsKey) -> None:
        self._service, self.key = service, key

    def word(self, sender: str, event_id: str) -> bytes:
        """Return what an event is known by."""
        return self.key.word("event", sender, self._service, event_id)

    def link(self, name: str, value: Any) -> bytes:  # noqa: ANN401  # a column's value
        """Return what a record is found by when its number is not here any more."""
        return self.key.word("link", self._service, name, str(value))

    def results(self, connection: Connection, words: Mapping[bytes, str]) -> dict[bytes, Result | None]:
        """Return the results of known events, by word; None for one that was rejected, which may be tried again."""
        wanted = select(INBOX.c.key, INBOX.c.outcome, INBOX.c.sealed).where(INBOX.c.key.in_(tuple(words)))
        return {
            word: self._result(words[word], sealed) if outcome == _APPLIED else None
            for word, outcome, sealed in connection.execute(wanted)
        }

    def _result(self, event_id: str, sealed: bytes | None) -> Result:
        if sealed is None:
            return Result(event_id, Status.SUCCEEDED)
        message, conflicts = self.key.unseal(sealed)
        return Result(event_id, Status.SUCCEEDED, message, tuple(conflicts))

    def forget(self, connection: Connection, words: Sequence[bytes]) -> None:
        """Forget events that were rejected and come again."""
        if words:
            carry_out(connection, "forgotten", [{"spean_key": each} for each in words])

    def synced(self, connection: Connection, keys: Iterable[Any]) -> dict[Any, Synced]:
        """Return what is remembered of records, by key."""
        words = [self._person(key) for key in keys]
        return {each.key: each for each in self._found(connection, SYNCED.c.person.in_(words))} if words else {}

    def linked(self, connection: Connection, links: Sequence[bytes]) -> dict[bytes, Synced]:
        """Return what is remembered of records whose number is not here any more, by link."""
        found = self._found(connection, SYNCED.c.link.in_(links)) if links else []
        return {each.link: each for each in found if each.link is not None}

    def _found(self, connection: Connection, where: Any) -> list[Synced]:  # noqa: ANN401  # a condition
        columns = (SYNCED.c.sealed, SYNCED.c.event_at, SYNCED.c.link, SYNCED.c.person, SYNCED.c.digest)
        rows = connection.execute(select(*columns).where(SYNCED.c.service == self._service, where))
        return [self._read(*row) for row in rows]

    def _read(self, sealed: bytes, at: int, link: bytes | None, person: bytes, digest: bytes) -> Synced:
        data = self.key.unseal(sealed)
        times, gone = data.get("times", {}), data.get("gone", False)
        return Synced(data["key"], at, data["values"], times, gone, link, person, digest, is_known=True)

    def remember(self, connection: Connection, records: Iterable[Synced], sender: str, at: int) -> None:
        """Write what changed."""
        rows = [self._row(each, sender, at) for each in records if each.dirty]
        address = {"person": "spean_person", "service": "spean_service"}
        known = [{address.get(name, name): each for name, each in row.items()} for row, is_known in rows if is_known]
        new = [row for row, is_known in rows if not is_known]
        if new:
            carry_out(connection, "new", new)
        if known:
            carry_out(connection, "known", known)

    def _row(self, each: Synced, sender: str, at: int) -> tuple[Values, bool]:
        data: Values = {"key": each.key, "values": each.values}
        if each.times:
            data["times"] = each.times
        if each.gone:
            data["gone"] = True
        return {
            "service": self._service,
            "person": each.person or self._person(each.key),
            "sealed": self.key.seal(data),
            "link": each.link,
            "digest": each.digest,
            "sender": sender,
            "event_at": each.at,
            "at": at,
        }, each.is_known

    def answer(self, connection: Connection, answers: Sequence[tuple[bytes, Result]], sender: str, at: int) -> None:
        """Remember results."""
        if answers:
            carry_out(connection, "answers", [self._answer(*each, sender, at) for each in answers])

    def _answer(self, word: bytes, result: Result, sender: str, at: int) -> Values:
        return {
            "key": word,
            "at": at,
            "sender": sender,
            "service": self._service,
            "kind": KIND,
            "outcome": result.status.value,
            "sealed": self.key.seal([result.message, list(result.conflicts)]) if _says_more(result) else None,
        }

    def record(self, connection: Connection, conflicts: Sequence[Conflict], sender: str, at: int) -> None:
        """Keep conflicts with both values."""
        if conflicts:
            carry_out(connection, "conflicts", [self._conflict(each, sender, at) for each in conflicts])

    def _conflict(self, each: Conflict, sender: str, at: int) -> Values:
        data = {"key": each.key, "row": each.row, "sent": each.sent, "local": each.local}
        return {
            "at": at,
            "service": self._service,
            "person": self._person(each.key),
            "sender": sender,
            "event": each.event,
            "field": each.field,
            "kept": each.kept,
            "sealed": self.key.seal(data if each.document is None else data | {"event": each.document}),
        }

    def _person(self, key: Any) -> bytes:  # noqa: ANN401  # a column's value
        return self.key.order(self._service, str(key))


def _says_more(result: Result) -> bool:
    """Most results say no more than that all is well, which the row itself says."""
    return bool(result.message or result.conflicts or result.status is not Status.SUCCEEDED)
