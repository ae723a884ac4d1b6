"""Makes the values that nobody sends: numbers of new records, constants, times.

It refuses to guess a format: a number is counted up from the largest with its prefix, or drawn from declared letters.
:mod:`adapters.writing.applying` uses one for each chunk of events.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, column, func, select

from adapters.source.render import table_of
from adapters.writing.definition import Maker
from adapters.writing.incoming import Rejected

CAMBODIA: Final = timezone(timedelta(hours=7))
_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


class Making:
    """Makes values within one transaction, which it reads the largest numbers in."""

    def __init__(self, connection: Connection, sender: str, at: datetime) -> None:
        self._connection, self._sender = connection, sender
        self._at = at.astimezone(CAMBODIA)
        self._last: dict[tuple[str, str, str], int] = {}

    def make(self, maker: Maker, place: tuple[str, str], event: tuple[str, datetime], before: Any = None) -> Any:  # noqa: ANN401  # a column's value
        """Make one value.

        Args:
            maker: how.
            place: table and column.
            event: identifier and time of the event.
            before: what stands there, for counting up.
        """
        match maker.kind:
            case "value":
                return maker.argument
            case "now":
                return f"{self._at:%Y-%m-%d}" if maker.argument == "date" else f"{self._at:%Y-%m-%d %H:%M:%S}"
            case "add":
                return (before or 0) + maker.argument
            case "event":
                day = f"{event[1].astimezone(CAMBODIA):%Y-%m-%d}"
                return {"id": event[0], "day": day, "sender": self._sender}[maker.argument]
            case "random":
                letters = maker.argument["letters"]
                return "".join(secrets.choice(letters) if each == "?" else each for each in maker.argument["shape"])
            case _:
                return self._next(maker.argument, place)

    def _next(self, argument: Mapping[str, Any], place: tuple[str, str]) -> int | str:
        prefix, digits = argument.get("prefix"), argument.get("digits", 0)
        known = (*place, prefix or "")
        if known not in self._last:
            self._last[known] = self._largest(place, prefix, digits)
        self._last[known] += 1
        number = self._last[known]
        if prefix is None:
            return number
        if len(str(number)) > digits:
            raise Rejected(f"new: the numbers of {digits} digits for {place[1]} are used up")
        return f"{prefix}{number:0{digits}d}"

    def _largest(self, place: tuple[str, str], prefix: str | None, digits: int) -> int:
        found: ColumnElement[Any] = column(place[1])
        wanted = select(func.max(found)).select_from(table_of(place[0]))
        if prefix is None:
            return int(self._connection.execute(wanted).scalar_one() or 0)
        # A number is one of these only if nothing but digits follows the prefix, and as many as declared.
        alike = wanted.where(found.like(f"{_escaped(prefix)}{'_' * digits}", escape="!"))
        largest = self._connection.execute(alike).scalar_one()
        tail = "" if largest is None else str(largest)[len(prefix) :]
        return int(tail) if tail.isascii() and tail.isdigit() else 0


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Put the values of fields into a text such as ``{familyNo}/{line}``."""
    return _FIELD.sub(lambda found: str(values.get(found[1], "")), text)


def named(text: str) -> tuple[str, ...]:
    """Return the fields that a text names."""
    return tuple(_FIELD.findall(text))


def _escaped(prefix: str) -> str:
    return re.sub(r"([!%_])", r"!\1", prefix)
