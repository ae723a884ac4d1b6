"""What comes in from a backend or peer over HTTP: who it is by its connection, and its body, piece by piece, in time.

It refuses to know messages and access rights. Both pipelines read through it, so that no read waits for ever.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from aiohttp import StreamReader, web

from securityserver.messagelog import Body, BodySpool, BodyTooLarge
from securityserver.serverconf import Client, Connection
from securityserver.tls import peer_certificate
from xroad.errors import ClientNotAuthenticated, InvalidRequest, XRoadError

# Far below the slowest line that an institution has. Without it, who sends a byte shortly before each timeout holds one
# of the exchanges' slots for as long as it likes (slow loris).
SLOWEST_BYTES_PER_SECOND: Final = 1024


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender may pause in the middle of its message.

    Args:
        seconds: as a rule.
        crowded_seconds: while others wait for a slot: some hundred senders that stall would stop everybody else.
        crowded: tells whether others wait.
    """

    seconds: float
    crowded_seconds: float = 0.0
    crowded: Callable[[], bool] = _never

    @contextmanager
    def ending(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Bring a wait's end forward when it gets crowded; nothing is interrupted before that."""
        if self.crowded is _never:
            yield
            return
        loop = asyncio.get_running_loop()
        timers = list[asyncio.TimerHandle]()

        def look() -> None:
            if self.crowded():
                limit.reschedule(loop.time())
            else:
                timers[:] = [loop.call_later(self.crowded_seconds, look)]

        timers.append(loop.call_later(self.crowded_seconds, look))
        try:
            yield
        finally:
            timers[0].cancel()


class Caller(NamedTuple):
    """How somebody is connected: by TLS or not, and with which certificate (DER)."""

    tls: bool
    certificate: bytes | None

    @classmethod
    def of(cls, http: web.BaseRequest) -> Self:
        """Look at a request's connection."""
        connection = http.get_extra_info("ssl_object")
        return cls(connection is not None, peer_certificate(connection))


def require_connection(client: Client, caller: Caller) -> None:
    """Hold that a client comes by the connection that it is registered with.

    Raises:
        ClientNotAuthenticated: it does not.
    """
    if client.connection is Connection.HTTPS_NO_AUTH and not caller.tls:
        raise ClientNotAuthenticated(
            f"Client {client.id} is registered to connect by HTTPS, and this request came by plain "
            "HTTP: use the HTTPS port."
        )
    if client.connection is not Connection.HTTPS:
        return
    if caller.certificate is None:
        raise ClientNotAuthenticated(
            f"Client {client.id} is registered to connect by HTTPS with a certificate, and showed "
            "none: use the HTTPS port "
            "and the client's own certificate."
        )
    if caller.certificate not in client.tls_certificates:
        raise ClientNotAuthenticated(
            f"The TLS certificate is not one of those registered for client {client.id}: have the administrator add it."
        )


async def at_once(data: bytes) -> AsyncIterator[bytes]:
    """Give what is here already, as pieces are given."""
    if data:
        yield data


def pieces_of(content: StreamReader, patience: Patience, too_slow: type[XRoadError]) -> AsyncIterator[bytes]:
    """Give a request's body; a small one came with its head, and needs no waiting."""
    if content.is_eof() and content.exception() is None:
        return at_once(content.read_nowait())
    return read_pieces(content.iter_any(), patience, too_slow)


async def read_pieces(
    pieces: AsyncIterator[bytes], patience: Patience, too_slow: type[XRoadError]
) -> AsyncIterator[bytes]:
    """Pass pieces on; each must come within the time, and all of them at no less than the slowest pace.

    Raises:
        XRoadError: ``too_slow``, when they do not.
    """
    now, left = asyncio.get_running_loop().time, patience.seconds
    while True:
        began = now()
        try:
            async with asyncio.timeout(min(patience.seconds, left)) as limit:
                with patience.ending(limit):
                    piece = await anext(pieces, None)
        except TimeoutError as error:
            raise too_slow(
                f"A message came too slowly: send it without pauses of {patience.seconds:g} seconds "
                f"({patience.crowded_seconds:g} while others wait), and faster than {SLOWEST_BYTES_PER_SECOND} bytes "
                "a second."
            ) from error
        if piece is None:
            return
        # Only waiting for the sender counts: what this server takes to store a piece is not the sender's fault.
        left += len(piece) / SLOWEST_BYTES_PER_SECOND - (now() - began)
        yield piece


async def body_of(http: web.BaseRequest, spool: BodySpool, patience: Patience) -> Body | None:
    """Take in the body of a backend's request; None when there is none, or nothing in it (as the reference has it).

    Raises:
        InvalidRequest: it is too large, framed wrongly, or comes too slowly.
    """
    if not http.body_exists:
        return None
    await _invite(http)
    try:
        async for piece in pieces_of(http.content, patience, InvalidRequest):
            await spool.write(piece)
    except BodyTooLarge as error:
        raise InvalidRequest(
            "The request's body is larger than this security server takes: send less at once, or have its limit raised."
        ) from error
    except web.RequestPayloadError as error:
        raise InvalidRequest(
            "The request's body is framed wrongly: send it by length or in well-formed chunks."
        ) from error
    body = await spool.finish()
    return body if body.size else None


async def _invite(http: web.BaseRequest) -> None:
    """Answer ``Expect: 100-continue`` (PR-REST 4.3), now that the body is wanted."""
    if http.headers.get("Expect", "").lower() == "100-continue" and http.writer is not None:
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        http.writer.output_size = 0
