"""What the outbox holds, for staff, metrics and health; and what staff may do about it: retry, drop, let go.

It refuses to touch what was sent, and to forget why something was dropped and by whom. All of it is synchronous work
for a transaction of :class:`adapters.events.EventsStore`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from adapters.errors import EventsError
from adapters.events.keys import EventsKey
from adapters.events.model import Document
from adapters.events.store import milliseconds, moment
from adapters.events.tables import OUTBOX
from adapters.outbox.rows import State

COUNTED: Final = (State.WAITING, State.DEAD, State.REJECTED)  # what was sent may be millions of rows
OVER: Final = (State.SENT, State.REJECTED, State.DROPPED)
LET_GO: Final = 500  # rows at a time, so that nobody waits long for the database
_C: Final = OUTBOX.c


@dataclass(frozen=True, slots=True)
class Depth:
    """How much there is for one receiver in one state, and since when the oldest of it waits that could go."""

    receiver: str
    state: State
    rows: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows staff ask for; None and nothing mean any."""

    states: tuple[State, ...] = ()
    receiver: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, without what is sealed of it."""

    id: int
    key: str
    kind: str
    service: str
    receiver: str
    path: str
    created: datetime
    due: datetime
    attempts: int
    state: State
    message_id: str | None
    problem: str | None
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Opened:
    """One row with what is sealed of it; None where there is nothing."""

    entry: Entry
    body: Document
    access: Document | None
    result: Document | None


def depths(connection: Connection, *, now: int) -> list[Depth]:
    """Count what waits, is dead or was rejected, by receiver."""
    each = select(_C.receiver, _C.state, func.count()).where(_C.state.in_(COUNTED)).group_by(_C.receiver, _C.state)
    return [
        Depth(receiver, State(state), number, _oldest(connection, receiver, now) if state == State.WAITING else None)
        for receiver, state, number in connection.execute(each).all()
    ]


def _oldest(connection: Connection, receiver: str, now: int) -> datetime | None:
    """Return since when something waits; what is meant for tonight does not wait yet."""
    tried = or_(_C.due <= now, _C.attempts > 0, _C.message.is_not(None))
    waiting = and_(_C.state == State.WAITING, _C.receiver == receiver, tried)
    found = connection.execute(select(_C.created).where(waiting).order_by(_C.id).limit(1)).scalar()
    return None if found is None else moment(found)


def find(connection: Connection, filters: Filters, *, after: int, limit: int) -> list[Entry]:
    """Return rows in their order, from beyond ``after``."""
    wanted = select(OUTBOX).where(_C.id > after, *_conditions(filters)).order_by(_C.id).limit(limit)
    return [_entry(each) for each in connection.execute(wanted).all()]


def open_row(connection: Connection, key: EventsKey, number: int) -> Opened:
    """Return one row with its content; raises :class:`EventsError` when there is none, or another key is needed."""
    row = _row(connection, number)
    sealed = key.unseal(row.sealed)
    result = None if row.result is None else key.unseal(row.result)
    return Opened(_entry(row), sealed["body"], sealed["access"], result)


def retry(connection: Connection, number: int, *, now: int) -> Entry:
    """Let a dead or rejected row be sent again; raises :class:`EventsError` when it is neither."""
    row = _row(connection, number)
    if row.state == State.WAITING and row.queued is None:
        connection.execute(update(OUTBOX).where(_C.id == number).values(due=now))
        return _entry(row)
    if row.state not in {State.DEAD, State.REJECTED}:
        raise EventsError(f"row {number} is {_word(row)}: only what is waiting, dead or rejected is sent again")
    connection.execute(update(OUTBOX).where(_C.id == number).values(**_again(now)))
    return _entry(row)


def retry_all(connection: Connection, receiver: str | None, *, now: int) -> int:
    """Let all dead rows be sent again, or those of one receiver; returns how many."""
    which = and_(_C.state == State.DEAD, *_conditions(Filters(receiver=receiver)))
    return connection.execute(update(OUTBOX).where(which).values(**_again(now))).rowcount


def drop(connection: Connection, key: EventsKey, number: int, *, reason: str, by: str, at: datetime) -> Entry:
    """Give a row up, and keep why and by whom; raises :class:`EventsError` when it is over already.

    Args:
        connection: that writes.
        key: of this adapter's events.
        number: of the row.
        reason: in staff's own words, which may be about a person: it is sealed.
        by: the user of the operating system.
        at: now.
    """
    row = _row(connection, number)
    if row.state not in {State.WAITING, State.DEAD}:
        raise EventsError(f"row {number} is {_word(row)}: only what is waiting or dead can be dropped")
    note = {"dropped": {"reason": reason, "by": by, "at": at.isoformat(timespec="seconds"), "problem": row.problem}}
    values = {"state": State.DROPPED, "queued": None, "finished": milliseconds(at), "result": key.seal(note)}
    connection.execute(update(OUTBOX).where(_C.id == number).values(**values))
    return _entry(row)


def let_go(connection: Connection, *, days: int, at: datetime) -> int:
    """Remove some rows that have been over for so many days; returns how many."""
    before = milliseconds(at - timedelta(days=days))
    old = select(_C.id).where(_C.state.in_(OVER), _C.finished < before).limit(LET_GO)
    return connection.execute(delete(OUTBOX).where(_C.id.in_(old))).rowcount


def _again(now: int) -> dict[str, Any]:
    """Under a new message: the receiver may have rejected the old one, and knows its identifier."""
    return {"state": State.WAITING, "due": now, "attempts": 0, "message": None, "finished": None, "result": None}


def _conditions(filters: Filters) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.states:
        found.append(_C.state.in_(filters.states))
    if filters.receiver is not None:  # a service, or all services of a subsystem
        within = _C.receiver.startswith(f"{filters.receiver}/", autoescape=True)
        found.append(or_(_C.receiver == filters.receiver, within))
    if filters.before is not None:
        found.append(_C.created < milliseconds(filters.before))
    return found


def _row(connection: Connection, number: int) -> Row[Any]:
    row = connection.execute(select(OUTBOX).where(_C.id == number)).one_or_none()
    if row is None:
        raise EventsError(f"there is no row {number}: `spean outbox list` shows their numbers")
    return row


def _word(row: Row[Any]) -> str:
    return "under way in the queue" if row.state == State.WAITING else str(row.state)


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        key=row.key,
        kind=row.kind,
        service=row.service,
        receiver=row.receiver,
        path=row.path,
        created=moment(row.created),
        due=moment(row.due),
        attempts=row.attempts,
        state=State(row.state),
        message_id=row.message,
        problem=row.problem,
        finished=None if row.finished is None else moment(row.finished),
    )
