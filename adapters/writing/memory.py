"""What a writer remembers between events: what it wrote, which events it knows, and where it met a local change.

It refuses values in the open: all are sealed with the adapter's events key. Read and written a chunk at a time, inside
the transaction of the records themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from adapters.events import EventsKey, Result
from adapters.events.canonical import NOTHING, written
from adapters.events.inboxrows import EVENT, event_word
from adapters.events.model import Status
from adapters.events.statements import Among, Many
from adapters.events.tables import CONFLICT, INBOX, SYNCED
from adapters.writing.incoming import Values
from adapters.writing.places import note

WHOLE: Final = "*"  # a conflict about a whole record
_APPLIED: Final = Status.SUCCEEDED.value
_HASHES: Final = 2048  # that are kept: a record's is asked for some times while its chunk is written
_SERVICE: Final = "spean_service"
_PERSON: Final = "spean_person"
_SYNCED: Final = (SYNCED.c.sealed, SYNCED.c.event_at, SYNCED.c.link, SYNCED.c.person, SYNCED.c.digest)
_OWN: Final = select(*_SYNCED).where(SYNCED.c.service == bindparam(_SERVICE))
_BY_WORD: Final = Among(
    lambda words: select(INBOX.c.key, INBOX.c.outcome, INBOX.c.sealed).where(INBOX.c.key.in_(words))
)
_BY_PERSON: Final = Among(lambda persons: _OWN.where(SYNCED.c.person.in_(persons)))
_BY_LINK: Final = Among(lambda links: _OWN.where(SYNCED.c.link.in_(links)))
_ANY_LINK: Final = select(SYNCED.c.link).where(SYNCED.c.link.is_not(None)).limit(1)
_WRITES: Final[Mapping[str, Many]] = {
    "new": Many(insert(SYNCED).values({each.name: bindparam(each.name) for each in SYNCED.c})),
    "known": Many(
        update(SYNCED)
        .where(SYNCED.c.service == bindparam(_SERVICE), SYNCED.c.person == bindparam(_PERSON))
        .values({each: bindparam(each) for each in ("sealed", "link", "digest", "sender", "event_at", "at")})
    ),
    "answers": Many(
        insert(INBOX).values(
            {each: bindparam(each) for each in ("key", "at", "sender", "service", "kind", "outcome", "sealed")}
        )
    ),
    "conflicts": Many(
        insert(CONFLICT).values(
            {
                each: bindparam(each)
                for each in ("at", "service", "person", "sender", "event", "field", "kept", "sealed")
            }
        )
    ),
    "forgotten": Many(delete(INBOX).where(INBOX.c.key == bindparam("spean_key"))),
}


def carry_out(connection: Connection, what: str, rows: list[Values]) -> None:
    """Write what is remembered; where the register's rows are elsewhere, it is kept with them too."""
    if rows:
        note(connection, what, rows)
        _WRITES[what].run(connection, rows)


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
    """The tables of one service's writer.

    Args:
        service: its code.
        key: of the adapter's events.
        own: the field by whose number records are found and which names them here, if there is one: then what a record
            is remembered by is its link as well, and the column of links stays empty.
    """

    def __init__(self, service: str, key: EventsKey, own: str | None = None) -> None:
        self._service, self.key, self._own = service, key, own
        self._person = lru_cache(_HASHES)(self._order)

    def word(self, sender: str, event_id: str) -> bytes:
        """Return what an event is known by."""
        return event_word(self.key, sender, self._service, event_id)

    def link(self, name: str, value: Any) -> bytes:  # noqa: ANN401  # a column's value
        """Return what a record is found by when its number is not here any more."""
        return self._person(str(value)) if name == self._own else self.key.word("link", self._service, name, str(value))

    def results(self, connection: Connection, words: Mapping[bytes, str]) -> dict[bytes, Result | None]:
        """Return the results of known events, by word; None for one that was rejected, which may be tried again."""
        return {
            word: self._result(words[word], sealed) if outcome == _APPLIED else None
            for word, outcome, sealed in _BY_WORD.rows(connection, tuple(words))
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
        words = [self._person(str(key)) for key in keys]
        return {each.key: each for each in self._read(_BY_PERSON.rows(connection, words, spean_service=self._service))}

    def linked(self, connection: Connection, links: Sequence[bytes]) -> dict[bytes, Synced]:
        """Return what is remembered of records whose number is not here any more, by link."""
        found: list[Synced] = []
        if self._own is not None:
            found += self._read(_BY_PERSON.rows(connection, links, spean_service=self._service))
        if links and (self._own is None or connection.execute(_ANY_LINK).first() is not None):
            found += self._read(_BY_LINK.rows(connection, links, spean_service=self._service))
        wanted = set(links)
        return {each.link: each for each in found if each.link in wanted}

    def _read(self, rows: Iterable[Any]) -> list[Synced]:
        return [self._synced(*row) for row in rows]

    def _synced(self, sealed: bytes, at: int, link: bytes | None, person: bytes, digest: bytes) -> Synced:
        data = self.key.unseal(sealed)
        if link is None and self._own is not None and not data.get("unlinked", False):
            link = person
        times, gone = data.get("times", {}), data.get("gone", False)
        return Synced(data["key"], at, data["values"], times, gone, link, person, digest, is_known=True)

    def remember(self, connection: Connection, records: Iterable[Synced], sender: str, at: int) -> None:
        """Write what changed."""
        changed = [each for each in records if each.dirty]
        carry_out(connection, "new", [self._row(each, sender, at) for each in changed if not each.is_known])
        known = [self._row(each, sender, at) for each in changed if each.is_known]
        address = {"service": _SERVICE, "person": _PERSON}
        carry_out(connection, "known", [{address.get(name, name): each for name, each in row.items()} for row in known])

    def _row(self, each: Synced, sender: str, at: int) -> Values:
        data: Values = {"key": each.key, "values": each.values}
        if each.times:
            data["times"] = each.times
        if each.gone:
            data["gone"] = True
        if each.link is None:
            data["unlinked"] = True
        person = each.person or self._person(str(each.key))
        return {
            "service": self._service,
            "person": person,
            "sealed": self.key.seal_plain(written(data)),
            "link": None if each.link == person else each.link,
            "digest": each.digest,
            "sender": sender,
            "event_at": each.at,
            "at": at,
        }

    def answer(self, connection: Connection, answers: Iterable[tuple[bytes, Result]], sender: str, at: int) -> None:
        """Remember results."""
        row = {"at": at, "sender": sender, "service": self._service, "kind": EVENT}
        carry_out(
            connection,
            "answers",
            [
                row | {"key": word, "outcome": result.status.value, "sealed": self._told(result)}
                for word, result in answers
            ],
        )

    def _told(self, result: Result) -> bytes | None:
        """Most results say no more than that all is well, which the row itself says."""
        if result.status is Status.SUCCEEDED and not result.message and not result.conflicts:
            return None
        return self.key.seal([result.message, list(result.conflicts)])

    def record(self, connection: Connection, conflicts: Sequence[Conflict], sender: str, at: int) -> None:
        """Keep conflicts with both values."""
        if conflicts:
            carry_out(connection, "conflicts", [self._conflict(each, sender, at) for each in conflicts])

    def _conflict(self, each: Conflict, sender: str, at: int) -> Values:
        data = {"key": each.key, "row": each.row, "sent": each.sent, "local": each.local}
        return {
            "at": at,
            "service": self._service,
            "person": self._person(str(each.key)),
            "sender": sender,
            "event": each.event,
            "field": each.field,
            "kept": each.kept,
            "sealed": self.key.seal(data if each.document is None else data | {"event": each.document}),
        }

    def _order(self, key: str) -> bytes:
        return self.key.order(self._service, key)
