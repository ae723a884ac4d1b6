"""Adapters, security servers, the database and the queue are killed while changes are told to three subscribers."""

import os
import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.event_kills import audit, tell_under_kills
from tests.support.eventbus import event_bus
from tests.support.memorydisk import place_for
from tests.support.nats import running_cluster
from tests.support.postgres import ROOM_BYTES, programs, running_server

KILLS = 4
NOTIFICATIONS = 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("queue", "kills"), [("embedded", KILLS), ("nats", 1)])  # of NATS, a server
async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, queue: str, kills: int) -> None:
    binaries = programs()
    if binaries is None:
        assert not os.environ.get("CI"), "pg_ctl is missing: install Debian's package postgresql"
        pytest.skip("pg_ctl is not here: install Debian's package postgresql")
    with ExitStack() as stack:
        registry = stack.enter_context(running_server(binaries, place_for(ROOM_BYTES)))  # its own: it is killed
        cluster = stack.enter_context(running_cluster(tmp_path)) if queue == "nats" else None
        async with event_bus(tmp_path / "bus", registry, cluster=cluster) as bus:
            moments = random.Random()  # noqa: S311 - no secret
            victims = tuple(cluster.commands) if cluster else bus.victims
            killed = await tell_under_kills(bus, kills=kills, notifications=NOTIFICATIONS, rng=moments, victims=victims)
            assert killed.total() == kills
            assert await audit(bus) == []
