"""``python -m bench.event_kills``: kills adapters, security servers and the database while changes are told.

It is the suite's test of that, for longer: none of the notifications to three subscribers may be lost or applied twice,
each person's must come in order, and access record and message logs must be whole. With ``--nats`` the adapters send
through three NATS servers, which are killed too.
"""

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.event_kills import audit, tell_under_kills
from tests.support.eventbus import event_bus
from tests.support.nats import running_cluster
from tests.support.postgres import programs, running_server


async def run(kills: int, notifications: int, seed: int, *, through_nats: bool) -> list[str]:
    """Kill so often while so much is told, and look at everything."""
    binaries = programs()
    if binaries is None:
        raise SystemExit("pg_ctl is missing: install Debian's package postgresql")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spean-event-kills-")))
        registry = stack.enter_context(running_server(binaries))
        cluster = stack.enter_context(running_cluster(folder)) if through_nats else None
        async with event_bus(folder / "bus", registry, cluster=cluster) as bus:
            begun = time.monotonic()
            rng = random.Random(seed)  # noqa: S311 - moments, no secrets
            killed = await tell_under_kills(bus, kills=kills, notifications=notifications, rng=rng)
            print(f"{killed.total()} kills in {time.monotonic() - begun:.0f} s: {dict(killed)}", flush=True)
            return await audit(bus)


def main() -> int:
    """Kill, look, and tell; 1 when something is lost, doubled, out of order or not recorded."""
    parser = argparse.ArgumentParser(prog="bench.event_kills", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how often to kill; default %(default)s")
    parser.add_argument("--notifications", type=int, default=20_000, help="at least so many; default %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of victims and moments")
    parser.add_argument("--nats", action="store_true", help="send through a cluster of three NATS servers")
    wanted = parser.parse_args()
    print(f"seed {wanted.seed}", flush=True)
    problems = asyncio.run(run(wanted.count, wanted.notifications, wanted.seed, through_nats=wanted.nats))
    print(f"{len(problems)} problems")
    for problem in problems[:100]:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
