"""What is seen of an adapter from outside: a log line per request, Prometheus metrics, and whether its sources answer.

It refuses personal values: labels and lines hold codes, counts, and names out of the institution's own files. What a
caller chose freely (message, transaction, purpose) stays out, because a card number may stand in any of it.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import Counter, Histogram

from serverkit.metrics import Health, HealthChecks, HealthState, Metrics

_log = structlog.get_logger(__name__)
_XROAD_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,99}")
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
_OK: Final = Health(HealthState.OK, "The source answers.", "ប្រភពទិន្នន័យឆ្លើយតប។")
_DOWN: Final = Health(
    HealthState.FAILED,
    "The source does not answer: look in the log for registry_answer_withheld, and at the source itself.",
    "ប្រភពទិន្នន័យមិនឆ្លើយតប៖ សូមមើលកំណត់ហេតុ registry_answer_withheld និងប្រភពនោះ។",
)


@dataclass(slots=True)
class Seen:
    """One request, as far as it may be told."""

    service: str
    operation: str
    xroad_id: str
    started: float = field(default_factory=time.monotonic)
    client: str = ""
    via: str = ""


class Monitor:
    """The log lines and metrics of one adapter."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.checks = HealthChecks()
        registry = self.metrics.registry
        labels = ("service", "operation")
        self._requests = Counter(
            "spean_adapter_requests", "Requests answered.", (*labels, "status", "code"), registry=registry
        )
        self._records = Counter("spean_adapter_records", "Records given.", labels, registry=registry)
        self._seconds = Histogram(
            "spean_adapter_request_seconds", "Time to answer a request.", labels, registry=registry, buckets=_SECONDS
        )
        self._down: set[str] = set()

    def watch(self, service: str) -> None:
        """Tell of a service's source in the health page."""
        self.checks.register(service, lambda: _DOWN if service in self._down else _OK)

    def source_answers(self, service: str, *, well: bool) -> None:
        """Note how a source was when it was last asked."""
        (self._down.discard if well else self._down.add)(service)

    def answered(self, seen: Seen, status: int, facts: Mapping[str, object]) -> None:
        """Write the one line, and count."""
        seconds = time.monotonic() - seen.started
        code = facts.get("code")
        self._requests.labels(seen.service, seen.operation, str(status), str(code or "")).inc()
        self._seconds.labels(seen.service, seen.operation).observe(seconds)
        records = facts.get("records")
        if isinstance(records, int):
            self._records.labels(seen.service, seen.operation).inc(records)
        _log.info(
            "registry_request",
            service=seen.service,
            operation=seen.operation,
            status=status,
            client=seen.client,
            via=seen.via,
            xroad_id=seen.xroad_id,
            milliseconds=round(seconds * 1000, 1),
            **facts,
        )


def xroad_id(request: web.Request) -> str:
    """Return the bus's id of the exchange when it looks like one; a caller may write anything there."""
    found = request.headers.get("X-Road-Id", "")
    return found if _XROAD_ID.fullmatch(found) else ""
