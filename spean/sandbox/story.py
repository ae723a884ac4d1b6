"""Prints the demonstration as a story in steps, and keeps count of what was expected and what came.

It refuses to know what the steps do. The demonstration tells it; at the end it gives the verdict.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


class StoryBrokenError(Exception):
    """A step did not come out as expected, and the steps after it need it."""


@dataclass(slots=True)
class Story:
    """Steps told in English with Khmer beneath, each with its time in seconds.

    A failed expectation is remembered and told in the verdict; a needed one ends the story.
    """

    out: TextIO = field(default_factory=lambda: sys.stdout)
    clock: Callable[[], float] = time.perf_counter
    differences: list[str] = field(default_factory=list)
    _steps: int = 0
    _started: float = 0.0

    def open(self, title: str, khmer: str) -> None:
        """Start the clock and print the title."""
        self._started = self.clock()
        self._print(title, khmer, "")

    @contextmanager
    def step(self, title: str, khmer: str) -> Iterator[None]:
        """Number a step, print what it is about, and its time when it ends."""
        self._steps += 1
        self._print(f"{self._steps}. {title}", f"   {khmer}")
        begun = self.clock()
        before = len(self.differences)
        try:
            yield
        finally:
            mark = "✓" if len(self.differences) == before and sys.exc_info()[0] is None else "✗"
            self._print(f"   {mark} {self.clock() - begun:.2f} s", "")

    def tell(self, *lines: str) -> None:
        """Print lines of the current step."""
        self._print(*(f"   {line}" for line in lines))

    def expect(self, what: str, *, came: object, wanted: object) -> bool:
        """Hold an outcome against the expected one; a difference is remembered. Returns whether they are the same."""
        if came == wanted:
            return True
        self.differences.append(f"{what}: expected {wanted}, came {came}")
        self.tell(f"! {self.differences[-1]}")
        return False

    def need(self, what: str, *, came: object, wanted: object) -> None:
        """Expect something that the following steps cannot do without."""
        if not self.expect(what, came=came, wanted=wanted):
            raise StoryBrokenError(what)

    def close(self, good: tuple[str, str], bad: tuple[str, str]) -> int:
        """Print the verdict in both languages and return the exit code: 0 only if nothing differed."""
        took = f"{self.clock() - self._started:.1f} s"
        if not self.differences:
            self._print(f"{good[0]} ({took})", good[1])
            return 0
        self._print(f"{bad[0]} ({took})", bad[1], *(f"  - {difference}" for difference in self.differences))
        return 1

    def _print(self, *lines: str) -> None:
        # Written at once: the reader sees a step begin, not only end.
        print("\n".join(lines), file=self.out, flush=True)
