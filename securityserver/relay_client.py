"""Gets OCSP responses of other security servers' certificates from their OCSP relay, and keeps them while they hold.

It refuses to judge a response: ``peers`` has it verified together with the certificate, before anything is sent. It
also hears there whether a server takes direct references in signatures, a hint about form that no check depends on.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aiohttp
from cryptography import x509

from securityserver.bounded import read_bounded
from serverkit.logs import get_logger
from xroad import mime
from xroad.certificates import relay_hash
from xroad.errors import NetworkError, PeerError, SslAuthenticationFailed

log = get_logger("relay")

# Says on the relay's answer and on a message's request that this server verifies direct references to the parts of a
# message. The reference before 7.6 verifies the hash chain form only, and says nothing.
REFERENCES_FIELD: Final = "x-road-signature-references"
REFERENCES_DIRECT: Final = "direct"
# An answer holds one or two responses of some KiB.
ANSWER_BYTES: Final = 256 * 1024
# Peers of one node: an instance has hundreds of servers, not more; the oldest goes first.
REMEMBERED: Final = 4096
OK: Final = 200


@dataclass(frozen=True, slots=True)
class RelayAnswer:
    """What a server's relay said of one certificate."""

    response: bytes
    direct_references: bool


class RelayClient:
    """Fetches and remembers, by certificate.

    Args:
        session: for the requests; the caller closes it.
        port: the relay's port on every server of the instance.
        seconds: for one whole request.
    """

    def __init__(self, session: aiohttp.ClientSession, port: int, seconds: float) -> None:
        self._session, self._port, self._seconds = session, port, seconds
        self._known: dict[str, tuple[RelayAnswer, datetime]] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    def known(self, certificate: x509.Certificate, at: datetime) -> RelayAnswer | None:
        """Give what is remembered of a certificate, unless it holds no more."""
        answer, until = self._known.get(relay_hash(certificate), (None, at))
        return answer if at < until else None

    def remember(self, certificate: x509.Certificate, answer: RelayAnswer, until: datetime) -> None:
        """Keep an answer that was verified."""
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[relay_hash(certificate)] = (answer, until)

    async def fetch(self, certificate: x509.Certificate, address: str, at: datetime) -> RelayAnswer:
        """Ask the relay at an address, unless the answer is known; who asks for the same meanwhile waits and shares.

        Raises:
            NetworkError: the relay cannot be reached.
            SslAuthenticationFailed: it has no response for the certificate, or speaks another protocol.
        """
        name = relay_hash(certificate)
        lock = self._fetching.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                return self.known(certificate, at) or await self._ask(name, address)
        finally:
            if not lock.locked():
                self._fetching.pop(name, None)

    async def _ask(self, name: str, address: str) -> RelayAnswer:
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self._port}/?cert={name}"
        try:
            # A redirect would let a relay send this server's requests to addresses of its choice.
            async with (
                asyncio.timeout(self._seconds),
                self._session.get(url, allow_redirects=False) as answer,
            ):
                data = await read_bounded(answer.content, ANSWER_BYTES)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("ocsp_relay_unreachable", address=address, reason=str(error) or type(error).__name__)
            raise NetworkError(
                f"The OCSP relay of the provider's security server at {address}, port {self._port}, cannot be reached: "
                "its administrator must open that port to this server."
            ) from error
        responses = _parts(answer.headers.get("Content-Type", ""), data) if answer.status == OK else ()
        if len(responses) != 1:
            raise SslAuthenticationFailed(
                f"The provider's security server at {address} has no OCSP response for its authentication certificate: "
                "its administrator must see why its certification authority's responder gives none."
            )
        return RelayAnswer(responses[0], answer.headers.get(REFERENCES_FIELD) == REFERENCES_DIRECT)


def _parts(content_type: str, data: bytes) -> tuple[bytes, ...]:
    """Take the OCSP responses out of the multipart of PR-MESSTRANSP 4.1; none when it is another thing."""
    try:
        decoder = mime.MultipartDecoder(mime.boundary_of(mime.parse_content_type(content_type)))
        events = decoder.feed(data)
        decoder.finish()
    except PeerError:
        return ()
    parts: list[bytes] = []
    for event in events:
        if isinstance(event, mime.PartBegin):
            parts.append(b"")
        elif isinstance(event, mime.PartData):
            parts[-1] += event.data
    return tuple(parts)
