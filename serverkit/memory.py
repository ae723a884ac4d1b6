"""How a process that serves treats its memory: when Python looks for garbage, and when what is free goes back.

It refuses to turn the collector off: cycles are few, not none. Security servers and adapters call `calm` at their
start; a security server lets `give_back_regularly` run beside its exchanges.
"""

import asyncio
import ctypes
import gc
from typing import Final

# An exchange makes thousands of short-lived objects and few cycles. Python's default, a look after each 700, took some
# 5 % of a busy node's time, and some 30 % of an adapter's that takes chunks of 500 records; a node's memory was
# measured no larger.
THRESHOLDS: Final = (50_000, 20, 50)
# After 600 exchanges at once a node held 300 MB, half of which nobody used: the C library keeps what lies between
# blocks in use until it is asked. To ask takes some milliseconds.
GIVE_BACK_SECONDS: Final = 60.0


def calm() -> None:
    """Let the collector look seldom."""
    gc.set_threshold(*THRESHOLDS)


def give_back() -> None:
    """Give free memory back to the system, where the C library keeps it (glibc; others have no such call)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def give_back_regularly() -> None:
    """Give free memory back again and again, in a thread: the event loop goes on meanwhile."""
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        await asyncio.to_thread(give_back)
