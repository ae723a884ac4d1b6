"""Tells Python how often to look for garbage, once for a process that serves.

It refuses to turn the collector off: cycles are few, not none. Security servers and adapters call it at their start.
"""

import gc
from typing import Final

# An exchange makes thousands of short-lived objects and few cycles. Python's default, a look after each 700, took some
# 5 % of a busy node's time, and some 30 % of an adapter's that takes chunks of 500 records; a node's memory was
# measured no larger.
THRESHOLDS: Final = (50_000, 20, 50)


def calm() -> None:
    """Let the collector look seldom."""
    gc.set_threshold(*THRESHOLDS)
