"""Transforms of days, months, years and times, in the common or the Buddhist era.

It refuses days that do not exist and formats that the mapping does not name; it never guesses which of two numbers is
the month. The standard writes a day as midnight in Cambodia. :mod:`adapters.mapping.transforms` lists these.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final

from adapters.mapping.model import MISSING
from adapters.mapping.steps import Step, TransformError, remembered, text_of

# The years by which the Buddhist era, as Cambodian papers count it, is ahead of the common era.
BUDDHIST_ERA: Final = 543
_MIDNIGHT: Final = "T00:00:00+07:00"
_DATE_FORMATS: Final = MappingProxyType({
    "iso": re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})", re.ASCII),
    "iso-timestamp": re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})[T ]\d{2}:\d{2}.*", re.ASCII),
    "dmy-slash": re.compile(r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
    "dmy-dash": re.compile(r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})", re.ASCII),
    "dmy-dot": re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})", re.ASCII),
    "ymd-slash": re.compile(r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})", re.ASCII),
    "ymd-compact": re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})", re.ASCII),
})  # fmt: skip
_MONTH_FORMATS: Final = MappingProxyType({
    "ym-compact": re.compile(r"(\d{4})(\d{2})", re.ASCII),
    "ym-dash": re.compile(r"(\d{4})-(\d{2})", re.ASCII),
})  # fmt: skip
_WHOLE: Final = re.compile(r"\d{1,4}", re.ASCII)
_ZONE: Final = re.compile(r"(?P<sign>[+-])(?P<h>\d{2}):(?P<m>\d{2})", re.ASCII)
_MONTHS: Final = range(1, 13)
# Registers mix the eras. Nobody alive, and no paper in use, is of a year before 1800: it was one of the common era, and
# was read as the other's. Years from 2400 to 2700 are Buddhist ones that were read as they stand.
_FIRST_YEAR: Final = 1800
_OTHER_ERA: Final = range(2400, 2701)


def _day(value: object, pattern: re.Pattern[str], offset: int) -> date:
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    match = pattern.fullmatch(text_of(value).strip())
    if match is None:
        raise TransformError("is not a day of the format that the mapping names")
    return _existing(int(match["y"]) - offset, int(match["m"]), int(match["d"]))


def day_of(value: object) -> date:
    """Return a day of the standard: midnight in Cambodia."""
    text = text_of(value)
    if not text.endswith(_MIDNIGHT):
        raise TransformError("is not a day of the standard")
    return _day(text.removesuffix(_MIDNIGHT), _DATE_FORMATS["iso"], 0)


def _existing(year: int, month: int, day: int) -> date:
    check_era(year)
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise TransformError("is a day that does not exist") from None


def check_era(year: int) -> None:
    """Raise :class:`TransformError` for a year of the common era that only the wrong era can have given."""
    if year < _FIRST_YEAR or year in _OTHER_ERA:
        raise TransformError("has a year of another era than the mapping names")


def _offset(argument: Mapping[str, str]) -> int:
    return BUDDHIST_ERA if argument.get("era") == "buddhist" else 0


def _date_step(argument: Mapping[str, str]) -> Step:
    pattern, offset = _DATE_FORMATS[argument["format"]], _offset(argument)
    return remembered(lambda value: _day(value, pattern, offset).isoformat() + _MIDNIGHT)


def _year_step(argument: Mapping[str, str]) -> Step:
    pattern, offset = _DATE_FORMATS[argument["format"]], _offset(argument)
    return lambda value: _day(value, pattern, offset).year


def _part_step(argument: Mapping[str, str]) -> Step:
    pattern, offset, part = _DATE_FORMATS[argument["format"]], _offset(argument), argument["part"]
    return lambda value: getattr(_day(value, pattern, offset), part)


def _parts_step(argument: Mapping[str, str]) -> Step:
    """Year, month and day from three fields; without month or day there is no day to write."""
    offset = _offset(argument)

    def step(values: Any) -> Any:  # noqa: ANN401  # MISSING or text
        if any(each in (MISSING, None, "") for each in values):
            return MISSING
        year, month, day = (_number(each) for each in values)
        return _existing(year - offset, month, day).isoformat() + _MIDNIGHT

    return step


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not _WHOLE.fullmatch(text_of(value).strip()):
        raise TransformError("a part of the day is not a whole number")
    return int(text_of(value))


def _timestamp_step(argument: Mapping[str, str]) -> Step:
    """A time without a zone is one of the mapping's zone; one with a zone keeps it."""
    zone = zone_of(argument.get("zone", "+07:00"))

    def step(value: Any) -> str:  # noqa: ANN401  # a time or text
        try:
            read = value if isinstance(value, datetime) else datetime.fromisoformat(text_of(value).strip())
        except ValueError:
            raise TransformError("is not a time in ISO 8601") from None
        aware = read if read.tzinfo is not None else read.replace(tzinfo=zone)
        return aware.isoformat(timespec="seconds")

    return step


def zone_of(text: str) -> timezone:
    """Return a zone such as ``+07:00``."""
    match = _ZONE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is no zone")  # the mapping's schema has the same pattern
    offset = timedelta(hours=int(match["h"]), minutes=int(match["m"]))
    return timezone(-offset if match["sign"] == "-" else offset)


def _month_step(argument: Mapping[str, str]) -> Step:
    pattern = _MONTH_FORMATS[argument["format"]]

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        match = pattern.fullmatch(text_of(value).strip())
        if match is None or int(match[2]) not in _MONTHS:
            raise TransformError("is not a month of the format that the mapping names")
        return f"{match[1]}-{match[2]}"

    return step


DAY_STEPS: Final[Mapping[str, Callable[[Any], Step]]] = MappingProxyType({
    "date": _date_step,
    "date_from_parts": _parts_step,
    "date_part": _part_step,
    "month": _month_step,
    "timestamp": _timestamp_step,
    "year_from_date": _year_step,
})  # fmt: skip
