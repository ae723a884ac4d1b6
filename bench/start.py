"""``python -m bench.start``: how long a security server takes to start, and how much memory it holds when it idles.

It refuses to know why. The server is the sandbox's consumer, started as a process again and again until it says that it
is well; its authority and central server run all the time.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.bus import Bus, brought_up
from spean.sandbox.plan import NSAF
from tests.support.memory import resident

IDLE_SECONDS: Final = 3.0
WANTED_SECONDS, WANTED_MEGABYTES = 2.0, 120
MEGABYTE: Final = 1_000_000


async def run(times: int) -> tuple[list[float], list[float]]:
    """Start so many times; give seconds and megabytes."""
    with tempfile.TemporaryDirectory(prefix="spean-start-") as folder:
        async with brought_up(Path(folder) / "bus", "http://127.0.0.1:9") as bus:
            figures = [await _once(bus) for _ in range(times)]
    return [seconds for seconds, _ in figures], [megabytes for _, megabytes in figures]


async def _once(bus: Bus) -> tuple[float, float]:
    await bus.kill(NSAF, signal.SIGTERM)
    begun = time.monotonic()
    await bus.start(NSAF)
    seconds = time.monotonic() - begun
    await asyncio.sleep(IDLE_SECONDS)
    return seconds, resident(bus.process(NSAF).pid) / MEGABYTE


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.start", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often to start; default %(default)s")
    seconds, megabytes = asyncio.run(run(parser.parse_args().times))
    print(f"start: {min(seconds):.2f} to {max(seconds):.2f} s (wanted: under {WANTED_SECONDS:.0f} s)")
    print(f"idle: {min(megabytes):.0f} to {max(megabytes):.0f} MB (wanted: under {WANTED_MEGABYTES} MB)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
