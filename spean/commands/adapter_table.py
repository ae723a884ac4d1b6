"""Lays a traced record out as a table: before, after, and the rule between them.

It refuses to shorten what stands after, so that a person sees what would be given; long values before are cut.
Widths count what a terminal shows, in which Khmer signs stand on their letter.
"""

import json
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

from adapters.mapping.model import MISSING
from adapters.mapping.tracing import Trace

_NO_WIDTH: Final = frozenset({"Mn", "Me", "Cf"})
_SMALLEST: Final = 24
Row = tuple[str, str, str]
HEADER: Final = ("before · មុន", "after · ក្រោយ", "rule · វិធាន")


def rows(found: Trace) -> Iterator[Row]:
    """Yield what was written, then what was not, then what is ignored."""
    for line in found.lines:
        steps = f": {', '.join(line.steps)}" if line.steps else ""
        yield _read(line.source, line.read), f"{line.path} = {_shown(line.value)}", f"{line.rule}{steps}"
    for silent in found.silent:
        yield _read(silent.source, silent.read), "(nothing is written)", silent.rule
    for ignored, values in found.ignored:
        if values:
            yield _read(ignored.path, tuple(values[:1])), "(ignored)", ignored.reason


def table(found: Iterator[Row]) -> Iterator[str]:
    """Yield lines for the width of the screen."""
    width = max(_SMALLEST, (shutil.get_terminal_size((140, 24)).columns - 6) // 3)
    yield _line(HEADER, width)
    yield "-" * (3 * width + 6)
    for row in found:
        yield _line(row, width)


def _line(row: Row, width: int) -> str:
    before, after, rule = row
    return f"{_fit(before, width)} | {_pad(after, width)} | {rule}"


def _read(source: str, values: Sequence[Any]) -> str:
    if not values:
        return ""
    return ", ".join(
        f"{path} = {_shown(value)}" for path, value in zip(_paths(source, len(values)), values, strict=True)
    )


def _paths(source: str, count: int) -> list[str]:
    parts = source.split(", ")
    return parts if len(parts) == count else [source] * count


def _shown(value: Any) -> str:  # noqa: ANN401  # a value of a record
    return "(missing)" if value is MISSING else json.dumps(value, ensure_ascii=False, default=str)


def _fit(text: str, width: int) -> str:
    return _pad(text if screen_width(text) <= width else f"{text[: width - 1]}…", width)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - screen_width(text))


def screen_width(text: str) -> int:
    """Count the places that a text takes on a screen."""
    return sum(unicodedata.category(each) not in _NO_WIDTH for each in text)
