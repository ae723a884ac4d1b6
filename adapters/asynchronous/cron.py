"""Reads the cron expression of a subscription's frequency, and says when it comes next.

It refuses what programs read differently (L, W, #) and expressions without five, six or seven fields. DCI shows the
form of Quartz, seconds first and a year last, so both that and the usual five fields are read, in the caller's zone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

_DAYS: Final = 367  # no subscription lasts longer
_YEARS: Final = range(1970, 2100)  # Quartz's own
_SUNDAY: Final = 7  # besides 0, in the five fields; Saturday in Quartz's, which count from 1
_UNIX_FIELDS: Final = 5
_QUARTZ_FIELDS: Final = (6, 7)
_ITEM: Final = re.compile(r"(\*|\?|[A-Z]{3}|[0-9]{1,4})(?:-([A-Z]{3}|[0-9]{1,4}))?(?:/([0-9]{1,4}))?", re.ASCII)
_MONTHS: Final = MappingProxyType({
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), start=1)  # noqa: SIM905
})  # fmt: skip
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class BadCron(ValueError):  # noqa: N818  # a ValueError says the rest
    """The text is no cron expression that is read here."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The values of each field; days of the week count from 0, Sunday."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    years: tuple[int, ...]
    either: bool  # both day fields are narrowed: either of them is enough, as cron has it

    @property
    def at_once(self) -> bool:
        """Whether it comes each second: then nothing waits for it."""
        return len(self.seconds) == 60 and len(self.minutes) == 60 and len(self.hours) == 24  # noqa: PLR2004

    def after(self, at: datetime) -> datetime | None:
        """Return the first time after ``at``, in its zone; None when there is none within a subscription's length."""
        start = at.replace(microsecond=0) + timedelta(seconds=1)
        for ahead in range(_DAYS):
            day = start.date() + timedelta(days=ahead)
            if self._has(day):
                found = self._first(time() if ahead else start.time())
                if found is not None:
                    return datetime.combine(day, found, tzinfo=at.tzinfo)
        return None

    def _has(self, day: date) -> bool:
        if day.month not in self.months or day.year not in self.years:
            return False
        fits = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return any(fits) if self.either else all(fits)

    def _first(self, start: time) -> time | None:
        for hour in self.hours:
            for minute in self.minutes if hour >= start.hour else ():
                for second in self.seconds if (hour, minute) >= (start.hour, start.minute) else ():
                    found = time(hour, minute, second)
                    if found >= start:
                        return found
        return None


def parse(text: str) -> Cron:
    """Read an expression; raises :class:`BadCron`, whose message repeats nothing of it."""
    fields = text.upper().split()
    quartz = len(fields) in _QUARTZ_FIELDS
    if len(fields) != _UNIX_FIELDS and not quartz:
        raise BadCron("a cron expression has five fields, or six or seven with seconds first and the year last")
    second, minute, hour, day, month, weekday, year = _seven(fields)
    return Cron(
        seconds=_values(second, range(60)),
        minutes=_values(minute, range(60)),
        hours=_values(hour, range(24)),
        days=_values(day, range(1, 32)),
        months=_values(month, range(1, 13), _MONTHS),
        weekdays=_weekdays(weekday, quartz=quartz),
        years=_values(year, _YEARS),
        either=day not in {"*", "?"} and weekday not in {"*", "?"},
    )


def _seven(fields: list[str]) -> list[str]:
    if len(fields) == _UNIX_FIELDS:
        return ["0", *fields, "*"]
    return fields if len(fields) == max(_QUARTZ_FIELDS) else [*fields, "*"]


def _weekdays(text: str, *, quartz: bool) -> tuple[int, ...]:
    """Quartz counts days of the week from 1, Sunday; the five fields from 0, with 7 for Sunday again."""
    first = 1 if quartz else 0
    names = {name: number for number, name in enumerate(_WEEKDAYS, start=first)}
    found = _values(text, range(first, _SUNDAY + 1), names)
    return tuple(sorted({(each - first) % 7 for each in found}))


def _values(text: str, known: range, names: Mapping[str, int] = _NONE) -> tuple[int, ...]:
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise BadCron("a field holds numbers, names, *, ?, lists, ranges and steps; L, W and # are not read")
        first, last, step = match.groups()
        found.update(_range(first, last, step, known, names))
    return tuple(sorted(found))


def _range(first: str, last: str | None, step: str | None, known: range, names: Mapping[str, int]) -> range:
    whole = first in {"*", "?"}
    if (whole and last is not None) or step == "0":
        raise BadCron("a range is two numbers or names, and a step is at least 1")
    low = known.start if whole else _number(first, known, names)
    high = known.stop - 1 if whole or (last is None and step) else low if last is None else _number(last, known, names)
    if high < low:
        raise BadCron("a range ends before it begins")
    return range(low, high + 1, int(step or 1))


def _number(text: str, known: range, names: Mapping[str, int]) -> int:
    number = names.get(text) if text.isalpha() else int(text)
    if number is None or number not in known:
        raise BadCron("a number or name stands outside its field")
    return number
