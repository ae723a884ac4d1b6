"""Servers are killed under load; what anyone has seen of their messages is in their logs, once, and verifies.

The suite kills a few times. ``python -m bench.kills --count 200`` does the same for longer.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.bus import Bus
from spean.sandbox.plan import MOP, NSAF
from tests.support.killing import audit, faulty_bus, kill_often

KILLS = 4


@pytest.mark.timeout(180)
async def test_no_kill_loses_or_doubles_a_message_that_anyone_has_seen(tmp_path: Path) -> None:
    async with faulty_bus(tmp_path / "bus") as (bus, seen):
        await kill_often(bus, seen, KILLS, random.Random())  # noqa: S311 - moments, no secrets
        report = await audit(bus, seen)
        assert report.problems == ()
        assert report.records > KILLS * 4
        lost = take_a_record_away(bus)
        # Else all of this would prove nothing.
        again = await audit(bus, seen, {NSAF: report.logs[NSAF]})
        assert any(f"{lost}, and the log holds it 0 times" in problem for problem in again.problems)


def take_a_record_away(bus: Bus) -> str:
    """Lose the provider's record of a request that its consumer has a response to; give the request's id."""
    with closing(sqlite3.connect(bus.data(MOP) / "node.db", timeout=10)) as database:
        query = "SELECT request_id FROM log_record WHERE response = 1 ORDER BY id LIMIT 1"
        (lost,) = database.execute(query).fetchone()
        database.execute("DELETE FROM log_record WHERE request_id = ?", (lost,))
        database.commit()
    return str(lost)
