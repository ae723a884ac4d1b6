"""When staff must act, the adapter's own page says so."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.outbox.overview import Depth
from adapters.outbox.rows import State
from adapters.outbox.watching import Watch
from serverkit.metrics import HealthChecks, Metrics
from tests.support.outbox import RECEIVER

AT = datetime(2026, 11, 28, tzinfo=UTC)
WAITS = Depth(RECEIVER, State.WAITING, 3, AT - timedelta(minutes=5))
LATE = Depth(RECEIVER, State.WAITING, 3, AT - timedelta(minutes=61))
DEAD = Depth(RECEIVER, State.DEAD, 1, None)
REJECTED = Depth(RECEIVER, State.REJECTED, 1, None)


@pytest.mark.parametrize(
    ("found", "state", "named"),
    [
        ([], "ok", ""), ([WAITS, REJECTED], "ok", ""), ([LATE], "degraded", "--state waiting"),
        ([WAITS, DEAD], "degraded", "--state dead"),
    ],
)  # fmt: skip
def test_health_is_degraded_when_something_is_dead_or_late(found: list[Depth], state: str, named: str) -> None:
    watch, checks = Watch(Metrics(), timedelta(minutes=60)), HealthChecks()
    watch.register(checks)
    watch.counted(found, at=AT)
    health = checks.run()["outbox"]
    assert health.state == state
    assert named in health.en
    assert named in health.km
    watch.away()
    assert checks.run()["outbox"].state == "degraded"


def test_metrics_tell_depth_and_age_and_forget_what_is_gone() -> None:
    metrics = Metrics()
    watch = Watch(metrics, timedelta(minutes=60))
    value = metrics.registry.get_sample_value
    watch.counted([WAITS, DEAD], at=AT)
    assert value("spean_outbox_rows", {"receiver": RECEIVER, "state": "waiting"}) == 3
    assert value("spean_outbox_rows", {"receiver": RECEIVER, "state": "dead"}) == 1
    assert value("spean_outbox_rows", {"receiver": RECEIVER, "state": "rejected"}) == 0
    assert value("spean_outbox_oldest_seconds", {"receiver": RECEIVER}) == 300
    watch.counted([], at=AT)
    assert value("spean_outbox_rows", {"receiver": RECEIVER, "state": "waiting"}) is None
