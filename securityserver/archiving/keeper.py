"""Archives on a schedule, and tells how it goes: in the log, as metrics, and in ``/healthz``.

It refuses to know how a run works. The node runs it as one of its loops; a run that fails is tried again soon, while
exchanges go on and records wait.
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Never

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pki.clock import Clock
from securityserver.archiving.archiver import Archiver
from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.ledger import Ledger
from serverkit.logs import get_logger
from serverkit.metrics import Health, HealthState

log = get_logger("archive")

# How often the age of the oldest record is looked up, and so how late a schedule can be.
LOOK_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 300.0
# A record waits for its time-stamp and for the next run; twice the interval is no delay but a fault.
_INTERVALS_LATE: Final = 2
_GRACE: Final = timedelta(minutes=15)


class ArchiveKeeper:
    """Runs the archiver of one node.

    Args:
        archiver: of the node's log.
        ledger: of the same database.
        interval: from one run to the next.
        clock: the node's.
    """

    def __init__(self, archiver: Archiver, ledger: Ledger, interval: timedelta, clock: Clock) -> None:
        self._archiver, self._ledger, self._interval, self._clock = archiver, ledger, interval, clock
        self.last_success: datetime | None = None
        self.oldest_waiting: datetime | None = None
        self.last_failure: str | None = None
        self.archived = self.removed = self.failures = 0
        self._next: datetime | None = None

    async def run(self) -> Never:
        """Archive at each interval, for ever; the first time when the interval since the last archive is over."""
        while True:
            await self.look()
            if self._clock.now() >= self._due():
                await self.once()
            await self._clock.sleep(min(LOOK_SECONDS, self._interval.total_seconds()))

    async def once(self) -> None:
        """Archive now, and remember how it went."""
        started = self._clock.now()
        try:
            done = await self._archiver.run()
        except ArchivingFailed as error:
            self.failures, self.last_failure = self.failures + 1, str(error)
            self._next = started + min(self._interval, timedelta(seconds=RETRY_SECONDS))
            log.error("archiving_failed", reason=str(error), again_at=self._next.isoformat())  # noqa: TRY400 - foreseen
            return
        self.last_failure, self.last_success = None, started
        self._next = started + self._interval
        self.archived, self.removed = self.archived + done.records, self.removed + done.removed
        log.info("archiving_done", archives=done.archives, records=done.records, removed=done.removed)
        await self.look()

    async def look(self) -> None:
        """Look up what waits."""
        try:
            self.oldest_waiting = await asyncio.to_thread(self._ledger.oldest_waiting)
            self.last_success = self.last_success or await asyncio.to_thread(self._ledger.last_success)
        except ArchivingFailed as error:
            self.failures, self.last_failure = self.failures + 1, str(error)

    def age(self) -> timedelta:
        """Give how long the oldest record has waited for an archive."""
        return timedelta() if self.oldest_waiting is None else self._clock.now() - self.oldest_waiting

    def check(self) -> Health:
        """Tell how the archiving is, and what to do."""
        if self.last_failure is not None:
            return Health(
                HealthState.DEGRADED,
                f"The message log cannot be archived: {self.last_failure}",
                "មិនអាចរក្សាទុកកំណត់ហេតុសារក្នុងបណ្ណសារបានទេ៖ សូមពិនិត្យកន្លែងរក្សាទុកបណ្ណសារ។",
            )
        if self.age() > _INTERVALS_LATE * self._interval + _GRACE:
            return Health(
                HealthState.DEGRADED,
                f"A record of {self.oldest_waiting:%Y-%m-%d %H:%M}Z is in no archive yet: see that the log is "
                "time-stamped.",
                f"កំណត់ត្រានៅ {self.oldest_waiting:%Y-%m-%d %H:%M}Z មិនទាន់មានក្នុងបណ្ណសារ៖ សូមពិនិត្យការបោះត្រាពេលវេលា។",
            )
        return Health(HealthState.OK, "The message log is being archived.", "កំណត់ហេតុសារកំពុងត្រូវបានរក្សាទុកក្នុងបណ្ណសារ។")

    def _due(self) -> datetime:
        if self._next is None:
            now = self._clock.now()
            self._next = now if self.last_success is None else min(self.last_success, now) + self._interval
        return self._next


class ArchiveCollector(Collector):
    """Shows a keeper's state to Prometheus.

    Args:
        keeper: of the node.
        registry: the node's.
    """

    def __init__(self, keeper: ArchiveKeeper, registry: CollectorRegistry) -> None:
        self._keeper = keeper
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give the metrics as they are now."""
        keeper = self._keeper
        yield GaugeMetricFamily(
            "spean_archive_last_success_timestamp_seconds",
            "When the last run succeeded; 0: never",
            0 if keeper.last_success is None else keeper.last_success.timestamp(),
        )
        yield GaugeMetricFamily(
            "spean_archive_oldest_record_age_seconds",
            "How long the oldest record has waited for an archive",
            keeper.age().total_seconds(),
        )
        yield CounterMetricFamily("spean_archived_records", "Records that were archived", keeper.archived)
        yield CounterMetricFamily("spean_archive_removed_records", "Archived records that were removed", keeper.removed)
        yield CounterMetricFamily("spean_archive_failures", "Runs that failed", keeper.failures)
