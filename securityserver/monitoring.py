"""One line in the log and one update of the metrics for each exchange, whatever its end.

It refuses to know bodies, query strings and persons: identifiers, codes, sizes and durations are all that it takes.
The two servers wrap each exchange in a ``Watch``; the pipelines tell it what they learn.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from securityserver.messagelog import Side
from serverkit.logs import get_logger
from serverkit.metrics import Metrics
from xroad.errors import XRoadError
from xroad.rest import RestRequest

log = get_logger("exchange")

DONE: Final = "ok"
# The other side of the connection went away before it had its answer.
ABANDONED: Final = "abandoned"
UNKNOWN: Final = "unknown code"
# X-Road's ids are UUIDs; what is no such thing is not repeated in logs and answers.
_REQUEST_ID: Final = re.compile(r"[0-9A-Fa-f-]{1,64}\Z")
# From what a fast local service takes up to the longest timeouts.
DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


# Of a watch, what a refused exchange may lack.
_IF_KNOWN: Final = ("client", "service", "query_id", "request_id", "peer", "status")


@dataclass(slots=True)
class Watch:
    """What is known of one exchange so far; written by the pipelines, read once at the end."""

    side: Side
    started: float = field(default_factory=time.monotonic)
    client: str | None = None
    service: str | None = None
    query_id: str | None = None
    request_id: str | None = None
    peer: str | None = None
    status: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    stages: dict[str, float] = field(default_factory=dict)

    def adopt(self, request_id: str | None) -> None:
        """Take the id that a peer announces for its message, so that what cannot be read is found under it too."""
        if request_id is not None and _REQUEST_ID.match(request_id):
            self.request_id = request_id

    def identify(self, request: RestRequest) -> None:
        """Take the identifiers of the request."""
        self.client, self.service = str(request.client), str(request.service)
        self.query_id, self.request_id = request.query_id, request.request_id

    def stage(self, name: str) -> "Stage":
        """Measure one stage; a stage that is entered again adds up."""
        return Stage(self.stages, name)


class Stage:
    """Adds the time between entering and leaving to a stage; a class, since a generator costs thrice as much."""

    __slots__ = ("_begun", "_name", "_stages")

    def __init__(self, stages: dict[str, float], name: str) -> None:
        self._stages, self._name = stages, name

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._stages[self._name] = self._stages.get(self._name, 0.0) + time.monotonic() - self._begun


class Tally(Collector):
    """Sums of numbers by labels, put into metrics when they are asked for: an exchange adds to a dozen of them."""

    def __init__(self) -> None:
        self.exchanges: Counter[tuple[str, str]] = Counter()
        self.open: dict[str, int] = {side.value: 0 for side in Side}
        self.stage_seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.body_bytes: Counter[tuple[str, str]] = Counter()

    def collect(self) -> Iterable[Metric]:
        """Give the sums."""
        yield _filled(
            CounterMetricFamily("spean_exchanges", "Exchanges by side and outcome", labels=["side", "outcome"]),
            self.exchanges,
        )
        yield _filled(
            CounterMetricFamily("spean_stage_seconds", "Time spent in each stage", labels=["side", "stage"]),
            self.stage_seconds,
        )
        yield _filled(
            CounterMetricFamily("spean_body_bytes", "Bytes of bodies", labels=["side", "direction"]), self.body_bytes
        )
        yield _filled(
            GaugeMetricFamily("spean_exchanges_open", "Exchanges under way", labels=["side"]),
            {(side,): count for side, count in self.open.items()},
        )


Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


def _filled(family: Family, sums: Mapping[tuple[str, str], float] | Mapping[tuple[str], float]) -> Family:
    for labels, value in sums.items():
        family.add_metric(labels, value)
    return family


class Watching:
    """Counts one exchange as under way; a class, for the same reason."""

    __slots__ = ("_side", "_under_way")

    def __init__(self, side: Side, under_way: dict[str, int]) -> None:
        self._side, self._under_way = side, under_way

    def __enter__(self) -> Watch:
        self._under_way[self._side.value] += 1
        return Watch(self._side)

    def __exit__(self, *_: object) -> None:
        self._under_way[self._side.value] -= 1


class Monitor:
    """Writes the line and the metrics; one a node."""

    def __init__(self, metrics: Metrics) -> None:
        self._tally = Tally()
        metrics.registry.register(self._tally)
        seconds = Histogram(
            "spean_exchange_seconds", "Whole exchanges", ["side"], buckets=DURATIONS, registry=metrics.registry
        )
        self._seconds = {side: seconds.labels(side.value) for side in Side}

    def watching(self, side: Side) -> "Watching":
        """Count an exchange as under way, while in its context."""
        return Watching(side, self._tally.open)

    def done(self, watch: Watch) -> None:
        """Record an exchange that came to its end."""
        self._record(watch, DONE)
        log.info("exchange", outcome=DONE, **_facts(watch))

    def abandoned(self, watch: Watch) -> None:
        """Record an exchange whose other side went away."""
        self._record(watch, ABANDONED)
        log.info("exchange", outcome=ABANDONED, **_facts(watch))

    def refused(self, watch: Watch, error: XRoadError) -> None:
        """Record an exchange that was refused."""
        # A peer's code is its own text: it must not make metrics without end.
        known = error.full_code.rsplit(".", 1)[-1].casefold() in XRoadError.by_code
        self._record(watch, error.full_code if known else UNKNOWN)
        log.warning(
            "exchange",
            outcome=error.full_code,
            error_id=error.error_id,
            blame=error.blame.value,
            detail=error.detail,
            **_facts(watch),
        )

    def _record(self, watch: Watch, outcome: str) -> None:
        side, tally = watch.side.value, self._tally
        self._seconds[watch.side].observe(time.monotonic() - watch.started)
        tally.exchanges[side, outcome] += 1
        for stage, seconds in watch.stages.items():
            tally.stage_seconds[side, stage] += seconds
        tally.body_bytes[side, "request"] += watch.request_bytes
        tally.body_bytes[side, "response"] += watch.response_bytes


def _facts(watch: Watch) -> dict[str, object]:
    facts: dict[str, object] = {"side": watch.side.value}
    for name in _IF_KNOWN:
        value = getattr(watch, name)
        if value is not None:
            facts[name] = value
    facts["request_bytes"], facts["response_bytes"] = watch.request_bytes, watch.response_bytes
    facts["milliseconds"] = round((time.monotonic() - watch.started) * 1000, 1)
    facts["stages"] = {name: round(seconds * 1000, 1) for name, seconds in watch.stages.items()}
    return facts
