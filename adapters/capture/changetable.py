"""Reads a table of changes in the order of its numbers, and waits for numbers that are missing.

It refuses to take a missing number for nothing: a transaction that took a smaller number may be committed after one
with a greater one. On PostgreSQL the server says when all transactions of that time have ended; elsewhere time must do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, column, func, select, text

from adapters.capture.config import ByTable
from adapters.errors import SourceError
from adapters.events.store import milliseconds
from adapters.source.render import table_of

LOOK_BACK: Final = 1_000  # numbers before the first start: their transactions may still have been open
MOST_GAPS: Final = 10_000  # a rolled-back import leaves as many; older ones are given up
_MANY: Final = 500  # of one statement
_PATIENCE: Final = timedelta(hours=1)  # where the server cannot say it: no transaction of an application is older
# PostgreSQL gives a number a moment before the transaction that takes it can be seen.
_SETTLED: Final = timedelta(seconds=60)
_SNAPSHOT: Final = text(
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, pg_snapshot_xmax(pg_current_snapshot())::text"
)

Gaps = dict[str, list[int]]  # the number, as JSON has it: when it was missed first, and PostgreSQL's horizon then


@dataclass(frozen=True, slots=True)
class Horizon:
    """PostgreSQL's transactions: all below ``oldest`` have ended, none is above ``next``; zeros elsewhere."""

    oldest: int = 0
    next: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """Records' keys that stand in the table, and whether there is more."""

    keys: tuple[str, ...]
    state: dict[str, Any]
    more: bool


def begin(connection: Connection, how: ByTable) -> dict[str, Any]:
    """Return where to start: a little before the greatest number, since what is known decides about a change."""
    greatest: ColumnElement[Any] = func.max(column(how.sequence))
    top = _whole(how, connection.execute(select(greatest).select_from(table_of(how.table))).scalar() or 0)
    return {"last": max(0, top - LOOK_BACK), "gaps": {}}


def look(connection: Connection, how: ByTable, state: dict[str, Any], at: datetime, limit: int) -> Looked:
    """Return the next changes, and those whose numbers were missing before; raises :class:`SourceError`."""
    before = _horizon(connection)  # first: what was over by then is seen by what is read now
    late = _late(connection, how, state["gaps"])
    sequence: ColumnElement[Any] = column(how.sequence)
    statement = select(sequence, column(how.key)).select_from(table_of(how.table)).where(sequence > state["last"])
    found = [(_whole(how, row[0]), row[1]) for row in connection.execute(statement.order_by(sequence).limit(limit))]
    numbers = [number for number, _key in found]
    gaps = {each: seen for each, seen in state["gaps"].items() if int(each) not in late}
    gaps = {each: seen for each, seen in gaps.items() if not _over(seen, before, at)}
    gaps |= _new_gaps(state["last"], numbers, _horizon(connection), at)
    gaps = dict(sorted(gaps.items(), key=lambda each: int(each[0]))[-MOST_GAPS:])
    keys = [*late.values(), *(key for _number, key in found)]
    last = numbers[-1] if numbers else state["last"]
    told = tuple(dict.fromkeys(str(each) for each in keys if each is not None))
    return Looked(told, {"last": last, "gaps": gaps}, len(found) == limit)


def _late(connection: Connection, how: ByTable, gaps: Gaps) -> dict[int, Any]:
    sequence: ColumnElement[Any] = column(how.sequence)
    numbers = [int(each) for each in gaps]
    found: dict[int, Any] = {}
    for start in range(0, len(numbers), _MANY):
        wanted = sequence.in_(numbers[start : start + _MANY])
        rows = connection.execute(select(sequence, column(how.key)).select_from(table_of(how.table)).where(wanted))
        found.update((_whole(how, row[0]), row[1]) for row in rows)
    return found


def _new_gaps(last: int, numbers: Sequence[int], horizon: Horizon, at: datetime) -> Gaps:
    if not numbers:
        return {}
    first, there = max(last + 1, numbers[-1] - MOST_GAPS), frozenset(numbers)
    missing = (each for each in range(first, numbers[-1]) if each not in there)
    return {str(each): [milliseconds(at), horizon.next] for each in missing}


def _over(seen: Sequence[int], horizon: Horizon, at: datetime) -> bool:
    """Tell whether a missing number can come no more."""
    since, then = seen
    age = timedelta(milliseconds=milliseconds(at) - since)
    if horizon.oldest and then:
        return horizon.oldest >= then and age > _SETTLED
    return age > _PATIENCE


def _horizon(connection: Connection) -> Horizon:
    if connection.dialect.name != "postgresql":
        return Horizon()
    oldest, following = connection.execute(_SNAPSHOT).one()
    return Horizon(int(oldest), int(following))


def _whole(how: ByTable, value: Any) -> int:  # noqa: ANN401  # what the column holds
    if isinstance(value, bool) or int(value) != value:
        raise SourceError(f"{how.table}.{how.sequence} is no sequence: take a column of whole numbers")
    return int(value)
