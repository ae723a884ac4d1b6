"""The outbox as its relay sees it: takes what may go to one receiver next, and writes down what became of it.

It refuses to send, and to give two things about one person at once: the earlier one is over before the later one is
taken. All of it is synchronous work for a transaction of :class:`adapters.events.EventsStore`.
"""

import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from adapters.errors import EventsError
from adapters.events.keys import EventsKey
from adapters.events.model import Document
from adapters.events.tables import OUTBOX
from adapters.outbox.config import Limits
from adapters.subjects import PersonId

NOTIFY: Final = "notify"
UNREADABLE: Final = "the row cannot be read: put the events key back with which it was written, then retry"
_ID_LENGTH: Final = 99
_AHEAD: Final = 4  # messages' worth of rows are looked at to fill one, where services and paths are mixed
_C: Final = OUTBOX.c
_EARLIER: Final = OUTBOX.alias("earlier")


class State(StrEnum):
    """Of a row."""

    WAITING = "waiting"
    SENT = "sent"
    REJECTED = "rejected"  # sent, and the receiver says that it cannot apply it
    DEAD = "dead"  # given up until staff decide
    DROPPED = "dropped"  # given up by staff


@dataclass(frozen=True, slots=True)
class Access:
    """What the access record is to say when a row leaves."""

    purpose: str | None
    basis: str | None
    given: tuple[str, ...]
    subjects: frozenset[PersonId]
    records: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of a message.

    Args:
        id: its place in the order.
        created: when it was put.
        body: an element of ``notify_event``, or the whole document.
        access: what the access record says of it; None when it carries no person's data.
        recorded: whether the access record has it.
    """

    id: int
    created: int
    body: Document
    access: Access | None
    recorded: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes to a receiver in one message.

    Args:
        message_id: written down before the first attempt.
        fresh: whether it was chosen just now, so that nothing of it can have left.
        queued: when it was handed to a queue outside; None when it was not.
        attempts: made before.
        person: of its first row, which says in which part of all persons it is.
    """

    message_id: str
    fresh: bool
    kind: str
    service: str
    receiver: str
    path: str
    queued: int | None
    attempts: int
    person: bytes | None
    rows: tuple[Waiting, ...]

    @property
    def ids(self) -> list[int]:
        """Of its rows."""
        return [each.id for each in self.rows]


def take(
    connection: Connection, key: EventsKey, receiver: str, *, limits: Limits, now: int, shards: int = 1
) -> Batch | None:
    """Choose what goes to a receiver next, and write the message's identifier to its rows.

    Args:
        connection: that writes.
        key: of this adapter's events.
        receiver: whose rows.
        limits: of one message.
        now: only what is due.
        shards: rows of one message are of one of so many parts of all persons.

    Returns:
        None when nothing may go.
    """
    free = connection.execute(_free(receiver, now).limit(limits.events * max(shards, _AHEAD))).all()
    if not free:
        return None
    head = free[0]
    if head.message is not None:
        rows = _rows_of(connection, receiver, head.message)
        return _batch(connection, key, rows, head.message, now=now, most_bytes=None, fresh=False)
    ids = [head.id] if head.kind != NOTIFY or head.lone else _together(free, limits.events, shards)
    rows = connection.execute(select(OUTBOX).where(_C.id.in_(ids)).order_by(_C.id)).all()
    return _batch(connection, key, rows, None, now=now, most_bytes=limits.bytes, fresh=True)


def queued(
    connection: Connection, key: EventsKey, receiver: str, message_id: str, since: int, *, now: int
) -> Batch | None:
    """Return a message that was handed to a queue outside at a time; None when that is over, or never was."""
    rows = [each for each in _rows_of(connection, receiver, message_id) if each.queued == since]
    return _batch(connection, key, rows, message_id, now=now, most_bytes=None, fresh=False) if rows else None


def shard(person: bytes | None, shards: int) -> int:
    """Return to which part of all persons one belongs; what is about nobody is in the first."""
    return 0 if person is None else person[-1] % shards


def hand_over(connection: Connection, batch: Batch, *, now: int) -> Batch:
    """Write down that a message is in a queue outside, and return it so."""
    connection.execute(update(OUTBOX).where(_in(batch)).values(queued=now))
    return replace(batch, queued=now)


def handed_over(connection: Connection, receiver: str) -> list[tuple[str, int, bytes | None]]:
    """Return what is in a queue outside for a receiver: message, since when, and a person of it."""
    there = and_(_C.state == State.WAITING, _C.receiver == receiver, _C.queued.is_not(None))
    rows = connection.execute(select(_C.message, _C.queued, _C.person).where(there).order_by(_C.id.desc())).all()
    return [
        (message, *others) for message, others in {each.message: (each.queued, each.person) for each in rows}.items()
    ]


def take_back(connection: Connection, receiver: str, *, before: int) -> int:
    """Let what a queue outside has lost be handed over again; returns how many rows."""
    lost = and_(_C.state == State.WAITING, _C.receiver == receiver, _C.queued < before)
    return connection.execute(update(OUTBOX).where(lost).values(queued=None)).rowcount


def sent(connection: Connection, key: EventsKey, batch: Batch, results: Mapping[int, Document], *, now: int) -> None:
    """Write down that the receiver has a message, and what it says of single rows of it."""
    done = {"finished": now, "queued": None, "recorded": 1, "problem": None, "attempts": batch.attempts + 1}
    plain = [each.id for each in batch.rows if each.id not in results]
    if plain:
        connection.execute(update(OUTBOX).where(_waiting(plain)).values(state=State.SENT, **done))
    for number, result in results.items():
        rejected = result.get("status") == "rjct"
        values = {**done, "state": State.REJECTED if rejected else State.SENT, "result": key.seal(result)}
        connection.execute(update(OUTBOX).where(_waiting([number])).values(**values))


def later(connection: Connection, batch: Batch, problem: str, *, due: int, counted: bool) -> None:
    """Let a message be tried again at ``due``; ``counted`` when the receiver had a chance to look at it."""
    values = {"due": due, "queued": None, "recorded": 1, "problem": problem, "attempts": batch.attempts + counted}
    connection.execute(update(OUTBOX).where(_in(batch)).values(**values))


def alone(connection: Connection, batch: Batch, problem: str, *, due: int, attempts: int) -> None:
    """Let each row of a message go in one of its own: perhaps one of them spoiled it for the others."""
    values = {"due": due, "queued": None, "recorded": 1, "problem": problem, "attempts": attempts}
    connection.execute(update(OUTBOX).where(_in(batch)).values(lone=1, message=None, **values))


def dead(connection: Connection, ids: Collection[int], problem: str, *, now: int, attempts: int | None = None) -> None:
    """Give rows up until staff decide."""
    values: dict[str, Any] = {"state": State.DEAD, "queued": None, "problem": problem, "finished": now}
    if attempts is not None:
        values |= {"attempts": attempts, "recorded": 1}
    connection.execute(update(OUTBOX).where(_waiting(ids)).values(**values))


def receivers(connection: Connection) -> list[str]:
    """Return for whom something waits; a step of the index each, however much waits."""
    found: list[str] = []
    waiting = select(func.min(_C.receiver)).where(_C.state == State.WAITING)
    following = connection.execute(waiting).scalar()
    while following is not None:
        found.append(following)
        following = connection.execute(waiting.where(_C.receiver > following)).scalar()
    return found


def anything(connection: Connection, receiver: str, *, now: int) -> bool:
    """Tell whether something may go to a receiver, without the lock that writing takes."""
    return connection.execute(_free(receiver, now).limit(1)).first() is not None


def next_due(connection: Connection, receiver: str, *, now: int) -> int | None:
    """Return when something that waits for its time will be due."""
    waiting = and_(_C.state == State.WAITING, _C.receiver == receiver, _C.due > now)
    return connection.execute(select(func.min(_C.due)).where(waiting)).scalar()


def _free(receiver: str, now: int) -> Select[Any]:
    """Rows that are due and are the first of their person that waits, in their order."""
    columns = (_C.id, _C.kind, _C.service, _C.path, _C.person, _C.message, _C.lone)
    first = ~(
        select(_EARLIER.c.id)
        .where(
            _EARLIER.c.receiver == _C.receiver,
            _EARLIER.c.person == _C.person,
            _EARLIER.c.state == State.WAITING,
            _EARLIER.c.id < _C.id,
        )
        .exists()
    )
    return (
        select(*columns)
        .where(_C.state == State.WAITING, _C.receiver == receiver, _C.queued.is_(None))
        .where(_C.due + 0 <= now)  # no index of due: what is first in order is wanted, and most is due
        .where(or_(_C.person.is_(None), first))
        .order_by(_C.id)
    )


def _together(free: Sequence[Row[Any]], most: int, shards: int) -> list[int]:
    """Choose what goes with the first row: of one service and path, in no message yet."""
    head = free[0]
    wanted = (NOTIFY, head.service, head.path, None, 0, shard(head.person, shards))
    fitting = (
        each.id
        for each in free
        if (each.kind, each.service, each.path, each.message, each.lone, shard(each.person, shards)) == wanted
    )
    return [number for number, _ in zip(fitting, range(most), strict=False)]


def _batch(
    connection: Connection,
    key: EventsKey,
    rows: Sequence[Row[Any]],
    message_id: str | None,
    *,
    now: int,
    most_bytes: int | None,
    fresh: bool,
) -> Batch | None:
    """Read the rows; those that cannot be read are dead, and stop nobody."""
    read: list[Waiting] = []
    size = 0
    for each in rows:
        opened = _read(key, each)
        if opened is None:
            dead(connection, [each.id], UNREADABLE, now=now)
            continue
        if most_bytes is not None and len(rows) > 1:  # one alone leaves, however large it is
            size += len(json.dumps(opened.body, ensure_ascii=False).encode())
            if size > most_bytes and read:
                break
        read.append(opened)
    if not read:
        return None
    first = rows[0]
    chosen = message_id or _message_id(first.kind, read[0].body)
    if message_id is None:
        connection.execute(update(OUTBOX).where(_waiting([each.id for each in read])).values(message=chosen))
    return Batch(
        message_id=chosen,
        fresh=fresh,
        kind=first.kind,
        service=first.service,
        receiver=first.receiver,
        path=first.path,
        queued=first.queued,
        attempts=first.attempts,
        person=first.person,
        rows=tuple(read),
    )


def _read(key: EventsKey, row: Row[Any]) -> Waiting | None:
    try:
        opened = key.unseal(row.sealed)
        if opened["to"] != row.receiver or not isinstance(opened["body"], dict):
            return None
        access = None if opened["access"] is None else _access(opened["access"])
        return Waiting(row.id, row.created, opened["body"], access, bool(row.recorded))
    except (EventsError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _access(data: Mapping[str, Any]) -> Access:
    return Access(
        purpose=data.get("purpose"),
        basis=data.get("basis"),
        given=tuple(data.get("given", ())),
        subjects=frozenset(PersonId(kind, value) for kind, value in data.get("subjects", ())),
        records=int(data.get("records", 1)),
    )


def _message_id(kind: str, body: Document) -> str:
    """A whole document has its own identifier, which its answer will name."""
    header = body.get("header") if kind != NOTIFY else None
    own = header.get("message_id") if isinstance(header, dict) else None
    return own if isinstance(own, str) and 0 < len(own) <= _ID_LENGTH else str(uuid.uuid4())


def _rows_of(connection: Connection, receiver: str, message_id: str) -> Sequence[Row[Any]]:
    its = and_(_C.message == message_id, _C.receiver == receiver, _C.state == State.WAITING)
    return connection.execute(select(OUTBOX).where(its).order_by(_C.id)).all()


def _in(batch: Batch) -> ColumnElement[bool]:
    return _waiting(batch.ids)


def _waiting(ids: Iterable[int]) -> ColumnElement[bool]:
    """What staff dropped meanwhile stays dropped."""
    return and_(_C.id.in_(list(ids)), _C.state == State.WAITING)
