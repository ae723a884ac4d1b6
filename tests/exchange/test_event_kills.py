"""Adapters, security servers and the database are killed while changes are told to three subscribers."""

import os
import random
from pathlib import Path

import pytest

from tests.support.event_kills import audit, tell_under_kills
from tests.support.eventbus import event_bus
from tests.support.memorydisk import place_for
from tests.support.postgres import ROOM_BYTES, programs, running_server

KILLS = 4
NOTIFICATIONS = 100


@pytest.mark.timeout(300)
async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    binaries = programs()
    if binaries is None:
        assert not os.environ.get("CI"), "pg_ctl is missing: install Debian's package postgresql"
        pytest.skip("pg_ctl is not here: install Debian's package postgresql")
    with running_server(binaries, place_for(ROOM_BYTES)) as registry:  # its own: it is killed
        async with event_bus(tmp_path / "bus", registry) as bus:
            moments = random.Random()  # noqa: S311 - no secret
            killed = await tell_under_kills(bus, kills=KILLS, notifications=NOTIFICATIONS, rng=moments)
            assert killed.total() == KILLS
            assert await audit(bus) == []
