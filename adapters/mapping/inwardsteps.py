"""Transforms of records that are taken in: what the standard says becomes what a programme's own tables hold.

It refuses days and amounts that the local form cannot hold rather than cut them. Each undoes one of the transforms by
which records go out. :mod:`adapters.mapping.transforms` lists these.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from adapters.mapping.amountsteps import RIEL, exactly, integer
from adapters.mapping.daysteps import BUDDHIST_ERA, day_of, zone_of
from adapters.mapping.steps import Step, TransformError, remembered, text_of

_FORMS: Final = MappingProxyType({
    "iso": "{0:04d}-{1:02d}-{2:02d}", "dmy-slash": "{2:02d}/{1:02d}/{0:04d}", "dmy-dash": "{2:02d}-{1:02d}-{0:04d}",
    "dmy-dot": "{2:02d}.{1:02d}.{0:04d}", "ymd-slash": "{0:04d}/{1:02d}/{2:02d}",
    "ymd-compact": "{0:04d}{1:02d}{2:02d}",
})  # fmt: skip
_MONTHS: Final = MappingProxyType({"ym-compact": "", "ym-dash": "-"})
_GROUPED: Final = "#,###"
_MONTH_LENGTH: Final = 7  # 2026-01


def strip_zeros(value: object) -> str:
    """Take the zeros in front of a code of digits away, as a register does that holds it as a number."""
    text = text_of(value).strip()
    if not text.isascii() or not text.isdigit():
        raise TransformError("is not a code of digits")
    return text.lstrip("0") or "0"


def _date_step(argument: Mapping[str, str]) -> Step:
    form, offset = _FORMS[argument["format"]], _offset(argument)

    def step(value: Any) -> str:  # noqa: ANN401  # steps are chained without knowing each other
        day = day_of(value)
        return form.format(day.year + offset, day.month, day.day)

    return remembered(step)


def _offset(argument: Mapping[str, str]) -> int:
    return BUDDHIST_ERA if argument.get("era") == "buddhist" else 0


def _month_step(argument: Mapping[str, str]) -> Step:
    separator = _MONTHS[argument["format"]]

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        text = text_of(value)
        if len(text) != _MONTH_LENGTH or text[4] != "-":
            raise TransformError("is not a month of the standard")
        return f"{text[:4]}{separator}{text[5:]}"

    return step


def _time_step(argument: Mapping[str, str]) -> Step:
    """A time as databases hold it: of the mapping's zone, without naming it."""
    zone = zone_of(argument["zone"])

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        try:
            read = datetime.fromisoformat(text_of(value))
        except ValueError:
            raise TransformError("is not a time in ISO 8601") from None
        if read.tzinfo is None:
            raise TransformError("is a time without a zone")
        return f"{read.astimezone(zone):%Y-%m-%d %H:%M:%S}"

    return step


def _year_step(argument: Mapping[str, str]) -> Step:
    offset = _offset(argument)
    return lambda value: integer(value) + offset


def _riel_step(argument: Mapping[str, str]) -> Step:
    factor, text = RIEL[argument["unit"]], argument.get("text")

    def step(value: Any) -> int | str:  # noqa: ANN401  # as above
        amount = exactly(value) / factor
        if amount != amount.to_integral_value():
            raise TransformError("is not a whole amount of the unit that is written here")
        whole = int(amount)
        if text is None:
            return whole
        return text.replace(_GROUPED, f"{whole:,}") if _GROUPED in text else text.replace("#", f"{whole}")

    return step


def _yes_no_step(argument: Mapping[str, str | int]) -> Step:
    yes, no = argument["yes"], argument["no"]

    def step(value: Any) -> str | int:  # noqa: ANN401  # as above
        if not isinstance(value, bool):
            raise TransformError("is neither true nor false")
        return yes if value else no

    return step


def _list_step(argument: Mapping[str, str]) -> Step:
    separator = argument["separator"]

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        if not isinstance(value, list):
            raise TransformError("is not a list")
        parts = [text_of(each) for each in value]
        if any(separator.strip() and separator.strip() in each for each in parts):
            raise TransformError("has an element with the separator in it")
        return separator.join(parts)

    return step


INWARD_STEPS: Final[Mapping[str, Callable[[Any], Step]]] = MappingProxyType({
    "write_date": _date_step,
    "write_month": _month_step,
    "write_time": _time_step,
    "write_year": _year_step,
    "write_riel": _riel_step,
    "write_yes_no": _yes_no_step,
    "write_list": _list_step,
})  # fmt: skip
