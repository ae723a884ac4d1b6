"""Counts attempts in the last minute, by name, so that nobody can guess secrets or keep a service busy.

It refuses to grow: names that were quiet for a minute are forgotten, and there are at most so many. The token path
asks it before it looks at a secret.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

PERIOD_SECONDS: Final = 60.0
MAX_NAMES: Final = 10_000  # an attacker who makes up names pushes out only other made-up names


class RateLimit:
    """At most ``attempts`` a minute for each name."""

    def __init__(self, attempts: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Count an attempt; False when there were too many already, and then it does not count."""
        now = self._clock()
        times = self._seen.setdefault(name, deque())
        self._seen.move_to_end(name)
        while times and times[0] <= now - PERIOD_SECONDS:
            times.popleft()
        if len(self._seen) > MAX_NAMES:
            self._seen.popitem(last=False)
        if len(times) >= self._attempts:
            return False
        times.append(now)
        return True
