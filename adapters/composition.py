"""Makes the parts of one adapter out of its configuration: sources, services, keys, access record, application.

It refuses keys that others can read and clients that cannot be read. Nothing but the database of events is opened yet;
:func:`adapters.serve.serve` opens and closes what it makes.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from adapters.accesslog import AccessStore, load_key
from adapters.asynchronous.assembly import Asynchronous, Tells, assemble
from adapters.asynchronous.documents import Pen
from adapters.asynchronous.receiver import Receiver
from adapters.asynchronous.watching import Watch as WatchSubscriptions
from adapters.capture.assembly import Publishers, publishers
from adapters.config import AdapterConfig, ServiceConfig
from adapters.errors import ConfigError, EventsError
from adapters.events import EventsStore, load_events_key, open_events
from adapters.outbox.config import EventsConfig, limits_of
from adapters.outbox.delivery import Delivery
from adapters.outbox.embedded import EmbeddedQueue
from adapters.outbox.relay import Queue, Relay
from adapters.outbox.transport import HttpTransport
from adapters.outbox.waking import Waker
from adapters.outbox.watching import Watch
from adapters.registry import signing
from adapters.registry.app import AppLimits, RegistryApp, Signatures
from adapters.registry.callers import Callers
from adapters.registry.keyfiles import SigningKey, load_signing_key
from adapters.registry.listenertls import listener_context, read_certificates
from adapters.registry.monitoring import Monitor
from adapters.registry.public import Public
from adapters.registry.queries import QueryLimits
from adapters.registry.search import Registry, one_of
from adapters.registry.service import Service
from adapters.registry.tokens import TokenIssuer, load_clients
from adapters.secretkeys import make_key
from adapters.source import open_source
from adapters.source.connection import CrosswalkConnection, SqlConnection
from adapters.source.engines import open_writing_engine, read_url
from adapters.writing import Writer, open_writers
from serverkit.metrics import HealthChecks
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

Job = Callable[[], Awaitable[None]]
_WRITING_MS: Final = 10_000  # for one statement, and for a lock that staff's programs hold: as on SQLite and PostgreSQL


@dataclass(frozen=True, slots=True)
class Parts:
    """What an adapter is made of."""

    services: tuple[Service, ...]
    store: AccessStore
    monitor: Monitor
    app: RegistryApp
    tls: ssl.SSLContext | None
    events: EventsStore | None = None
    later: Asynchronous | None = None
    writers: Mapping[str, Writer] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()  # run beside the application until the adapter stops, and are cancelled then


def compose(config: AdapterConfig, receivers: Mapping[str, Receiver] | None = None) -> Parts:
    """Make the parts; makes the keys of access record and events when there are none yet.

    Args:
        config: of the adapter.
        receivers: what takes the events of others, by code of the service, in place of what the configuration says.

    Raises:
        ConfigError: a key, client or connection cannot be used.
    """
    store = _store(config)
    key = _key(config, config.signatures.key_file, "signatures.key_file")
    tokens = token_issuer(config)
    pinned = read_certificates(config.callers.certificate_files, config=config.file)
    services = tuple(_service(config, each, store) for each in config.services)
    monitor = Monitor()
    events = _events(config)
    publishing = None if events is None else _publishing(config, events, services, monitor)
    writers = writers_of(config, events, publishing)
    if events is not None:
        _follow(config, events, writers)
    takers = receivers or {**writers, **_crosswalk(config, events, monitor)}
    later = None if events is None else _asynchronous(config, services, store, events, monitor, takers)
    app = RegistryApp(
        services,
        callers=Callers(config.callers.security_servers, pinned, tokens),
        store=store,
        signatures=Signatures(key, _senders(config)),
        monitor=monitor,
        public=Public(config.sender_id, tokens, [each for each in (key, tokens.key if tokens else None) if each]),
        limits=_app_limits(config),
        desks={} if later is None else later.desks,
        comparing={} if publishing is None or events is None else publishing.digests(events, store),
    )
    tls = _tls(config, pinned)
    jobs: list[Job] = [] if later is None else list(later.background)
    if config.events is not None and events is not None:
        jobs.append(_outbox(config, config.events, events, Parts(services, store, monitor, app, tls), key))
    jobs += publishing.jobs if publishing is not None else ()
    return Parts(services, store, monitor, app, tls, events, later, writers, tuple(jobs))


def _events(config: AdapterConfig) -> EventsStore | None:
    return None if config.events is None else open_events_store(config.events)


def open_events_store(events: EventsConfig) -> EventsStore:
    """Open the tables of events, with a new key when there is none yet; blocks. Raises :class:`ConfigError`."""
    make_key(events.key_file)
    key = load_events_key(events.key_file, config=events.file)
    password = None if events.database.password is None else events.database.password.read()
    return open_events(events.database.url, key, config=events.file, password=password)


def _asynchronous(
    config: AdapterConfig,
    services: Sequence[Service],
    store: AccessStore,
    events: EventsStore,
    monitor: Monitor,
    receivers: Mapping[str, Receiver],
) -> Asynchronous:
    watch = WatchSubscriptions(monitor.metrics, [each.code for each in services])
    watch.register(monitor.checks)
    tells = {each.code: _tells(each, receivers.get(each.code)) for each in config.services}
    pen = Pen(_subsystem(config))
    return assemble(services, events, store, pen, tells=tells, watch=watch, declared=config.subscriptions)


def writers_of(config: AdapterConfig, events: EventsStore | None, publishing: Publishers | None) -> dict[str, Writer]:
    """Make what writes the records of others, and lets those hear of it to whom it is published.

    Raises:
        ConfigError: the tables of events are not where the programme's data are, or a table is not as declared.
    """
    writers = _writers(config, events)
    if publishing is not None:
        _join(writers, publishing)
    return writers


def _writers(config: AdapterConfig, events: EventsStore | None) -> dict[str, Writer]:
    """Make what writes the records of others, where the programme's data are."""
    found = [each for each in config.services if each.write is not None]
    elsewhere = _writing_engine(config) if found else None
    if found and (config.events is None or events is None or (not config.events.at_source and elsewhere is None)):
        raise ConfigError(
            config.file, "events.database", f"must be source, because {found[0].code} writes what others send"
        )
    definitions = {each.code: each.write for each in found if each.write is not None}
    return {} if events is None else open_writers(definitions, events, elsewhere)


def _writing_engine(config: AdapterConfig) -> Engine | None:
    """Return what writes into a source that cannot hold the tables of events; None for all others."""
    connection = config.connection
    if not isinstance(connection, SqlConnection):
        return None
    url = read_url(config.file, connection.url)
    if url.get_backend_name() != "mariadb":
        return None
    password = None if connection.password is None else connection.password.read()
    return open_writing_engine(config.file, url, password=password, timeout_ms=_WRITING_MS)


def _follow(config: AdapterConfig, events: EventsStore, writers: Mapping[str, Writer]) -> None:
    """Take up what a killed process wrote into the programme's database and could not note beside the events."""
    try:
        for writer in writers.values():
            if writer.elsewhere is not None:
                events.write_now(partial(writer.follow, at=datetime.now(UTC)))
    except EventsError as error:
        raise ConfigError(config.file, "events.database", str(error)) from error


def _crosswalk(config: AdapterConfig, events: EventsStore | None, monitor: Monitor) -> dict[str, Receiver]:
    """Make what takes the events of registries into a crosswalk; nothing for other adapters.

    Raises:
        ConfigError: what was taken and that it was taken could not be one transaction.
    """
    if not isinstance(config.connection, CrosswalkConnection) or config.events is None or events is None:
        return {}
    if not config.events.at_source:
        if config.subscriptions:
            problem = "must be source, because the crosswalk takes what registries tell"
            raise ConfigError(config.file, "events.database", problem)
        return {}
    from adapters.crosswalk.opening import crosswalk_of  # noqa: PLC0415  # only a crosswalk's own adapter needs it
    from adapters.crosswalk.receiving import Receiving  # noqa: PLC0415  # as above
    from adapters.crosswalk.watching import CrosswalkWatch  # noqa: PLC0415  # as above

    watch = CrosswalkWatch(monitor.metrics)
    watch.register(monitor.checks)
    receiver = Receiving(crosswalk_of(config.connection), watch)
    return {each.code: receiver for each in config.services}


def _join(writers: Mapping[str, Writer], publishing: Publishers) -> None:
    """Let what is written be told to others in the same transaction."""
    for code, writer in writers.items():
        writer.after = publishing.after(code)
        told = {other: publishing.after(other) for other in writer.definition.tells}
        writer.others = {other: after for other, after in told.items() if after is not None}


def _tells(service: ServiceConfig, receiver: Receiver | None) -> Tells:
    publish = service.publish
    told = () if publish is None else (publish.events.new, publish.events.changed, publish.events.gone)
    return Tells(events=frozenset(told), receiver=receiver)


def _subsystem(config: AdapterConfig) -> str:
    """Return the own subsystem: what is sent over the bus is sent in its name."""
    try:
        client = ClientId.parse(config.sender_id)
    except XRoadError:
        client = None
    if client is None or client.subsystem_code is None:
        raise ConfigError(config.file, "sender_id", "with events, it is the subsystem INSTANCE/CLASS/MEMBER/SUBSYSTEM")
    return str(client)


def _outbox(
    config: AdapterConfig, events: EventsConfig, store: EventsStore, parts: Parts, key: SigningKey | None
) -> Job:
    """Make what sends; raises :class:`ConfigError`."""
    watch = Watch(parts.monitor.metrics, timedelta(minutes=events.late_minutes))
    watch.register(parts.monitor.checks)
    transport = HttpTransport(
        events.security_server, config.sender_id, seconds=events.timeout_seconds, file=config.file
    )
    delivery = Delivery(
        store,
        parts.store,
        transport,
        sender_id=config.sender_id,
        sign=None if key is None else partial(signing.sign, key=key),
        retry=events.retry,
        watch=watch,
    )
    waker = Waker()
    queue = _queue(events, store, delivery, waker, parts.monitor.checks)
    relay = Relay(store, queue, waker, watch, keep_days=events.keep_days)

    async def send() -> None:
        try:
            await relay.run()
        finally:
            await transport.close()

    return send


def _publishing(config: AdapterConfig, store: EventsStore, services: Sequence[Service], monitor: Monitor) -> Publishers:
    """Make what notices changes and what loads."""
    pairs = [(each, service.registry.source) for each, service in zip(config.services, services, strict=True)]
    at_source = config.events is not None and config.events.at_source
    return publishers(pairs, store, monitor, at_source=at_source, sender_id=config.sender_id)


def _queue(events: EventsConfig, store: EventsStore, delivery: Delivery, waker: Waker, checks: HealthChecks) -> Queue:
    limits = partial(limits_of, events.receivers)
    if events.nats is None:
        return EmbeddedQueue(store, delivery, waker, limits)
    try:
        from adapters.outbox.natsqueue import NatsQueue  # noqa: PLC0415  # an extra: others start without it
        from adapters.outbox.stream import Stream  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        raise ConfigError(events.file, "events.queue", f"needs {error.name}: install spean[nats]") from error
    stream = Stream(events.nats, file=events.file)
    checks.register("queue", lambda: stream.health.now)
    return NatsQueue(store, delivery, waker, limits, stream)


def _tls(config: AdapterConfig, pinned: frozenset[bytes]) -> ssl.SSLContext | None:
    if config.tls is None:
        return None
    return listener_context(config.tls.certificate_file, config.tls.key_file, pinned, config=config.file)


def _store(config: AdapterConfig) -> AccessStore:
    access = config.access
    make_key(access.key_file)
    key = load_key(access.key_file, config=config.file)
    return AccessStore(access.log, key, access_days=access.days, transaction_days=access.transaction_days)


@asynccontextmanager
async def open_services(config: AdapterConfig) -> AsyncIterator[tuple[Registry, ...]]:
    """Give the registries of an adapter without serving them, for the institution's own commands."""
    registries = tuple(_registry(config, each) for each in config.services)
    try:
        yield registries
    finally:
        for each in registries:
            await each.source.close()


def _app_limits(config: AdapterConfig) -> AppLimits:
    limits = config.limits
    return AppLimits(limits.body_bytes, limits.event_bytes, limits.request_seconds, limits.concurrent_queries)


def _service(config: AdapterConfig, service: ServiceConfig, store: AccessStore) -> Service:
    return Service(
        service.code,
        _registry(config, service),
        store,
        sender_id=config.sender_id,
        max_items=config.limits.items,
        max_events=config.limits.events,
        yes_when=one_of(*service.yes_when) if service.yes_when else None,
    )


def _registry(config: AdapterConfig, service: ServiceConfig) -> Registry:
    limits = config.limits
    return Registry(
        source=open_source(service.source, config.connection, connections=limits.concurrent_queries),
        mappings=service.mappings,
        default=service.mapping.mapping.contract_version,
        reg_type=service.reg_type,
        record_type=service.record_type,
        release=service.release,
        limits=QueryLimits(limits.page_size, limits.records),
    )


def _key(config: AdapterConfig, path: Path | None, key: str) -> SigningKey | None:
    return None if path is None else load_signing_key(path, config=config.file, key=key)


def token_issuer(config: AdapterConfig) -> TokenIssuer | None:
    """Make what issues access tokens; None where nobody may ask without the bus. Raises :class:`ConfigError`."""
    callers = config.callers
    key = _key(config, callers.token_key_file, "callers.token_key_file")
    if key is None or callers.clients_file is None:
        return None
    return TokenIssuer(config.sender_id, key, load_clients(callers.clients_file), callers.token_lifetime)


def _senders(config: AdapterConfig) -> signing.Senders:
    """Without a file nobody's signature is known, so that a message with one is refused rather than believed."""
    path = config.signatures.senders_file
    return (
        signing.Senders({}, demand=False)
        if path is None
        else signing.load_senders(path, demand=config.signatures.demand)
    )
