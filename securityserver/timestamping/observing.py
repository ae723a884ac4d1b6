"""What an administrator sees of the time-stamping: metrics, and a check of ``/healthz`` in English and Khmer.

It refuses to find anything out: it reads what the keeper knows. ``app`` and ``health`` register it.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from securityserver.timestamping.keeper import TimestampKeeper
from serverkit.metrics import Health, HealthState

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


class TimestampingCollector(Collector):
    """The time-stamping's numbers, read when they are asked for."""

    def __init__(self, keeper: TimestampKeeper, registry: CollectorRegistry) -> None:
        self._keeper = keeper
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Give the numbers."""
        keeper = self._keeper
        yield GaugeMetricFamily(
            "spean_timestamping_budget_seconds",
            "How long exchanges go on if nobody stamps from now on; 0: they have stopped",
            keeper.left.total_seconds(),
        )
        yield GaugeMetricFamily(
            "spean_timestamping_waiting_records",
            "Records without a time-stamp at the last round",
            keeper.backlog.records,
        )
        yield CounterMetricFamily("spean_timestamped_records", "Records that got their time-stamp", keeper.stamped)
        asked = GaugeMetricFamily(
            "spean_timestamping_authority_up",
            "Whether an authority stamped when it was asked last",
            labels=["authority"],
        )
        for standing in keeper.authorities.standings.values():
            asked.add_metric([standing.authority], float(standing.failure is None))
        yield asked


def check(keeper: TimestampKeeper) -> Health:
    """Tell how the time-stamping is, how long exchanges go on if it fails, and what to do."""
    budget = keeper.budget
    since, left = budget.failing_since, keeper.left
    if since is None:
        return Health(HealthState.OK, "The message log is being time-stamped.", "កំណត់ហេតុសារកំពុងត្រូវបានបោះត្រាពេលវេលា។")
    if keeper.settings.immediately:
        return Health(
            HealthState.FAILED,
            f"Nobody has time-stamped messages since {since:%Y-%m-%d %H:%M}Z, and each must have its time-stamp before "
            f"it moves on. Make a time-stamping authority reachable. {budget.last_failure}",
            f"គ្មានការបោះត្រាពេលវេលាលើសារតាំងពី {since:%Y-%m-%d %H:%M}Z ទេ ហើយសារនីមួយៗត្រូវមានត្រាពេលវេលាមុននឹងបន្តដំណើរ។ "
            "សូមធ្វើឱ្យអាចភ្ជាប់ទៅអាជ្ញាធរត្រាពេលវេលាបាន។",
        )
    if not left:
        return Health(
            HealthState.FAILED,
            f"Nobody has time-stamped the message log since {since:%Y-%m-%d %H:%M}Z, so exchanges have stopped. Make a "
            f"time-stamping authority reachable; they go on by themselves. {budget.last_failure}",
            f"គ្មានការបោះត្រាពេលវេលាលើកំណត់ហេតុសារតាំងពី {since:%Y-%m-%d %H:%M}Z ទេ ដូច្នេះការផ្លាស់ប្តូរបានឈប់។ "
            "សូមធ្វើឱ្យអាចភ្ជាប់ទៅអាជ្ញាធរត្រាពេលវេលាបាន រួចវានឹងដំណើរការឡើងវិញដោយខ្លួនឯង។",
        )
    ends = budget.ends_at(since)
    return Health(
        HealthState.DEGRADED,
        f"Nobody has time-stamped the message log since {since:%Y-%m-%d %H:%M}Z. Exchanges go on for {_length(left)}, "
        f"until {ends:%Y-%m-%d %H:%M}Z, and then stop. {budget.last_failure}",
        f"គ្មានការបោះត្រាពេលវេលាលើកំណត់ហេតុសារតាំងពី {since:%Y-%m-%d %H:%M}Z ទេ។ ការផ្លាស់ប្តូរនឹងបន្តរហូតដល់ "
        f"{ends:%Y-%m-%d %H:%M}Z រួចនឹងឈប់។ សូមពិនិត្យការភ្ជាប់ទៅអាជ្ញាធរត្រាពេលវេលា។",
    )


def _length(time: timedelta) -> str:
    hours, minutes = time // HOUR, time % HOUR // MINUTE
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
