"""Finds the records whose version grew: rows of the record's table, or of one that belongs to it, above a position.

It refuses to believe that versions come in order: transactions end late, clocks are set back, and two rows have one
time. So rows within an overlap below the newest one are looked at again, and what is known of them decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, column, func, or_, select

from adapters.capture.config import Watched
from adapters.errors import SourceError
from adapters.events.store import milliseconds
from adapters.source.render import table_of

_NUMBER, _TEXT, _TIME = "number", "text", "time"
_QUIET: Final = timedelta(minutes=4)  # nothing newer for so long: then no transaction of before is still open
_SECONDS: Final = 19  # 2026-11-28T03:04:05: what is longer sorts after it

Row = tuple[Any, Any]


@dataclass(frozen=True, slots=True)
class Lowest:
    """From where rows are read: at this version, or only above it; None from the start."""

    value: Any = None
    above: bool = False


def newest(connection: Connection, watched: Watched) -> Any:  # noqa: ANN401  # what the column holds
    """Return the greatest version that there is."""
    return connection.execute(select(func.max(column(watched.column))).select_from(table_of(watched.table))).scalar()


def rows(connection: Connection, watched: Watched, low: Lowest, after: Row | None, limit: int) -> list[Row]:
    """Return the next rows as version and record's key, in the order of both."""
    version: ColumnElement[Any] = column(watched.column)
    key: ColumnElement[Any] = column(watched.key)
    conditions: list[ColumnElement[bool]] = [version.is_not(None), key.is_not(None)]
    if low.value is not None:
        conditions.append(version > low.value if low.above else version >= low.value)
    if after is not None:
        conditions.append(or_(version > after[0], and_(version == after[0], key > after[1])))
    statement = select(version, key).select_from(table_of(watched.table)).where(*conditions)
    found = connection.execute(statement.order_by(version, key).limit(limit))
    return [(row[0], row[1]) for row in found]


def lowest(watched: Watched, state: dict[str, Any] | None, overlap: int, at: datetime) -> Lowest:
    """Return from where to read, by what was written after the last look; raises :class:`SourceError`."""
    if state is None or state["value"] is None:
        return Lowest()
    value = decoded(state)
    quiet = max(_QUIET, timedelta(seconds=2 * overlap))
    if milliseconds(at) - state["since"] > quiet // timedelta(milliseconds=1):
        return Lowest(value, above=True)
    return Lowest(_below(watched, value, overlap))


def written(watched: Watched, state: dict[str, Any] | None, found: Sequence[Any], at: datetime) -> dict[str, Any]:
    """Return what to write after a look: the greatest version so far, and since when it is that."""
    versions = [each for each in found if each is not None]
    if state is not None and state["value"] is not None:
        versions.append(decoded(state))
    if not versions:
        return {"kind": _NUMBER, "value": None, "since": milliseconds(at)}
    try:
        top = max(versions)
    except TypeError:
        raise _unusable(watched) from None
    if state is not None and state["value"] is not None and decoded(state) == top:
        return state
    return {**_encoded(watched, top), "since": milliseconds(at)}


def decoded(state: dict[str, Any]) -> Any:  # noqa: ANN401  # as the column holds it
    """Return a version as the database compares it."""
    return datetime.fromisoformat(state["value"]) if state["kind"] == _TIME else state["value"]


def _encoded(watched: Watched, value: Any) -> dict[str, Any]:  # noqa: ANN401  # as above
    match value:
        case bool():
            raise _unusable(watched)
        case int():
            return {"kind": _NUMBER, "value": value}
        case Decimal() if value == value.to_integral_value():
            return {"kind": _NUMBER, "value": int(value)}
        case datetime():
            return {"kind": _TIME, "value": value.isoformat()}
        case str():
            return {"kind": _TEXT, "value": value}
        case _:
            raise _unusable(watched)


def _below(watched: Watched, value: Any, overlap: int) -> Any:  # noqa: ANN401  # as above
    if isinstance(value, int):
        return value - overlap
    if isinstance(value, datetime):
        return value - timedelta(seconds=overlap)
    try:
        earlier = datetime.fromisoformat(value).replace(tzinfo=None) - timedelta(seconds=overlap)
    except ValueError:
        raise _unusable(watched) from None
    # Written as the column writes it and no finer than a second: then it sorts before every time of that second.
    return earlier.isoformat(sep=value[10:11] or "T")[: min(_SECONDS, len(value))]


def _unusable(watched: Watched) -> SourceError:
    return SourceError(f"{watched.table}.{watched.column} is no version: take whole numbers, times, or ISO 8601 texts")
