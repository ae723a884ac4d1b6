"""Makes what publishes for the services of one adapter, and what runs beside it: captures and first loads.

It refuses nothing that the configuration let through. The adapter's composition calls it when its file has ``events:``;
writers are given :meth:`Publishers.after` of their service.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from adapters.accesslog import AccessStore
from adapters.capture.digests import Digests
from adapters.capture.following import Following
from adapters.capture.loading import Loads
from adapters.capture.publisher import Publisher
from adapters.capture.reading import reader_of
from adapters.capture.watching import CaptureWatch
from adapters.events import EventsStore
from adapters.registry.monitoring import Monitor
from adapters.services import ServiceConfig
from adapters.source import Source

Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Publishers:
    """What publishes, by code of the service."""

    by_service: Mapping[str, Publisher]
    jobs: tuple[Job, ...]

    def after(self, service: str) -> Callable[[Connection, str], None] | None:
        """Return what a writer calls for each record that it wrote; None where nothing is published of it."""
        publisher = self.by_service.get(service)
        if publisher is None:
            return None

        def tell(connection: Connection, record_key: str) -> None:
            publisher.publish(connection, record_key, datetime.now(UTC))

        return tell

    def digests(self, store: EventsStore, access: AccessStore) -> dict[str, Digests]:
        """Return what lets subscribers compare, by service."""
        return {code: Digests(each, store, access) for code, each in self.by_service.items()}

    def events(self, service: str) -> frozenset[str]:
        """Return the types of event that a service publishes."""
        publisher = self.by_service.get(service)
        if publisher is None:
            return frozenset()
        types = publisher.config.events
        return frozenset({types.new, types.changed, types.gone})


def publishers(
    services: Sequence[tuple[ServiceConfig, Source]],
    store: EventsStore,
    monitor: Monitor,
    *,
    at_source: bool,
    sender_id: str,
) -> Publishers:
    """Make them.

    Args:
        services: each with its source.
        store: the tables of events.
        monitor: of the adapter.
        at_source: whether the tables stand in the source's own database.
        sender_id: the own subsystem.
    """
    watch = CaptureWatch(monitor.metrics)
    found: dict[str, Publisher] = {}
    jobs: list[Job] = []
    for service, source in services:
        if service.publish is not None:
            publisher = found[service.code] = publisher_of(service, source, store, at_source=at_source)
            following = Following(publisher, store, source, watch=watch)
            watch.register(monitor.checks, service.code, following.every)
            jobs += [following.run, Loads(publisher, store, sender_id=sender_id).run]
    return Publishers(found, tuple(jobs))


def publisher_of(service: ServiceConfig, source: Source, store: EventsStore, *, at_source: bool) -> Publisher:
    """Make what publishes for one service; raises :class:`ValueError` for one that publishes nothing."""
    return Publisher(service, store.key, reader_of(source, at_source=at_source))
