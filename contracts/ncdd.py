"""The administrative codes of Cambodia: which provinces, districts, communes and villages exist.

It refuses to know names and borders, and reads no optional package: its table is data of the standard, so that an
address is judged alike everywhere. Schemas reach it by the formats of :data:`FORMATS`; docs/cambodia-profile.md says
how the table is made and how a new year's codes are added.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

TABLE: Final = Path(__file__).parent / "data" / "ncdd-2025.json"
LEVELS: Final[Mapping[str, int]] = MappingProxyType({"province": 2, "district": 4, "commune": 6, "village": 8})


@cache
def codes(level: str) -> frozenset[str]:
    """Return all codes of a level of :data:`LEVELS`; raises ``KeyError`` for another level."""
    digits = LEVELS[level]
    if level == "village":
        return frozenset(_villages())
    return frozenset(commune[:digits] for commune in _communes())


def exists(code: str) -> bool:
    """Tell whether a code of two, four, six or eight digits names a place."""
    level = next((name for name, digits in LEVELS.items() if digits == len(code)), None)
    return level is not None and code in codes(level)


@cache
def _communes() -> Mapping[str, str]:
    communes: Mapping[str, str] = json.loads(TABLE.read_text(encoding="utf-8"))["communes"]
    return communes


def _villages() -> Iterator[str]:
    for commune, runs in _communes().items():
        for run in runs.split():
            first, _dash, last = run.partition("-")
            yield from (f"{commune}{number:02d}" for number in range(int(first), int(last or first) + 1))


def _format(level: str) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or value in codes(level)


FORMATS: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {f"ncdd-{level}": _format(level) for level in LEVELS}
)
