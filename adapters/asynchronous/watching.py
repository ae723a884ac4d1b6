"""What is seen of subscriptions and later searches from outside: Prometheus metrics, and whether staff must act.

It refuses personal values: labels are codes of services, and names out of the institution's own files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Gauge
from sqlalchemy import Connection, func, select

from adapters.asynchronous import jobs
from adapters.asynchronous.asking import REFUSED
from adapters.asynchronous.subscriptions import IN_FORCE
from adapters.events.tables import SUBSCRIPTION
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics

_OK: Final = Health(HealthState.OK, "Subscriptions are kept up.", "ការជាវដំណើរការធម្មតា។")
_REFUSED: Final = Health(
    HealthState.DEGRADED,
    "A subscription was refused: see `spean subscription list`, and ask the institution that publishes.",
    "ការជាវមួយត្រូវបានបដិសេធ៖ សូមមើល `spean subscription list` រួចសាកសួរស្ថាប័នដែលផ្សព្វផ្សាយ។",
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is: subscriptions of others by service, own ones by name and state, and searches that wait."""

    others: tuple[tuple[str, int], ...]
    own: tuple[tuple[str, str], ...]
    jobs: int


class Watch:
    """The metrics and health of the asynchronous paths of one adapter."""

    def __init__(self, metrics: Metrics, services: Iterable[str]) -> None:
        registry = metrics.registry
        self._services = tuple(services)
        self._health = _OK
        self._others = Gauge("spean_subscriptions", "Subscriptions in force.", ("service",), registry=registry)
        self._own = Gauge(
            "spean_own_subscriptions", "Last request for a declared subscription.", ("name", "state"), registry=registry
        )
        self._jobs = Gauge("spean_searches_waiting", "Searches acknowledged and not answered.", registry=registry)

    def register(self, checks: HealthChecks) -> None:
        """Tell of own subscriptions in the health page."""
        checks.register("subscriptions", lambda: self._health)

    def seen(self, counts: Counts) -> None:
        """Note what there is now."""
        found = dict(counts.others)
        for service in self._services:
            self._others.labels(service).set(found.get(service, 0))
        self._own.clear()
        for name, state in counts.own:
            self._own.labels(name, state).set(1)
        self._jobs.set(counts.jobs)
        self._health = _REFUSED if any(state == REFUSED for _name, state in counts.own) else _OK


def count(connection: Connection, own: Sequence[tuple[str, str]]) -> Counts:
    """Count what is in the tables; ``own`` is the last state of each declared subscription."""
    table = SUBSCRIPTION.c
    wanted = select(table.service, func.count()).where(table.status == IN_FORCE).group_by(table.service)
    others = tuple((service, number) for service, number in connection.execute(wanted))
    return Counts(others, tuple(own), jobs.waiting(connection))
