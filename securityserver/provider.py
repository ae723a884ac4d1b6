"""The provider's side of an exchange: from another security server's message to the institution's service, and back.

It refuses to know how bytes travel, how keys sign and how records become durable; it knows the order, which its stage
types keep. ``frontdoor`` hands it requests on the message port, ``services`` calls the service; what it raises
becomes a fault in ``entrance``.
"""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from pki.clock import Clock
from securityserver.credentials import Credentials
from securityserver.incoming import Caller, Patience, pieces_of
from securityserver.limits import Limits
from securityserver.messagelog import BodySpool, BodyTooLarge, Direction, Side, SpoolDirectory
from securityserver.messages import Message, MessageReader, record_of, signed_parts, write_message
from securityserver.monitoring import Watch
from securityserver.outgoing import send
from securityserver.provider_stages import (
    Admitted,
    Authorized,
    Held,
    Logged,
    Opened,
    Peer,
    Received,
    Releasable,
    Served,
    Signed,
    Verified,
)
from securityserver.relay_client import REFERENCES_DIRECT, REFERENCES_FIELD
from securityserver.serverconf import ServerConfStore
from securityserver.services import ServiceClient
from securityserver.timestamping import StampedLog
from securityserver.trust import TrustKeeper
from xroad import xades
from xroad.certificates import AuthCertificate, verify_auth_certificate, verify_chain
from xroad.errors import (
    AccessDenied,
    InvalidHttpMethod,
    InvalidMessage,
    InvalidResponse,
    MissingHeader,
    PeerIoError,
    ServiceDisabled,
    SslAuthenticationFailed,
    UnknownMember,
    UnknownService,
    UnsupportedAlgorithm,
    XRoadError,
)
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId, SecurityServerId
from xroad.ocsp import describe
from xroad.reading import load_certificate
from xroad.rest import RestRequest, RestResponse
from xroad.transport import (
    HASH_ALGORITHM,
    HASH_ALGORITHM_HEADER,
    MESSAGE_TYPE_HEADER,
    MESSAGE_TYPE_REST,
    REQUEST_ID_HEADER,
    Decoder,
    Encoder,
)
from xroad.transport import Limits as MessageLimits
from xroad.verdicts import VerdictCache

SERVICE_FAILED: Final = "ServiceFailed"
SIGNATURE_VERIFICATION: Final = "SignatureVerification"


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider pipeline of one node.

    Args:
        trust: the global configuration of the moment.
        conf: this server's clients, services and access rights.
        credentials: this server's keys.
        services: the way to the institution's services.
        log: the message log, with its time-stamping.
        spools: for large bodies.
        verdicts: remembers good certificates.
        limits: what peers and services may send.
        patience: with peers that pause.
        clock: the time.
    """

    trust: TrustKeeper
    conf: ServerConfStore
    credentials: Credentials
    services: ServiceClient
    log: StampedLog
    spools: SpoolDirectory
    verdicts: VerdictCache
    limits: Limits
    patience: Patience
    clock: Clock

    async def handle(self, http: web.BaseRequest, watch: Watch) -> web.StreamResponse:
        """Take one message from a peer, have it served, and send the signed answer.

        Raises:
            XRoadError: refused; nothing was sent to the peer yet.
        """
        trust = self.trust.current()
        sizes = self.limits.body_bytes
        async with self.spools.collect(max_size=sizes) as request_spool, self.spools.collect(max_size=sizes) as spool:
            watch.adopt(http.headers.get(REQUEST_ID_HEADER))
            with watch.stage("receive"):
                held = await self._take_in(http, trust, request_spool, watch)  # 6
            watch.request_bytes = held.message.body.size if held.message.body else 0
            with watch.stage("verify"):
                authorized = self._authorize(self._verify(held))  # 6
            with watch.stage("log"):
                logged = await self._log_request(authorized)  # 6
            with watch.stage("service"):
                served = await self._call(logged, spool)  # 7
            watch.status = served.response.status
            watch.response_bytes = served.body.size if served.body else 0
            with watch.stage("sign"):
                signed = await self._sign(served)  # 8
            with watch.stage("log"):
                releasable = await self._log_response(signed)  # 8
            with watch.stage("release"):
                encoder = Encoder("response")
                fields = (("Content-Type", encoder.content_type), (HASH_ALGORITHM_HEADER, HASH_ALGORITHM))
                return await send(http, fields, write_message(encoder, (), releasable.message))  # 8

    async def _take_in(self, http: web.BaseRequest, trust: TrustSnapshot, spool: BodySpool, watch: Watch) -> Held:
        """6. Decode; what is refused while decoding is ``ServiceFailed``, as the reference has it."""
        received = self._receive(http)
        try:
            opened = await self._open(received)
            watch.identify(opened.request)
            admitted = self._admit(opened, trust)
            watch.peer = str(admitted.peer.server)
            return Held(admitted, await received.reader.rest(opened.head, spool))
        except XRoadError as error:
            raise error.prefixed(SERVICE_FAILED) from error

    def _receive(self, http: web.BaseRequest) -> Received:
        """6. Look at the connection and the HTTP head."""
        if http.method != "POST":
            raise InvalidHttpMethod("Another security server sends its messages with POST only.")
        certificate = Caller.of(http).certificate
        if certificate is None:
            raise SslAuthenticationFailed("The peer showed no certificate: messages come by mutual TLS only.")
        if http.headers.get(MESSAGE_TYPE_HEADER) != MESSAGE_TYPE_REST:
            raise InvalidMessage(
                "This security server carries messages of the REST protocol; the service must be called by it."
            )
        _require_hash_algorithm(http.headers.get(HASH_ALGORITHM_HEADER))
        limits = MessageLimits(body=self.limits.body_bytes)
        decoder = Decoder(http.headers.get("Content-Type", ""), "request", limits)
        pieces = pieces_of(http.content, self.patience, PeerIoError)
        direct = http.headers.get(REFERENCES_FIELD) == REFERENCES_DIRECT
        return Received(MessageReader(decoder, pieces), certificate, direct)

    async def _open(self, received: Received) -> Opened:
        """6. Read the head, so that a stranger is refused before its body is taken in."""
        head = await received.reader.head()
        return Opened(received, head, RestRequest.from_head(head.head))

    def _admit(self, opened: Opened, trust: TrustSnapshot) -> Admitted:
        """6. The provider is ours; the peer's certificate holds, and its server may speak for the client."""
        request = opened.request
        provider = request.service.client
        if self.conf.current.client(provider) is None:
            raise UnknownMember(f"{provider} is not at this security server: correct the address of the service.")
        if not opened.head.ocsp:
            raise SslAuthenticationFailed(
                "The message brings no OCSP response for its server's authentication certificate: "
                "that server must get one."
            )
        return Admitted(opened, self._peer(opened.received.peer, opened.head.ocsp, request.client, trust), trust)

    def _peer(self, der: bytes, ocsp: tuple[bytes, ...], client: ClientId, trust: TrustSnapshot) -> Peer:
        """6. Judge the peer's certificate; what held once holds until its path or its OCSP response ends."""
        at, key = self.clock.now(), ("peer", der, ocsp, client, trust.digest)
        known = self.verdicts.get(key, Peer, at)
        if known is not None:
            return known
        certificate, instance = load_certificate(der), client.instance
        verified = verify_auth_certificate((certificate,), ocsp, trust, at, instance=instance, cache=self.verdicts)
        chain = verify_chain(certificate, (), ocsp, trust, at, "auth", instance, cache=self.verdicts)
        peer = Peer(verified, _speaking_for(client, verified, der, trust))
        self.verdicts.put(key, peer, chain.since, chain.until)
        return peer

    def _verify(self, held: Held) -> Verified:
        """6. Verify the signature by the client's member over exactly these parts."""
        opened, message = held.admitted.opened, held.message
        try:
            xades.verify(
                message.signature.xml,
                message.digests(),
                held.admitted.trust,
                self.clock.now(),
                opened.request.client,
                hash_chain_result=message.signature.hash_chain_result,
                hash_chain=message.signature.hash_chain,
                cache=self.verdicts,
            )
        except XRoadError as error:
            raise error.prefixed(SIGNATURE_VERIFICATION) from error
        provider = self.conf.current.client(opened.request.service.client)
        # X-Road's verifier takes a document without its body only when a hash chain stands for the body.
        direct = opened.received.direct_references and (provider is None or provider.log.keeps_responses)
        return Verified(opened.request, message, held.admitted.trust, direct)

    def _authorize(self, verified: Verified) -> Authorized:
        """6. The service is there, the client may call it, and it is not switched off."""
        request, conf = verified.request, self.conf.current
        service = conf.service(request.service)
        if service is None:
            raise UnknownService(
                f"There is no service {request.service}: correct its code, or ask the provider for it."
            )
        allowed = conf.is_allowed(
            request.client, request.service, request.verb, request.service_path, verified.trust.in_global_group
        )
        if not allowed:
            raise AccessDenied(
                f"{request.client} has no right to call {request.service} with this method and path: "
                "ask the provider's "
                "administrator for it."
            )
        if service.disabled is not None:
            raise ServiceDisabled(
                f"Service {request.service} is switched off. Its administrator says: {service.disabled}"
            )
        return Authorized(verified, service)

    async def _log_request(self, authorized: Authorized) -> Logged:
        """6. Make the request durable before the service sees it."""
        verified = authorized.verified
        await self.log.append(
            record_of(Side.PRODUCER, Direction.REQUEST, verified.request, verified.message, self.clock.now())
        )
        return Logged(authorized)

    async def _call(self, logged: Logged, spool: BodySpool) -> Served:
        """7. Call the service, and bind its answer to the request."""
        authorized = logged.authorized
        request, message = authorized.verified.request, authorized.verified.message
        async with self.services.call(authorized.service, request, message.body) as answer:
            try:
                async for piece in answer.body:
                    await spool.write(piece)
            except BodyTooLarge as error:
                raise InvalidResponse(
                    f"The answer of service {request.service} is larger than its security server "
                    "takes: ask for less at once."
                ) from error
            response = RestResponse.for_request(
                request, answer.status, answer.reason, answer.headers, message.request_hash()
            )
        body = await spool.finish()
        return Served(authorized.verified, response, body if body.size else None)

    async def _sign(self, served: Served) -> Signed:
        """8. Sign the answer as the provider's member, in the form that the peer can verify."""
        head, verified = served.response.head_bytes(), served.verified
        parts = signed_parts(head, served.body)
        signature = await self.credentials.sign(
            verified.request.service.client, parts, self.clock.now(), direct=verified.direct_references
        )
        return Signed(verified.request, Message(head, served.body, signature, parts))

    async def _log_response(self, signed: Signed) -> Releasable:
        """8. Make the answer durable before it leaves."""
        await self.log.append(
            record_of(Side.PRODUCER, Direction.RESPONSE, signed.request, signed.message, self.clock.now())
        )
        return Releasable(signed.message)


def _require_hash_algorithm(name: str | None) -> None:
    if name is None:
        raise MissingHeader(f"The header {HASH_ALGORITHM_HEADER} is missing: a security server always sends it.")
    if name != HASH_ALGORITHM:
        raise UnsupportedAlgorithm(
            "The message's parts are hashed with another algorithm than SHA-512, which alone is taken."
        )


def _speaking_for(client: ClientId, peer: AuthCertificate, der: bytes, trust: TrustSnapshot) -> SecurityServerId:
    # Any registered server could otherwise send in the name of any member whose signature it once saw.
    server = trust.server_of_auth_certificate(der)
    if server is not None and trust.server_has_client(server, client):
        return server
    if server is None:
        raise SslAuthenticationFailed(
            f"The authentication certificate {describe(peer)} is not registered for any security server: "
            "its administrator must have it registered by the governing authority."
        )
    raise SslAuthenticationFailed(
        f"Client {client} is not registered at security server {server}, which sent the message: "
        "the client must use its own server, or be registered at that one."
    )
