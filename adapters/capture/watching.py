"""What is seen of captures from outside: when each last looked, what it told, and how many records are set aside.

It refuses keys and values of records: labels are codes of services.
"""

import time
from datetime import timedelta
from typing import Final

from prometheus_client import Counter, Gauge

from adapters.capture.comparing import Taken
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics

_OK: Final = Health(HealthState.OK, "Changes are noticed.", "ការផ្លាស់ប្ដូរត្រូវបានកត់សម្គាល់។")
_LATE: Final = Health(
    HealthState.DEGRADED,
    "Changes are not noticed: look in the log for capture_failed; nothing is lost, it is told later.",
    "ការផ្លាស់ប្ដូរមិនត្រូវបានកត់សម្គាល់៖ សូមមើលកំណត់ហេតុ capture_failed។ គ្មានអ្វីបាត់ទេ នឹងជូនដំណឹងពេលក្រោយ។",
)
LATE_LOOKS: Final = 5  # missed in a row


class CaptureWatch:
    """The metrics of one adapter's captures."""

    def __init__(self, metrics: Metrics) -> None:
        registry, labels = metrics.registry, ("service",)
        self._looked = Gauge(
            "spean_adapter_capture_looked_seconds", "When changes were last looked for.", labels, registry=registry
        )
        self._changed = Counter(
            "spean_adapter_capture_changes", "Records that were new, changed or gone.", labels, registry=registry
        )
        self._told = Counter(
            "spean_adapter_capture_told", "Notifications put into the outbox.", labels, registry=registry
        )
        self._bad = Gauge(
            "spean_adapter_capture_bad", "Records that cannot be given in the standard.", labels, registry=registry
        )
        self._failures = Counter("spean_adapter_capture_failures", "Looks that failed.", labels, registry=registry)
        self._last: dict[str, float] = {}

    def register(self, checks: HealthChecks, service: str, every: timedelta) -> None:
        """Tell in the health page when a service's changes are not noticed."""
        self._last[service] = time.monotonic()
        late = every.total_seconds() * LATE_LOOKS + 60

        def look() -> Health:
            return _LATE if time.monotonic() - self._last[service] > late else _OK

        checks.register(f"capture {service}", look)

    def looked(self, service: str, taken: Taken, bad: int) -> None:
        """Count a look that went well; ``bad`` is how many records are set aside now."""
        self._last[service] = time.monotonic()
        self._looked.labels(service).set_to_current_time()
        self._changed.labels(service).inc(taken.changed)
        self._told.labels(service).inc(taken.told)
        self._bad.labels(service).set(bad)

    def failed(self, service: str) -> None:
        """Count a look that failed."""
        self._failures.labels(service).inc()
