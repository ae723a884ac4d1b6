"""The consumer's side of an exchange: from a backend's HTTP request, through the provider's server, to its answer.

It refuses to know how bytes travel, how keys sign and how records become durable; it knows the order, which its stage
types keep. ``frontdoor`` hands it requests, ``peers`` connections; what it raises becomes an answer in ``entrance``.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from aiohttp import web

from pki.clock import Clock
from securityserver.consumer_stages import Answered, Held, Known, Logged, Received, Releasable, Routed, Signed, Verified
from securityserver.credentials import Credentials
from securityserver.incoming import Caller, Patience, at_once, body_of, read_pieces, require_connection
from securityserver.limits import Limits
from securityserver.messagelog import BodySpool, Direction, Side, SpoolDirectory
from securityserver.messages import Message, MessageReader, record_of, signed_parts, write_message
from securityserver.monitoring import Watch
from securityserver.outgoing import release
from securityserver.peerhttp import AnswerHead
from securityserver.peers import PeerClient, Reached, Route
from securityserver.relay_client import REFERENCES_DIRECT, REFERENCES_FIELD
from securityserver.serverconf import BodyLogging, ServerConfStore
from securityserver.timestamping import StampedLog
from securityserver.trust import TrustKeeper
from xroad import xades
from xroad.errors import (
    InvalidSecurityServer,
    MaintenanceMode,
    PeerIoError,
    RemoteFault,
    UnknownMember,
    UnsupportedAlgorithm,
    XRoadError,
)
from xroad.globalconf.parameters.model import SecurityServer
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId, SecurityServerId
from xroad.rest import RestRequest, RestResponse
from xroad.transport import (
    HASH_ALGORITHM,
    HASH_ALGORITHM_HEADER,
    MESSAGE_TYPE_HEADER,
    MESSAGE_TYPE_REST,
    ORIGINAL_CONTENT_TYPE_HEADER,
    PROXY_VERSION_HEADER,
    REQUEST_ID_HEADER,
    Decoder,
    Encoder,
)
from xroad.transport import Limits as MessageLimits
from xroad.verdicts import VerdictCache

# The version of X-Road's software whose protocol this server speaks; newer servers read it as a semantic version.
PROXY_VERSION: Final = "7.8.0"
# X-Road's servers answer with 200 also when they refuse; 500 comes from what stands before them.
ANSWERED: Final = (200, 500)


@dataclass(frozen=True, slots=True)
class Consumer:
    """The consumer pipeline of one node.

    Args:
        server_id: this server.
        trust: the global configuration of the moment.
        conf: this server's clients.
        credentials: this server's keys.
        peers: the way to other servers.
        log: the message log, with its time-stamping.
        spools: for large bodies.
        verdicts: remembers good certificates.
        limits: what clients and peers may send.
        patience: with clients that pause.
        clock: the time.
    """

    server_id: SecurityServerId
    trust: TrustKeeper
    conf: ServerConfStore
    credentials: Credentials
    peers: PeerClient
    log: StampedLog
    spools: SpoolDirectory
    verdicts: VerdictCache
    limits: Limits
    patience: Patience
    clock: Clock

    async def handle(self, http: web.BaseRequest, watch: Watch) -> web.StreamResponse:
        """Carry one request to its provider and the answer back.

        Raises:
            XRoadError: refused, by anyone on the way; nothing was sent to the backend yet.
        """
        trust = self.trust.current()
        received = self._receive(http, trust, watch)  # 1
        known = self._know(received, trust)  # 2
        routed = self._route(known, trust)  # 3
        sizes = self.limits.body_bytes
        async with self.spools.collect(max_size=sizes) as spool, self.spools.collect(max_size=sizes) as answer_spool:
            with watch.stage("receive"):
                held = await self._hold(http, routed, spool)
            watch.request_bytes = held.body.size if held.body else 0
            with watch.stage("connect"):
                reached = await self.peers.reach(routed.route, self.clock.now())
            with reached as peer:
                watch.peer = peer.address
                with watch.stage("sign"):
                    signed = await self._sign(held, direct=peer.direct_references)  # 4
                with watch.stage("log"):
                    logged = await self._log_request(signed)  # 5
                with watch.stage("peer"):
                    answered = await self._exchange(logged, peer, answer_spool)  # 5, 9
            with watch.stage("verify"):
                verified = self._verify(answered)  # 10
            with watch.stage("log"):
                releasable = await self._log_response(verified)  # 11
            watch.response_bytes = releasable.body.size if releasable.body else 0
            with watch.stage("release"):
                return await release(http, releasable.response, releasable.body, watch)

    def _receive(self, http: web.BaseRequest, trust: TrustSnapshot, watch: Watch) -> Received:
        """1. Receive and parse; the raw target is what gets signed, so that nothing may decode or tidy it before."""
        watch.request_id = request_id = str(uuid4())
        request = RestRequest.from_http(
            http.method,
            http.raw_path,
            tuple(http.headers.items()),
            request_id=request_id,
            default_query_id=f"{trust.instance}-{uuid4()}",
        )
        watch.identify(request)
        return Received(request, Caller.of(http))

    def _know(self, received: Received, trust: TrustSnapshot) -> Known:
        """2. Know the client: one of this server's, here and in the global configuration, by the right connection."""
        request, caller = received.request, received.caller
        client = self.conf.current.client(request.client)
        if client is None:
            raise UnknownMember(
                f"Client {request.client} is not one of this security server's: correct X-Road-Client, or have the "
                "administrator add the client here."
            )
        if not trust.server_has_client(self.server_id, request.client):
            raise UnknownMember(
                f"Client {request.client} is not registered at this security server in the global configuration: "
                "the administrator must have it registered by the governing authority."
            )
        require_connection(client, caller)
        return Known(request, client)

    def _route(self, known: Known, trust: TrustSnapshot) -> Routed:
        """3. Find the servers that serve the provider, those in maintenance left out."""
        request, provider = known.request, known.request.service.client
        servers = trust.servers_of(provider)
        if not servers:
            raise UnknownMember(
                f"No security server in the instance serves {provider}: correct the address of the service, or ask the "
                "provider whether its subsystem is registered."
            )
        if request.target_server is not None:
            servers = _only(request.target_server, servers, trust)
        open_ones = [server for server in servers if server.maintenance is None]
        if not open_ones:
            raise _maintenance(servers[0])
        addresses = tuple(sorted({server.address for server in open_ones if server.address}))
        if not addresses:
            raise UnknownMember(
                f"No security server of {provider} has an address: ask the provider to have one registered."
            )
        return Routed(request, Route(provider, addresses, trust))

    async def _hold(self, http: web.BaseRequest, routed: Routed, spool: BodySpool) -> Held:
        """3. Take the body in only now that the request has somewhere to go."""
        return Held(routed.request, await body_of(http, spool, self.patience), routed.route.trust)

    async def _sign(self, held: Held, *, direct: bool) -> Signed:
        """4. Sign the request as the client's member, and take along the OCSP responses that the provider wants."""
        head = held.request.head_bytes()
        parts = signed_parts(head, held.body)
        # X-Road's verifier takes a document without its body only when a hash chain stands for the body.
        direct = direct and self._logging(held.request.client).keeps_requests
        signature = await self.credentials.sign(held.request.client, parts, self.clock.now(), direct=direct)
        message = Message(head, held.body, signature, parts)
        return Signed(held.request, message, self.credentials.authentication_ocsp(), held.trust)

    def _logging(self, client: ClientId) -> BodyLogging:
        known = self.conf.current.client(client)
        return known.log if known is not None else BodyLogging()

    async def _log_request(self, signed: Signed) -> Logged:
        """5. Make the request durable, so that whatever leaves can be proven."""
        await self.log.append(
            record_of(Side.CONSUMER, Direction.REQUEST, signed.request, signed.message, self.clock.now()), fresh=True
        )
        return Logged(signed)

    async def _exchange(self, logged: Logged, peer: Reached, spool: BodySpool) -> Answered:
        """5. Send, and 9. decode what comes back."""
        signed, encoder = logged.signed, Encoder("request")
        fields = _fields(signed.request, encoder)
        if self._logging(signed.request.client).keeps_responses:
            fields.append((REFERENCES_FIELD, REFERENCES_DIRECT))
        head = await peer.post(fields, write_message(encoder, signed.ocsp, signed.message))
        if head.status not in ANSWERED:
            raise PeerIoError(
                f"The provider's security server answered with HTTP status {head.status}: ask its administrator."
            )
        try:
            _require_hash_algorithm(head.fields.get(HASH_ALGORITHM_HEADER))
            decoder = Decoder(head.content_type, "response", MessageLimits(body=self.limits.body_bytes))
            reader = MessageReader(decoder, self._pieces(peer, head))
            answer = await reader.rest(await reader.head(), spool)
        except RemoteFault:
            raise
        except XRoadError as error:
            raise error.prefixed("ServiceFailed") from error
        return Answered(signed, answer)

    def _pieces(self, peer: Reached, head: AnswerHead) -> AsyncIterator[bytes]:
        here = peer.answer_that_came(head)
        if here is not None:
            return at_once(here)
        return read_pieces(peer.body(head), Patience(self.limits.read_seconds), PeerIoError)

    def _verify(self, answered: Answered) -> Verified:
        """10. Verify the signature by the provider's member, then that it answers this request and no other."""
        request, answer = answered.signed.request, answered.answer
        try:
            xades.verify(
                answer.signature.xml,
                answer.digests(),
                answered.signed.trust,
                self.clock.now(),
                request.service.client,
                hash_chain_result=answer.signature.hash_chain_result,
                hash_chain=answer.signature.hash_chain,
                cache=self.verdicts,
            )
        except XRoadError as error:
            raise error.prefixed("SignatureVerification") from error
        response = RestResponse.from_head(answer.head)
        response.check_answers(request, answered.signed.message.request_hash())
        return Verified(request, response, answer)

    async def _log_response(self, verified: Verified) -> Releasable:
        """11. Make the answer durable before the backend has it."""
        await self.log.append(
            record_of(Side.CONSUMER, Direction.RESPONSE, verified.request, verified.answer, self.clock.now()),
            fresh=True,
        )
        return Releasable(verified.response, verified.answer.body)


def _only(
    wanted: SecurityServerId, servers: tuple[SecurityServer, ...], trust: TrustSnapshot
) -> tuple[SecurityServer, ...]:
    chosen = tuple(server for server in servers if server.server_id == wanted)
    if chosen:
        return chosen
    known = trust.server(wanted) is not None
    reason = "does not serve this provider" if known else "is not in the global configuration"
    raise InvalidSecurityServer(f"Security server {wanted} {reason}: correct or leave out X-Road-Security-Server.")


def _maintenance(server: SecurityServer) -> MaintenanceMode:
    message = server.maintenance.message if server.maintenance is not None else None
    said = f' Its administrator says: "{message}".' if message else ""
    return MaintenanceMode(f"Security server {server.server_id} is in maintenance; try again later.{said}")


def _fields(request: RestRequest, encoder: Encoder) -> list[tuple[str, str]]:
    fields = [
        ("Content-Type", encoder.content_type),
        (HASH_ALGORITHM_HEADER, HASH_ALGORITHM),
        (PROXY_VERSION_HEADER, PROXY_VERSION),
        (MESSAGE_TYPE_HEADER, MESSAGE_TYPE_REST),
        (REQUEST_ID_HEADER, request.request_id),
    ]
    media_types = [value for name, value in request.headers if name.lower() == "content-type"]
    return fields + [(ORIGINAL_CONTENT_TYPE_HEADER, value) for value in media_types[:1]]


def _require_hash_algorithm(name: str | None) -> None:
    if name not in {HASH_ALGORITHM, None}:
        raise UnsupportedAlgorithm(
            "The answer's parts are hashed with another algorithm than SHA-512, which alone is taken."
        )
