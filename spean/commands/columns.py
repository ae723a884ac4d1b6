"""Lines of text in columns, for the screen.

It refuses to know what stands in them. Khmer is as wide as its letters: signs above, below and around take no column.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

_GAP: Final = 2
_SPACING: Final = frozenset("\u17b6\u17be\u17bf\u17c0\u17c4\u17c5\u17c1\u17c2\u17c3\u17c7\u17c8")  # signs with a width


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows with their columns aligned; the last one runs free."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell + " " * (size - width(cell) + _GAP) for cell, size in zip(row, widths, strict=True))
        yield "".join(padded).rstrip()


def width(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(1 for each in text if each in _SPACING or unicodedata.category(each) not in {"Mn", "Cf", "Mc"})
