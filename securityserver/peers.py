"""Connections to other security servers: pooled mutual TLS, to the fastest live server, judged before anything is sent.

It refuses to know messages: it gives a connection to a server that may answer for the provider, or says why there is
none. The consumer pipeline calls ``reach`` before it signs and logs, so that no request is logged that could not
leave.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.config import PeerPorts
from securityserver.limits import Limits
from securityserver.peerhttp import AnswerHead, PeerConnection
from securityserver.race import Winner, connect_fastest
from securityserver.relay_client import RelayClient
from securityserver.tls import NodeContext, peer_certificate
from securityserver.wire import Wire
from serverkit.logs import get_logger
from xroad.certificates import verify_auth_certificate, verify_chain
from xroad.errors import NetworkError, PeerError, PeerIoError, SslAuthenticationFailed, XRoadError
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId
from xroad.ocsp import describe
from xroad.reading import load_certificate
from xroad.verdicts import VerdictCache

log = get_logger("peers")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request may go: the addresses of the provider's servers, by the snapshot that says so."""

    provider: ClientId
    addresses: tuple[str, ...]
    trust: TrustSnapshot


@dataclass(frozen=True, slots=True)
class _Judgement:
    """For whom, by which global configuration and for which span a peer's certificate was found good.

    ``direct_references`` is what its server announced of itself, and no part of the verdict.
    """

    provider: ClientId
    snapshot: str
    since: datetime
    until: datetime
    direct_references: bool

    def covers(self, route: Route, at: datetime) -> bool:
        """Tell whether it answers for this route at this time, so that nothing need be judged anew."""
        same = self.provider == route.provider and self.snapshot == route.trust.digest
        return same and self.since <= at < self.until


@dataclass(slots=True)
class _Judged:
    """An open connection, whose it is, how it was judged last, and with which context it was made."""

    connection: PeerConnection
    certificate: x509.Certificate
    address: str
    judgement: _Judgement
    context: NodeContext
    idle_since: float = field(default=0.0)


class Reached:
    """A server that may answer for the provider, ready for one exchange; leaving it gives the connection back.

    Args:
        judged: the connection.
        seconds: until the head of its answer must be here.
        keep: takes the connection back.
    """

    __slots__ = ("_judged", "_keep", "_seconds")

    def __init__(self, judged: _Judged, seconds: float, keep: Callable[[_Judged], None]) -> None:
        self._judged, self._seconds, self._keep = judged, seconds, keep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(self._judged)

    @property
    def address(self) -> str:
        """The server's address."""
        return self._judged.address

    @property
    def direct_references(self) -> bool:
        """Whether the server verifies direct references to the parts of a message."""
        return self._judged.judgement.direct_references

    async def post(self, fields: Iterable[tuple[str, str]], body: bytes | AsyncIterator[bytes]) -> AnswerHead:
        """Send the one request of this exchange.

        Raises:
            PeerIoError: the peer broke off, or did not answer in time.
        """
        try:
            return await self._judged.connection.post(fields, body, self._seconds)
        except TimeoutError as error:
            raise PeerIoError(
                f"The provider's security server took the request and did not answer within {self._seconds:g} seconds. "
                "The service may have done its work: find out before sending the request again."
            ) from error

    def answer_that_came(self, head: AnswerHead) -> bytes | None:
        """Give the answer's body if all of it is here."""
        return self._judged.connection.answer_that_came(head)

    def body(self, head: AnswerHead) -> AsyncIterator[bytes]:
        """Stream the answer's body."""
        return self._judged.connection.answer_body(head)


class PeerClient:
    """Opens, judges and keeps connections; all exchanges of a node share one.

    Args:
        context: gives the TLS context of the moment, with the node's key and the authorities of the snapshot.
        relay: for the peers' OCSP responses.
        ports: the instance's message port.
        limits: times and counts.
        verdicts: remembers good certificates.
    """

    def __init__(
        self,
        context: Callable[[], NodeContext],
        relay: RelayClient,
        ports: PeerPorts,
        limits: Limits,
        verdicts: VerdictCache,
    ) -> None:
        self._context, self._relay, self._ports, self._limits = context, relay, ports, limits
        self._verdicts = verdicts
        self._idle: dict[tuple[str, ...], deque[_Judged]] = {}
        self._fastest: dict[tuple[str, ...], tuple[str, float]] = {}

    async def reach(self, route: Route, at: datetime) -> Reached:
        """Give a judged connection to one of the provider's servers, for one exchange.

        Raises:
            NetworkError: no server can be reached.
            SslAuthenticationFailed: the servers that can be reached may not answer for the provider.
        """
        context = self._context()
        judged = await self._pooled(route, context, at) or await self._opened(route, context, at)
        return Reached(judged, self._limits.peer_seconds, partial(self._keep, route))

    def close(self) -> None:
        """Close what is idle; exchanges under way end by themselves."""
        for kept in self._idle.values():
            for judged in kept:
                judged.connection.close()
        self._idle.clear()

    async def _pooled(self, route: Route, context: NodeContext, at: datetime) -> _Judged | None:
        kept = self._idle.get(route.addresses)
        while kept:
            judged = kept.pop()
            fresh = judged.context is context and time.monotonic() - judged.idle_since < self._limits.peer_idle_seconds
            if fresh and judged.connection.reusable and await self._still_good(judged, route, at):
                return judged
            judged.connection.close()
        return None

    async def _still_good(self, judged: _Judged, route: Route, at: datetime) -> bool:
        # A connection outlives what let it in: its certificate may have been unregistered or revoked since.
        if not judged.judgement.covers(route, at):
            try:
                judged.judgement = await self._judge(judged.certificate, judged.address, route, at)
            except XRoadError:
                return False
        return True

    def _keep(self, route: Route, judged: _Judged) -> None:
        kept = self._idle.setdefault(route.addresses, deque())
        if judged.connection.reusable and len(kept) < self._limits.peer_connections:
            judged.idle_since = time.monotonic()
            kept.append(judged)
        else:
            judged.connection.close()
        self._drop_stale()

    def _drop_stale(self) -> None:
        oldest = time.monotonic() - self._limits.peer_idle_seconds
        for key, kept in list(self._idle.items()):
            while kept and kept[0].idle_since < oldest:
                kept.popleft().connection.close()
            if not kept:
                del self._idle[key]

    async def _opened(self, route: Route, context: NodeContext, at: datetime) -> _Judged:
        """Try the last winner, then race the rest; one that fails before the request was sent is left for another."""
        left = list(route.addresses)
        failure: PeerError | None = None
        while left:
            candidates = self._preferred(route, left)
            try:
                winner = await connect_fastest(candidates, self._ports.message, self._limits.connect_seconds)
            except NetworkError as error:
                failure, tried = failure or error, candidates
            else:
                try:
                    return await self._secured(winner, route, context, at)
                except PeerError as error:
                    failure, tried = error, [winner.address]
            self._fastest.pop(route.addresses, None)
            left = [address for address in left if address not in tried]
            log.warning("peer_refused", addresses=tried, code=failure.bare_code, error_id=failure.error_id)
        raise failure or NetworkError("The provider has no security server with an address.")

    def _preferred(self, route: Route, left: list[str]) -> list[str]:
        address, until = self._fastest.get(route.addresses, ("", 0.0))
        return [address] if address in left and time.monotonic() < until else left

    async def _secured(self, winner: Winner, route: Route, context: NodeContext, at: datetime) -> _Judged:
        connection = await self._handshake(winner, context)
        try:
            certificate = _shown(connection)
            judgement = await self._judge(certificate, winner.address, route, at)
        except BaseException:
            connection.close()
            raise
        if len(route.addresses) > 1:
            self._fastest[route.addresses] = winner.address, time.monotonic() + self._limits.fastest_server_seconds
        return _Judged(connection, certificate, winner.address, judgement, context)

    async def _handshake(self, winner: Winner, context: NodeContext) -> PeerConnection:
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire, sock=winner.connection, ssl=context, server_hostname=winner.address
                )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            winner.connection.close()
            reason = (
                getattr(error, "verify_message", None) or getattr(error, "reason", None) or "the connection was closed"
            )
            raise SslAuthenticationFailed(
                f"No TLS connection with the security server at {winner.address} came about: {reason}. Either side's "
                "authentication certificate may be from an authority that the other's global configuration lacks."
            ) from error
        return PeerConnection(wire, winner.address)

    async def _judge(self, certificate: x509.Certificate, address: str, route: Route, at: datetime) -> _Judgement:
        """Hold a peer to what the global configuration says of it: whom it serves, usage, path, time and OCSP."""
        _require_registered(certificate, route)
        answer = self._relay.known(certificate, at) or await self._relay.fetch(certificate, address, at)
        responses, instance = (answer.response,), route.provider.instance
        verify_auth_certificate((certificate,), responses, route.trust, at, instance=instance, cache=self._verdicts)
        verdict = verify_chain(certificate, (), responses, route.trust, at, "auth", instance, cache=self._verdicts)
        self._relay.remember(certificate, answer, verdict.until)
        return _Judgement(route.provider, route.trust.digest, verdict.since, verdict.until, answer.direct_references)


def _shown(connection: PeerConnection) -> x509.Certificate:
    der = peer_certificate(connection.tls)
    if der is None:
        raise SslAuthenticationFailed("The provider's security server showed no certificate.")
    return load_certificate(der)


def _require_registered(certificate: x509.Certificate, route: Route) -> None:
    der = certificate.public_bytes(Encoding.DER)
    if route.trust.auth_certificate_matches(der, route.provider):
        return
    server = route.trust.server_of_auth_certificate(der)
    if server is not None:
        raise SslAuthenticationFailed(
            f"The server that answered is {server}, and {route.provider} is not registered there: "
            "the address in the global configuration leads to the wrong server."
        )
    raise SslAuthenticationFailed(
        f"The authentication certificate {describe(certificate)} is not registered for any security server: "
        "the provider's administrator must have it registered by the governing authority."
    )
