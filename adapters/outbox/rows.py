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

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, true, update

from adapters.errors import EventsError
from adapters.events.keys import EventsKey
from adapters.events.model import Document
from adapters.events.store import LEFT
from adapters.events.tables import OUTBOX
from adapters.outbox.config import Limits
from adapters.outbox.putting import BODY, NOTIFY
from adapters.subjects import PersonId

LOAD: Final = "load"  # the kind whose rows are chunks of a first load: whole messages, each of other persons
UNREADABLE: Final = "the row cannot be read: put the events key back with which it was written, then retry"
_TOGETHER: Final = frozenset({NOTIFY, LOAD})  # of other kinds, one goes after the other: an end after a beginning
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
        text: an element of ``notify_event``, or the whole document, as it is written.
        access: what the access record says of it; None when it carries no person's data.
        recorded: whether the access record has it.
        message_id: of a whole document.
    """

    id: int
    created: int
    text: bytes
    access: Access | None
    recorded: bool
    message_id: str | None = None

    @property
    def body(self) -> Document:
        """The element or document, read anew."""
        found: Document = json.loads(self.text)
        return found


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes to a receiver in one message.

    Args:
        message_id: written down before the first attempt.
        fresh: whether it was chosen just now, so that nothing of it can have left.
        queued: when it was handed to a queue outside; None when it was not.
        attempts: made before.
        person: of its first row, or what stands in for one: it says in which part of all persons the message is.
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
    def series(self) -> str:
        """What may be under way beside it: chunks of one first load, which hold each person once; else its kind."""
        return self.message_id.rpartition("-")[0] if self.kind == LOAD else self.kind

    @property
    def ids(self) -> list[int]:
        """Of its rows."""
        return [each.id for each in self.rows]


def take(
    connection: Connection,
    key: EventsKey,
    receiver: str,
    *,
    limits: Limits,
    now: int,
    shards: int = 1,
    under_way: Collection[Batch] = (),
) -> Batch | None:
    """Choose what goes to a receiver next, and write the message's identifier to its rows.

    Args:
        connection: that writes.
        key: of this adapter's events.
        receiver: whose rows.
        limits: of one message.
        now: only what is due.
        shards: rows of one message are of one of so many parts of all persons.
        under_way: what this process sends to the receiver at the moment: none of it is taken again, nothing about its
            persons, and nothing that may not go beside it.

    Returns:
        None when nothing may go.
    """
    besides = [each.message_id for each in under_way]
    free = connection.execute(_free(receiver, now, besides).limit(limits.events * max(shards, _AHEAD))).all()
    if not free or not all(each.kind == free[0].kind and each.kind in _TOGETHER for each in under_way):
        return None
    head = free[0]
    if head.message is not None:
        rows = _rows_of(connection, receiver, head.message)
        found = _batch(connection, key, rows, now=now, most_bytes=None)
    else:
        ids = [head.id] if head.kind != NOTIFY or head.lone else _together(free, limits.events, shards)
        rows = connection.execute(select(OUTBOX).where(_C.id.in_(ids)).order_by(_C.id)).all()
        found = _batch(connection, key, rows, now=now, most_bytes=limits.bytes)
    if found is None or any(found.series != each.series for each in under_way):
        return None
    if found.fresh:
        connection.execute(update(OUTBOX).where(_in(found)).values(message=found.message_id))
    return found


def queued(
    connection: Connection, key: EventsKey, receiver: str, message_id: str, since: int, *, now: int
) -> Batch | None:
    """Return a message that was handed to a queue outside at a time; None when that is over, or never was."""
    rows = [each for each in _rows_of(connection, receiver, message_id) if each.queued == since]
    return _batch(connection, key, rows, now=now, most_bytes=None) if rows else None


def _stand_in(kind: str, number: int, person: bytes | None) -> bytes | None:
    """A chunk of a first load has no one person; its number spreads chunks as hashes spread persons."""
    return number.to_bytes(8) if kind == LOAD else person


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
    columns = (_C.message, _C.queued, _C.person, _C.kind, _C.id)
    rows = connection.execute(select(*columns).where(there).order_by(_C.id.desc())).all()
    found = {each.message: (each.queued, _stand_in(each.kind, each.id, each.person)) for each in rows}
    return [(message, *others) for message, others in found.items()]


def take_back(connection: Connection, receiver: str, *, before: int) -> int:
    """Let what a queue outside has lost be handed over again; returns how many rows."""
    lost = and_(_C.state == State.WAITING, _C.receiver == receiver, _C.queued < before)
    return connection.execute(update(OUTBOX).where(lost).values(queued=None)).rowcount


def sent(connection: Connection, key: EventsKey, batch: Batch, results: Mapping[int, Document], *, now: int) -> None:
    """Write down that the receiver has a message, and what it says of single rows of it."""
    done = {"finished": now, "queued": None, "recorded": 1, "problem": None, "attempts": batch.attempts + 1}
    connection.info[LEFT] = True
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
    connection.info[LEFT] = True
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


def anything(connection: Connection, receiver: str, *, now: int, besides: Collection[str] = ()) -> bool:
    """Tell whether something besides some messages may go to a receiver, without the lock that writing takes."""
    return connection.execute(_free(receiver, now, besides).limit(1)).first() is not None


def next_due(connection: Connection, receiver: str, *, now: int) -> int | None:
    """Return when something that waits for its time will be due."""
    waiting = and_(_C.state == State.WAITING, _C.receiver == receiver, _C.due > now)
    return connection.execute(select(func.min(_C.due)).where(waiting)).scalar()


def _free(receiver: str, now: int, besides: Collection[str] = ()) -> Select[Any]:
    """Rows that are due, in no message of ``besides``, and the first of their person that waits, in their order."""
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
        .where(or_(_C.message.is_(None), _C.message.not_in(besides)) if besides else true())
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
    connection: Connection, key: EventsKey, rows: Sequence[Row[Any]], *, now: int, most_bytes: int | None
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
            size += len(opened.text)
            if size > most_bytes and read:
                break
        read.append(opened)
    if not read:
        return None
    first = rows[0]
    return Batch(
        message_id=first.message or read[0].message_id or str(uuid.uuid4()),
        fresh=first.message is None,
        kind=first.kind,
        service=first.service,
        receiver=first.receiver,
        path=first.path,
        queued=first.queued,
        attempts=first.attempts,
        person=_stand_in(first.kind, first.id, first.person),
        rows=tuple(read),
    )


def _read(key: EventsKey, row: Row[Any]) -> Waiting | None:
    try:
        head, text = _parts(key.plain(row.sealed))
        if head["to"] != row.receiver or not text.startswith(b"{"):
            return None
        access = None if head["access"] is None else _access(head["access"])
        return Waiting(row.id, row.created, text, access, bool(row.recorded), head.get("message_id"))
    except (EventsError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _parts(plain: bytes) -> tuple[Document, bytes]:
    """Part what is sealed into what it says of the body, and the body as it is written."""
    head, _, rest = plain.partition(BODY)
    return json.loads(head + b"}"), rest[:-1]


def _access(data: Mapping[str, Any]) -> Access:
    return Access(
        purpose=data.get("purpose"),
        basis=data.get("basis"),
        given=tuple(data.get("given", ())),
        subjects=frozenset(PersonId(kind, value) for kind, value in data.get("subjects", ())),
        records=int(data.get("records", 1)),
    )


def _rows_of(connection: Connection, receiver: str, message_id: str) -> Sequence[Row[Any]]:
    its = and_(_C.message == message_id, _C.receiver == receiver, _C.state == State.WAITING)
    return connection.execute(select(OUTBOX).where(its).order_by(_C.id)).all()


def _in(batch: Batch) -> ColumnElement[bool]:
    return _waiting(batch.ids)


def _waiting(ids: Iterable[int]) -> ColumnElement[bool]:
    """What staff dropped meanwhile stays dropped."""
    return and_(_C.id.in_(list(ids)), _C.state == State.WAITING)
