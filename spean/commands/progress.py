"""A progress bar on the screen: one line that is written over, and only for a person who watches.

It refuses to write into files and logs: where the error output is no terminal it is silent.
Commands that read a whole registry show it.
"""

import sys
import time
from types import TracebackType
from typing import Final, Self

WIDTH: Final = 30
_EVERY: Final = 0.1  # seconds: faster than anyone reads


class Bar:
    """One line about how far something is."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = sys.stderr.isatty()
        self._began = time.monotonic()
        self._last = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            print(file=sys.stderr)

    def show(self, done: int, total: int | None) -> None:
        """Show how far it is; not more often than anyone can read."""
        now = time.monotonic()
        if not self._shown or (now - self._last < _EVERY and done != total):
            return
        self._last = now
        print(f"\r{line(self._label, done, total, now - self._began)}", end="", file=sys.stderr, flush=True)


def line(label: str, done: int, total: int | None, seconds: float) -> str:
    """Return the line: a bar where the end is known, and the speed."""
    speed = f"{done / seconds:,.0f}/s" if seconds > 0 else ""
    if not total:
        return f"{label}: {done:,} {speed}"
    filled = min(WIDTH, WIDTH * done // total)
    return f"{label}: [{'#' * filled}{'-' * (WIDTH - filled)}] {done:,} of {total:,} {speed}"
