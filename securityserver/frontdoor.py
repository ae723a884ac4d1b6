"""The HTTP servers that exchanges come in by: raw targets, tight limits, no banner, every refusal with a code.

It refuses to know what is exchanged: a handler answers requests, a second one what is not a request at all. ``app``
opens one door for each kind of listener.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import InvalidURLError, LineTooLong
from aiohttp.web_protocol import RequestHandler

from securityserver.limits import Limits
from securityserver.outgoing import UNTYPED
from securityserver.tls import HANDSHAKE_SECONDS
from serverkit.http import Listen

# Longer than peers and clients keep idle connections, so that it is they who close.
KEEP_ALIVE_SECONDS: Final = 75.0
# After a refusal, what the other side still sends is read for so long, so that it gets to read the answer.
LINGER_SECONDS: Final = 5.0
BACKLOG: Final = 512

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# Answers what could not be read as a request; gets the reader's words for why, with nothing of what was sent.
Unreadable = Callable[[str], web.StreamResponse]

# The reader's words quote what they are about: a query, a header, or the body of a client that writes bare line feeds.
# Personal values are in all of them, so only this much of the words is kept: letters, up to the quotation.
_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z`'/, -]*?(?=\Z|:?\s*\n\n|:? b?['\"])")


class _Request(web.BaseRequest):
    """A request whose answer has what we gave it: not the server's software (PR-REST 4.3), no media type made up."""

    async def _prepare_hook(self, resp: web.StreamResponse) -> None:
        resp.headers.popall(hdrs.SERVER, None)
        if resp.get(UNTYPED):
            resp.headers.popall(hdrs.CONTENT_TYPE, None)


class _Connection(RequestHandler):
    """One client's connection."""

    def __init__(self, door: "_Door", **settings: Any) -> None:  # noqa: ANN401  # aiohttp's own settings
        super().__init__(door, **settings)
        self._door = door
        self._first: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # aiohttp times idle connections after the first request only: a slow-loris client would hold a slot before it.
        self._first = asyncio.get_running_loop().call_later(self._door.limits.read_seconds, self._expect_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._first is not None:
            self._first.cancel()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            raise exc  # its sender left: the exchange has its line in the log, and nobody is there to answer
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("the answer is under way already")
        answer = self._door.unreadable(_reason(exc, message, status))
        answer.force_close()
        return answer


class _Door(web.Server):
    """aiohttp's low-level server, with connections of our kind: no router, so that nothing decodes a path."""

    def __init__(self, handler: Handler, unreadable: Unreadable, limits: Limits) -> None:
        super().__init__(handler, request_factory=_make_request)
        self.unreadable, self.limits = unreadable, limits

    def __call__(self) -> RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            access_log=None,
            max_line_size=self.limits.uri_bytes,
            max_field_size=self.limits.header_bytes,
            max_headers=self.limits.header_count,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,
        )


def _reason(error: BaseException | None, message: str | None, status: int) -> str:
    """Say why a request cannot be read, with nothing of its contents."""
    if isinstance(error, LineTooLong):
        return "a line of the request line or headers is too long"
    if isinstance(error, InvalidURLError):
        return "the request target is no address, or not percent-encoded"
    words = _WORDS.match(" ".join((message or "").split(":\n  ")))
    return words[0] if words else type(error).__name__ if error else f"status {status}"


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:  # noqa: ANN401  # aiohttp's
    return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())


class FrontDoor:
    """Listens on some addresses; make one with ``open``."""

    def __init__(self, door: _Door, servers: Sequence[asyncio.Server]) -> None:
        self._door, self._servers = door, servers

    @classmethod
    async def open(
        cls,
        handler: Handler,
        unreadable: Unreadable,
        listen: Sequence[Listen],
        limits: Limits,
        tls: ssl.SSLContext | None = None,
    ) -> "FrontDoor":
        """Listen.

        Raises:
            OSError: an address cannot be listened on.
        """
        door, loop, servers = _Door(handler, unreadable, limits), asyncio.get_running_loop(), list[asyncio.Server]()
        handshake = HANDSHAKE_SECONDS if tls is not None else None
        try:
            for place in listen:
                server = await loop.create_server(
                    door, place.host, place.port, ssl=tls, ssl_handshake_timeout=handshake, backlog=BACKLOG
                )
                servers += [server]
        except OSError:
            for server in servers:
                server.close()
            raise
        return cls(door, servers)

    @property
    def addresses(self) -> tuple[Listen, ...]:
        """The addresses that are really listened on."""
        names = (socket.getsockname() for server in self._servers for socket in server.sockets)
        return tuple(Listen(name[0], name[1]) for name in names)

    async def close(self, seconds: float) -> None:
        """Stop accepting, and let requests in flight finish for so long."""
        for server in self._servers:
            server.close()
        self._door.pre_shutdown()
        await self._door.shutdown(seconds)
