"""What is seen from outside of events that come to the crosswalk: Prometheus metrics, and whether it is behind.

It refuses personal values: labels are names of the crosswalk's own file and what became of an event.
"""

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter, Gauge

from adapters.crosswalk.settling import Taken
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics

REFUSED: Final = "refused"
_OK: Final = Health(
    HealthState.OK, "What registries tell is taken into the crosswalk.", "អ្វីដែលបញ្ជីនានាប្រាប់ ត្រូវបានទទួលចូលតារាងផ្គូផ្គង។"
)
_BEHIND: Final = Health(
    HealthState.DEGRADED,
    "The crosswalk is behind: the last events could not be written. Look at its database; they are sent again.",
    "តារាងផ្គូផ្គងយឺត៖ មិនអាចសរសេរព្រឹត្តិការណ៍ចុងក្រោយបានទេ។ សូមពិនិត្យមូលដ្ឋានទិន្នន័យ។ ព្រឹត្តិការណ៍នឹងត្រូវផ្ញើម្ដងទៀត។",
)
_REFUSED: Final = Health(
    HealthState.DEGRADED,
    "The crosswalk is behind: it cannot tell whom the last events of a registry are about. See "
    "spean_crosswalk_events_total, ask its owner to give the number of the person, then build.",
    "តារាងផ្គូផ្គងយឺត៖ មិនដឹងថាព្រឹត្តិការណ៍ចុងក្រោយរបស់បញ្ជីមួយអំពីនរណា។ សូមមើល spean_crosswalk_events_total "
    "ស្នើម្ចាស់បញ្ជីឱ្យផ្ដល់លេខរបស់បុគ្គល រួចដំណើរការ build។",
)


class CrosswalkWatch:
    """The metrics and health of one crosswalk."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._events = Counter(
            "spean_crosswalk_events", "Events of registries.", ("registry", "outcome"), registry=registry
        )
        self._ended = Counter("spean_crosswalk_ended", "Persons who were let go of.", ("registry",), registry=registry)
        self._findings = Counter(
            "spean_crosswalk_findings", "What does not fit, found by events.", ("registry",), registry=registry
        )
        self._behind = Gauge(
            "spean_crosswalk_behind_seconds",
            "How old the newest event of the last message was when it was taken.",
            ("registry",),
            registry=registry,
        )
        self._failures = Counter("spean_crosswalk_failures", "Messages that could not be written.", registry=registry)
        self._failing, self._refusing = False, set[str]()

    def register(self, checks: HealthChecks) -> None:
        """Tell in the health page when the crosswalk is behind."""
        checks.register("crosswalk events", lambda: self.health)

    @property
    def health(self) -> Health:
        """How it is."""
        if self._failing:
            return _BEHIND
        return _REFUSED if self._refusing else _OK

    def heard(self, registry: str, outcomes: Sequence[str], taken: Taken, behind: timedelta) -> None:
        """Count the events of one message about a registry."""
        self._failing = False
        counted = Tally(outcomes)
        for outcome, number in counted.items():
            self._events.labels(registry, outcome).inc(number)
        self._ended.labels(registry).inc(taken.ended)
        self._findings.labels(registry).inc(taken.findings)
        self._behind.labels(registry).set(behind.total_seconds())
        if counted[REFUSED]:
            self._refusing.add(registry)
        else:
            self._refusing.discard(registry)

    def failed(self) -> None:
        """Count a message that could not be written."""
        self._failures.inc()
        self._failing = True


def behind(times: Sequence[datetime], at: datetime) -> timedelta:
    """Return how old the newest of some events is; nothing when an owner's clock is ahead."""
    return max(at - max(times), timedelta())
