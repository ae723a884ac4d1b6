"""Transforms of numbers, amounts of riel and units.

It refuses numbers that a spreadsheet has made unreadable rather than guess them. Amounts of riel are whole, since there
is no smaller coin. :mod:`adapters.mapping.transforms` lists these.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from adapters.mapping.steps import KHMER_DIGITS, Step, TransformError, text_of

_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,10})?", re.ASCII)
_CURRENCY: Final = re.compile(r"^(KHR|៛)|(KHR|៛|រៀល|riels?)$", re.IGNORECASE)
_GROUPED: Final = re.compile(r"\d{1,3}([., \u00a0\u202f])\d{3}(\1\d{3})*", re.ASCII)
_NOT_DIGITS: Final = re.compile(r"\D", re.ASCII)
RIEL: Final = MappingProxyType({"riel": 1, "thousand": 1_000, "million": 1_000_000})
# Each unit is so many of the smallest one of its kind.
_UNITS: Final = MappingProxyType({
    "g": ("mass", 1), "kg": ("mass", 1_000),
    "mm": ("length", 1), "cm": ("length", 10), "m": ("length", 1_000), "km": ("length", 1_000_000),
    "m2": ("area", 1), "are": ("area", 100), "ha": ("area", 10_000),
    "minute": ("time", 1), "hour": ("time", 60), "day": ("time", 1_440), "week": ("time", 10_080),
    "month": ("months", 1), "year": ("months", 12),
})  # fmt: skip


def integer(value: object) -> int:
    """Return a whole number; text of digits is read as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = text_of(value).strip()
    if not _INTEGER.fullmatch(text):
        raise TransformError("is not a whole number")
    return int(text)


def decimal(value: object) -> float:
    """Return a decimal number; text with a point is read as one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    text = text_of(value).strip()
    if not _DECIMAL.fullmatch(text):
        raise TransformError("is not a decimal number")
    return float(text)


def _finite(value: float) -> float:
    """Refuse what JSON cannot say: infinity, no number, and whole numbers beyond a float's range."""
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise TransformError("is not a number that can be written")
    return found


def exactly(value: object) -> Decimal:
    """Return a number without the error that binary fractions have."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value)) if isinstance(value, int) else Decimal(str(_finite(value)))
    text = text_of(value).strip()
    if not _DECIMAL.fullmatch(text):
        raise TransformError("is not a number")
    return Decimal(text)


def _riel_step(argument: Mapping[str, str]) -> Step:
    factor = RIEL[argument["unit"]]

    def step(value: Any) -> int:  # noqa: ANN401  # a number or text
        number = exactly(_bare(value) if isinstance(value, str) else value) * factor
        if number != number.to_integral_value():
            raise TransformError("is not a whole number of riel")
        return int(number)

    return step


def _bare(text: str) -> str:
    """Take currency, Khmer digits and marks between thousands away: 40,000 and 40.000 are both forty thousand."""
    bare = _CURRENCY.sub("", text.strip().translate(KHMER_DIGITS)).strip()
    return _NOT_DIGITS.sub("", bare) if _GROUPED.fullmatch(bare) else bare


def _unit_step(argument: Mapping[str, str]) -> Step:
    (_kind, factor), (_same, divisor) = _UNITS[argument["from"]], _UNITS[argument["to"]]

    def step(value: Any) -> int | float:  # noqa: ANN401  # as above
        number = exactly(value) * factor / divisor
        return int(number) if number == number.to_integral_value() else float(number)

    return step


def units_fit(argument: Mapping[str, str]) -> bool:
    """Tell whether one unit can be turned into the other."""
    return _UNITS[argument["from"]][0] == _UNITS[argument["to"]][0]


AMOUNT_STEPS: Final[Mapping[str, Callable[[Any], Step]]] = MappingProxyType({
    "riel": _riel_step,
    "unit": _unit_step,
})  # fmt: skip
