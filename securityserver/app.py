"""The composition root: builds a node out of its parts, starts them in order, and stops them in the other.

It refuses to do any part's work. ``commands`` runs a node until a signal; tests and the sandbox run several in one
process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import aiohttp

from pki.clock import Clock, SystemClock
from pki.token import Signer, SoftwareToken
from pki.upkeep import OcspUpkeep
from securityserver.anchorfile import read_anchor
from securityserver.archiving.assembly import assemble
from securityserver.archiving.keeper import ArchiveCollector, ArchiveKeeper
from securityserver.archiving.ledger import Ledger
from securityserver.config import NodeConfig
from securityserver.confstore import ConfigurationStore
from securityserver.consumer import Consumer
from securityserver.contexts import TlsContexts
from securityserver.credentials import Credentials, certificates_in_use
from securityserver.documents import Documents
from securityserver.downloads import AT_ONCE, Downloads
from securityserver.entrance import Entrance, refuse_backend, refuse_peer
from securityserver.frontdoor import FrontDoor
from securityserver.health import register_checks
from securityserver.incoming import Patience
from securityserver.internaltls import InternalKey
from securityserver.limits import Limits
from securityserver.logkey import form_of, recipients
from securityserver.loops import supervised
from securityserver.messagelog import BodyKeeping, DataKeys, MessageLog, Side, SpoolDirectory
from securityserver.messagelog.timestamps import TimestampStore
from securityserver.migrations import open_node_database
from securityserver.monitoring import Monitor
from securityserver.ocsprelay import OcspRelay
from securityserver.outlook import OutlookCollector
from securityserver.peers import PeerClient
from securityserver.provider import Provider
from securityserver.relay_client import RelayClient
from securityserver.serverconf import ServerConfStore
from securityserver.services import ServiceClient
from securityserver.slots import Slots
from securityserver.timestamping import Authorities, Budget, StampedLog, TimestampKeeper
from securityserver.timestamping.keeper import SignHead
from securityserver.timestamping.observing import TimestampingCollector
from securityserver.timestamping.settings import interval_of
from securityserver.trust import TrustKeeper
from serverkit.database import Database
from serverkit.http import HttpServer, Listen
from serverkit.logs import get_logger
from serverkit.memory import give_back_regularly
from serverkit.metrics import HealthChecks, Metrics, monitoring_app
from xroad.identifiers import ClientId
from xroad.verdicts import VerdictCache

log = get_logger("node")

# A node whose central server or responder does not answer opens its doors nevertheless, and says why it refuses.
FIRST_LOOK_SECONDS: Final = 5.0

# Gives what signs messages with the keys of a token: the token itself, or what stands in for it in measurements.
SignerOf = Callable[[SoftwareToken], Signer]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a node really listens."""

    client_http: tuple[Listen, ...]
    client_https: tuple[Listen, ...]
    message: tuple[Listen, ...]
    ocsp: tuple[Listen, ...]
    metrics: tuple[Listen, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of, once it runs."""

    config: NodeConfig
    clock: Clock
    token: SoftwareToken
    conf: ServerConfStore
    log: MessageLog
    timestamps: TimestampKeeper
    archive: ArchiveKeeper | None
    spools: SpoolDirectory
    trust: TrustKeeper
    upkeep: OcspUpkeep
    credentials: Credentials
    contexts: TlsContexts
    consumer: Consumer
    provider: Provider
    from_clients: Slots
    from_peers: Slots
    downloads: Downloads
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Node:
    """A running node."""

    parts: Parts
    addresses: Addresses

    @classmethod
    @asynccontextmanager
    async def running(
        cls, config: NodeConfig, clock: Clock | None = None, *, signer: SignerOf | None = None
    ) -> AsyncIterator["Node"]:
        """Run a node: all its parts are up within, and down in order after.

        Args:
            config: NODE.toml.
            clock: the machine's when None.
            signer: what signs messages, given the token; the token itself when None.

        Raises:
            DatabaseUnusable, SpoolUnusable, PkiError, ArchivingFailed: its database, spool, token or archive cannot be
                used.
            ConfigError: its anchor cannot.
            OSError: one of its addresses is taken.
        """
        async with AsyncExitStack() as parts_up:
            parts = await _build(config, clock or SystemClock(), parts_up, signer)
            async with asyncio.TaskGroup() as loops:
                await _first_look(parts)
                background = [
                    loops.create_task(supervised("global configuration", parts.trust.follow)),
                    loops.create_task(supervised("ocsp", parts.upkeep.run)),
                    loops.create_task(supervised("server configuration", parts.conf.follow)),
                    loops.create_task(supervised("time-stamping", parts.timestamps.run)),
                    loops.create_task(supervised("memory", give_back_regularly)),
                ]
                if parts.archive is not None:
                    background.append(loops.create_task(supervised("archive", parts.archive.run)))
                try:
                    async with _doors(parts) as addresses:
                        log.info("node_started", server=str(config.server.id))
                        yield cls(parts, addresses)
                        log.info("node_stopping", server=str(config.server.id))
                finally:
                    for task in background:
                        task.cancel()
        log.info("node_stopped", server=str(config.server.id))


async def _build(config: NodeConfig, clock: Clock, up: AsyncExitStack, signer: SignerOf | None) -> Parts:
    """Make the parts, those first that the others stand on; what must be closed is closed in the other order."""
    limits = config.limits
    await asyncio.to_thread(read_anchor, config.server.anchor, config.server.id.instance)
    database = await asyncio.to_thread(open_node_database, config.database)
    up.callback(database.close)
    token = await asyncio.to_thread(SoftwareToken.open, config.token.directory, config.token.pin())
    spools = SpoolDirectory.open(config.spool_directory, inline_limit=limits.body_in_memory_bytes)
    up.callback(spools.close)
    conf = await asyncio.to_thread(ServerConfStore.load, database)
    keys = DataKeys(database, await asyncio.to_thread(recipients, config))
    # Who stamps each message before it moves on reads it from the database first.
    message_log = await MessageLog.open(
        database, bodies=BodyKeeping(partial(form_of, conf), keys), intake=not config.timestamping.immediately
    )
    up.push_async_callback(message_log.close)
    session = await up.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
    trust = _trust(config, session, clock)
    in_use = partial(certificates_in_use, token)
    upkeep = OcspUpkeep(config.ocsp_directory, trust=trust.latest, certificates=in_use, clock=clock)
    trust.subscribe(upkeep.wake)
    credentials = Credentials(token, upkeep, trust.latest, None if signer is None else signer(token))
    sign_head = partial(_sign_head, message_log, credentials, config.server.id.owner)
    timestamps = _timestamping(config, TimestampStore(database, message_log.settled), session, trust, clock, sign_head)
    stamped = StampedLog(message_log, timestamps, immediately=config.timestamping.immediately)
    internal, verdicts = InternalKey(config.internal_tls_directory), VerdictCache()
    contexts = TlsContexts(trust.latest, conf, credentials, internal)
    services = ServiceClient(internal)
    up.push_async_callback(services.close)
    relay = RelayClient(session, config.ports.ocsp, limits.ocsp_relay_seconds)
    peers = PeerClient(contexts.to_peers, relay, config.ports, limits, verdicts)
    up.callback(peers.close)
    from_clients, from_peers = Slots(limits.exchanges), Slots(limits.exchanges)
    consumer = Consumer(
        config.server.id,
        trust,
        conf,
        credentials,
        peers,
        stamped,
        spools,
        verdicts,
        limits,
        _patience(limits, from_clients),
        clock,
    )
    provider = Provider(
        trust, conf, credentials, services, stamped, spools, verdicts, limits, _patience(limits, from_peers), clock
    )
    return Parts(
        config,
        clock,
        token,
        conf,
        message_log,
        timestamps,
        _archive(config, database, clock),
        spools,
        trust,
        upkeep,
        credentials,
        contexts,
        consumer,
        provider,
        from_clients,
        from_peers,
        _downloads(config, message_log, conf, timestamps),
        Metrics(),
    )


def _trust(config: NodeConfig, session: aiohttp.ClientSession, clock: Clock) -> TrustKeeper:
    every = config.globalconf.refresh_seconds
    return TrustKeeper(config.globalconf_directory, config.server.anchor, session, clock, refresh_seconds=every)


def _patience(limits: Limits, slots: Slots) -> Patience:
    return Patience(limits.read_seconds, limits.crowded_read_seconds, slots.crowded)


def _keeps_requests(conf: ServerConfStore) -> bool:
    return all(client.log.keeps_requests for client in conf.current.clients)


def _downloads(
    config: NodeConfig, message_log: MessageLog, conf: ServerConfStore, timestamps: TimestampKeeper
) -> Downloads:
    documents, stored = Documents(message_log.reader), ConfigurationStore(config.globalconf_directory)
    return Downloads(documents, conf, timestamps, stored, asyncio.Semaphore(AT_ONCE), message_log.settled)


def _archive(config: NodeConfig, database: Database, clock: Clock) -> ArchiveKeeper | None:
    settings = config.archive
    if settings is None:
        return None
    archiver = assemble(settings, database, config.archive_work_directory, clock.now)
    return ArchiveKeeper(archiver, Ledger(database), timedelta(seconds=settings.interval_seconds), clock)


async def _sign_head(message_log: MessageLog, credentials: Credentials, owner: ClientId, at: datetime) -> None:
    await message_log.sign_head(partial(credentials.sign_data, owner, at=at), at)


def _timestamping(
    config: NodeConfig,
    store: TimestampStore,
    session: aiohttp.ClientSession,
    trust: TrustKeeper,
    clock: Clock,
    sign_head: SignHead,
) -> TimestampKeeper:
    settings = config.timestamping
    keeper = TimestampKeeper(
        store,
        Authorities(session, trust.current, clock, settings),
        Budget(timedelta(seconds=settings.acceptable_failure_seconds), clock),
        lambda: interval_of(trust.latest()),
        clock,
        settings,
        sign_head,
    )
    trust.subscribe(keeper.wake)
    return keeper


async def _first_look(parts: Parts) -> None:
    """Have a configuration and OCSP responses before the doors open, fetched only when none are kept."""
    await asyncio.to_thread(parts.trust.load)
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            if parts.trust.latest() is None:
                await parts.trust.refresh()
            if not parts.credentials.has_responses():
                await parts.upkeep.refresh()


@asynccontextmanager
async def _doors(parts: Parts) -> AsyncIterator[Addresses]:
    """Open all doors; close them together, so that exchanges in flight on each get the whole time."""
    config, limits, monitor = parts.config, parts.config.limits, Monitor(parts.metrics)
    client = Entrance(Side.CONSUMER, parts.consumer.handle, refuse_backend, monitor, parts.from_clients)
    peer = Entrance(Side.PRODUCER, parts.provider.handle, refuse_peer, monitor, parts.from_peers)
    relay = OcspRelay(parts.credentials.ocsp_by_relay_name, partial(_keeps_requests, parts.conf))
    listen = config.listen
    async with AsyncExitStack() as opened:
        doors = []
        from_client = parts.downloads.before(client.handle)
        for handler, unreadable, places, tls in (
            (from_client, client.unreadable, listen.client_http, None),
            (from_client, client.unreadable, listen.client_https, parts.contexts.client_listener()),
            (peer.handle, peer.unreadable, listen.message, parts.contexts.message_listener()),
            (relay.handle, relay.unreadable, listen.ocsp, None),
        ):
            doors.append(await FrontDoor.open(handler, unreadable, places, limits, tls))
            opened.push_async_callback(doors[-1].close, limits.shutdown_seconds)
        metrics = await HttpServer.start(_monitoring(parts), listen.metrics)
        opened.push_async_callback(metrics.close)
        client_http, client_https, message, ocsp = (door.addresses for door in doors)
        yield Addresses(client_http, client_https, message, ocsp, metrics.addresses)
        await _close_together(doors, limits.shutdown_seconds)


async def _close_together(doors: list[FrontDoor], seconds: float) -> None:
    async with asyncio.TaskGroup() as closing:
        for door in doors:
            closing.create_task(door.close(seconds))


def _monitoring(parts: Parts) -> aiohttp.web.Application:
    checks = HealthChecks()
    register_checks(checks, parts.trust, parts.upkeep, parts.log, parts.timestamps, parts.clock)
    TimestampingCollector(parts.timestamps, parts.metrics.registry)
    OutlookCollector(
        parts.trust, parts.upkeep, partial(certificates_in_use, parts.token), parts.clock, parts.metrics.registry
    )
    if parts.archive is not None:
        checks.register("archive", parts.archive.check)
        ArchiveCollector(parts.archive, parts.metrics.registry)
    return monitoring_app(parts.metrics, checks)
