"""``python -m bench.kills --count 200``: kills security servers at random moments under 32 concurrent exchanges.

It is the suite's test of that, for longer: after the last kill every message that a service, a client or the other
server has seen must be in the log of the server that let it out, exactly once, and every record must verify.
"""

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from pathlib import Path

from tests.support.killing import Report, Seen, audit, faulty_bus, kill_often


async def run(count: int, seed: int) -> tuple[Seen, Report]:
    """Kill so many times and read both logs."""
    with tempfile.TemporaryDirectory(prefix="spean-kills-") as folder:
        async with faulty_bus(Path(folder) / "bus") as (bus, seen):
            begun = time.monotonic()
            await kill_often(bus, seen, count, random.Random(seed))  # noqa: S311 - moments, no secrets
            print(f"{count} kills in {time.monotonic() - begun:.0f} s; reading the logs", flush=True)
            return seen, await audit(bus, seen)


def main() -> int:
    """Kill, read, and tell; 1 when a message was lost, doubled or does not verify."""
    parser = argparse.ArgumentParser(prog="bench.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how often to kill; default %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of victims and moments")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    seen, report = asyncio.run(run(wanted.count, wanted.seed))
    print(
        f"seen: {seen.by_service.total()} requests by the service, {seen.by_clients.total()} answers by clients; "
        f"{seen.refused} refused and {seen.broken} broken off while a server was down\n"
        f"{report.records} records in both logs, all read and verified; {len(report.problems)} problems"
    )
    for problem in report.problems:
        print(problem)
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
