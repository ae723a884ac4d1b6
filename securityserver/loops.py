"""Background work of a node: loops that run as long as it does, none of which may die without a word.

It refuses to know what a loop does. ``app`` starts each in its task group.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Never

from serverkit.logs import get_logger

log = get_logger("loops")

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0


async def supervised(name: str, loop: Callable[[], Awaitable[object]]) -> Never:
    """Run a loop for ever: when it ends, which it never should, say so and start it again, with longer pauses."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            await loop()
            log.error("loop_ended", loop=name, again_in_seconds=pause)
        except Exception as error:
            # Whatever it is: exchanges go on, and the loop gets another try.
            log.exception("loop_crashed", loop=name, again_in_seconds=pause, exc_info=error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
