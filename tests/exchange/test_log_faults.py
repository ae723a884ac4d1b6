"""Servers are killed under load; what anyone has seen of their messages is in their logs, once, and verifies.

The suite kills a few times. ``python -m bench.kills --count 200`` does the same for longer.
"""

import random
from pathlib import Path

import pytest

from tests.support.killing import audit, faulty_bus, kill_often

KILLS = 4


@pytest.mark.timeout(180)
async def test_no_kill_loses_or_doubles_a_message_that_anyone_has_seen(tmp_path: Path) -> None:
    async with faulty_bus(tmp_path / "bus") as (bus, seen):
        await kill_often(bus, seen, KILLS, random.Random())  # noqa: S311 - moments, no secrets
        report = await audit(bus, seen)
    assert report.problems == ()
    assert report.records > KILLS * 4
