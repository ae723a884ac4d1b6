"""Cuts an INSERT of many rows into a few statements of many rows each, for SQLite.

It refuses to run them. Python's driver lets go of the interpreter for each statement and then waits for it behind
whatever thread took it meanwhile, up to 5 ms: statements of one row each make a chunk wait hundreds of times.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

MOST: Final = 128  # rows of a statement; with some ten columns far below the variables that SQLite takes


def statements(text: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield texts and their parameters; each has as many rows as a power of two: few texts, which the driver remembers.

    Args:
        text: an INSERT that ends with one row of nothing but ``?``.
        rows: the parameters of each row.
    """
    place = f"({', '.join('?' * len(rows[0]))})" if rows else ""
    if not text.endswith(place):
        raise AssertionError("an INSERT for many rows has nothing but parameters")
    start = 0
    while start < len(rows):
        size = min(MOST, 1 << ((len(rows) - start).bit_length() - 1))
        yield text + f", {place}" * (size - 1), tuple(chain.from_iterable(rows[start : start + size]))
        start += size
