"""What is seen of an outbox from outside: a log line an attempt, Prometheus metrics, and whether staff must act.

It refuses personal values: labels and lines hold counts, codes of the tables of verdicts, and names of services.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram

from adapters.outbox.overview import COUNTED, Depth
from adapters.outbox.rows import Batch, State
from adapters.outbox.verdicts import Verdict
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics

_log = structlog.get_logger(__name__)
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0)
_OK: Final = Health(HealthState.OK, "What is to be told leaves in time.", "អ្វីដែលត្រូវជូនដំណឹង ត្រូវបានផ្ញើទាន់ពេល។")
_DEAD: Final = Health(
    HealthState.DEGRADED,
    "Messages could not be delivered and were given up: see `spean outbox list --state dead`, then retry or drop them.",
    "មានសារដែលផ្ញើមិនបាន ហើយត្រូវបានឈប់ព្យាយាម៖ សូមមើល `spean outbox list --state dead` រួចផ្ញើឡើងវិញ ឬបោះបង់ចោល។",
)
_LATE: Final = Health(
    HealthState.DEGRADED,
    "Messages have been waiting for long: see `spean outbox list --state waiting`, and why the receiver is away.",
    "មានសាររង់ចាំយូរហើយ៖ សូមមើល `spean outbox list --state waiting` និងមូលហេតុដែលអ្នកទទួលមិនឆ្លើយ។",
)
_UNKNOWN: Final = Health(
    HealthState.DEGRADED,
    "The database of events cannot be read: nothing is sent until it answers.",
    "មិនអាចអានមូលដ្ឋានទិន្នន័យព្រឹត្តិការណ៍បាន៖ គ្មានអ្វីត្រូវបានផ្ញើទេ រហូតដល់វាឆ្លើយតប។",
)


class Watch:
    """The log lines, metrics and health of one outbox.

    Args:
        metrics: of the adapter.
        late: what waits longer makes the health degraded.
    """

    def __init__(self, metrics: Metrics, late: timedelta) -> None:
        registry, by = metrics.registry, ("receiver",)
        self._late = late
        self._health = _OK
        self._rows = Gauge("spean_outbox_rows", "Rows of the outbox.", (*by, "state"), registry=registry)
        self._oldest = Gauge("spean_outbox_oldest_seconds", "Age of what waits longest.", by, registry=registry)
        self._attempts = Counter(
            "spean_outbox_attempts", "Attempts to send.", (*by, "outcome", "code"), registry=registry
        )
        self._events = Counter("spean_outbox_events", "Events delivered.", by, registry=registry)
        self._dead = Counter("spean_outbox_dead", "Events given up.", by, registry=registry)
        self._seconds = Histogram(
            "spean_outbox_attempt_seconds", "Time of an attempt.", by, registry=registry, buckets=_SECONDS
        )

    def register(self, checks: HealthChecks) -> None:
        """Tell of the outbox in the health page."""
        checks.register("outbox", lambda: self._health)

    def attempted(self, batch: Batch, verdict: Verdict, state: State, *, seconds: float) -> None:
        """Write the one line, and count."""
        events = len(batch.rows)
        self._attempts.labels(batch.receiver, verdict.fate.name.lower(), verdict.code).inc()
        self._seconds.labels(batch.receiver).observe(seconds)
        if state is State.SENT:
            self._events.labels(batch.receiver).inc(events)
        if state is State.DEAD:
            self._dead.labels(batch.receiver).inc(events)
        tell = _log.info if state is State.SENT else _log.warning
        tell(
            "outbox_message",
            message_id=batch.message_id,
            kind=batch.kind,
            service=batch.service,
            receiver=batch.receiver,
            events=events,
            attempt=batch.attempts + 1,
            code=verdict.code,
            state=str(state),
            milliseconds=round(seconds * 1000, 1),
        )

    def counted(self, found: Sequence[Depth], *, at: datetime) -> None:
        """Take over what the outbox holds now."""
        self._rows.clear()
        self._oldest.clear()
        for each in found:
            for state in COUNTED:
                self._rows.labels(each.receiver, state)  # a state without rows is 0, not away
        for each in found:
            self._rows.labels(each.receiver, each.state).set(each.rows)
            if each.oldest is not None:
                self._oldest.labels(each.receiver).set((at - each.oldest).total_seconds())
        dead = any(each.state is State.DEAD for each in found)
        late = any(each.oldest is not None and at - each.oldest > self._late for each in found)
        self._health = _DEAD if dead else _LATE if late else _OK

    def away(self) -> None:
        """The database does not answer."""
        self._health = _UNKNOWN
