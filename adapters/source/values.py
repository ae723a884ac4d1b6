"""Makes the values of all databases alike: what a mapping sees is what JSON has, whichever engine it came from.

It refuses binary values, which no record of the standard has. A day is ``YYYY-MM-DD`` and a time ISO 8601.
Every kind of source hands its cells through :func:`plain` before a record is put together.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from adapters.errors import RecordUnreadable

AS_THEY_ARE: Final = frozenset({str, int, float, bool, type(None), dict, list})  # types of values that JSON has


def plain(value: Any) -> Any:  # noqa: ANN401  # whatever a driver gives
    """Return a value as JSON has it; raises :class:`RecordUnreadable` for one that JSON has not."""
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    try:
        return _PLAIN[kind](value)
    except KeyError:
        raise RecordUnreadable(
            f"a column holds a {kind.__name__}, which no record can have: leave the column out"
        ) from None


def _decimal(value: Decimal) -> int | float:
    """A whole amount of riel stays a whole number."""
    return int(value) if value == value.to_integral_value() else float(value)


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType({
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
    timedelta: str,
    Decimal: _decimal,
    UUID: str,
})  # fmt: skip
