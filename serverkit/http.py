"""Starts and stops HTTP listeners: several addresses, real ports reported, requests in flight allowed to finish.

It refuses to know paths and messages: it gets an application or a bare handler.
A composition root starts one server per kind of port, and closes them in order.
"""

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Middleware
from aiohttp.web_runner import BaseRunner

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_MAX_PORT = 65535
_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on.

    Args:
        host: name or IP address, without brackets.
        port: 0 lets the system choose.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port`` or ``[ipv6]:port``.

        Raises:
            ValueError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not (colon and host and port.isascii() and port.isdigit()) or (":" in host and not bracketed):
            raise ValueError("must be host:port, or [address]:port for IPv6")
        if int(port) > _MAX_PORT:
            raise ValueError(f"the port must be at most {_MAX_PORT}")
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a request may be before anything of it is believed.

    Args:
        max_line_size: of the request line, in bytes: a service path and query that a backend writes, and no more.
        max_field_size: of one header, name and value, in bytes.
        keepalive_seconds: how long an idle connection stays.
    """

    max_line_size: int = 16 * 1024
    max_field_size: int = 16 * 1024
    keepalive_seconds: float = 75.0


def new_application(*, middlewares: Iterable[Middleware] = ()) -> web.Application:
    """Make an application that streams bodies (no size limit of its own) and does not tell what it is made of."""
    app = web.Application(middlewares=tuple(middlewares), client_max_size=0)
    app.on_response_prepare.append(_hide_software)
    return app


async def _hide_software(_request: web.Request, response: web.StreamResponse) -> None:
    with suppress(KeyError):
        del response.headers["Server"]


class HttpServer:
    """A running server.

    Args:
        runner: what serves.
        addresses: where, with real ports, in the order asked for.
    """

    def __init__(self, runner: BaseRunner, addresses: tuple[Listen, ...]) -> None:
        self.addresses = addresses
        self._runner = runner

    @classmethod
    async def start(
        cls,
        handler: web.Application | Handler,
        listen: Sequence[Listen],
        *,
        tls: ssl.SSLContext | None = None,
        limits: RequestLimits | None = None,
        shutdown_seconds: float = 30.0,
        cancel_on_disconnect: bool = False,
    ) -> Self:
        """Listen on all addresses, or on none.

        Args:
            handler: an application, or a handler that gets every request as it is.
            listen: where.
            tls: for HTTPS.
            limits: what a request may be.
            shutdown_seconds: how long requests in flight may go on after `close`.
            cancel_on_disconnect: stop handling a request whose sender has gone.

        Raises:
            OSError: an address cannot be had.
        """
        runner = _runner(
            handler, limits or RequestLimits(), shutdown_seconds, cancel_on_disconnect=cancel_on_disconnect
        )
        await runner.setup()
        try:
            addresses = [await _listen(runner, place, tls) for place in listen]
        except OSError:
            await runner.cleanup()
            raise
        return cls(runner, tuple(addresses))

    async def close(self) -> None:
        """Stop accepting, let requests in flight finish within the limit, then cut what is left."""
        await self._runner.cleanup()


def _runner(
    handler: web.Application | Handler, limits: RequestLimits, shutdown_seconds: float, *, cancel_on_disconnect: bool
) -> BaseRunner:
    options: dict[str, Any] = {
        "access_log": None,  # one line an exchange is the pipelines' own
        "max_line_size": limits.max_line_size,
        "max_field_size": limits.max_field_size,
        "keepalive_timeout": limits.keepalive_seconds,
        "handler_cancellation": cancel_on_disconnect,
    }
    if isinstance(handler, web.Application):
        return web.AppRunner(handler, shutdown_timeout=shutdown_seconds, **options)
    return web.ServerRunner(web.Server(handler, **options), shutdown_timeout=shutdown_seconds)


async def _listen(runner: BaseRunner, place: Listen, tls: ssl.SSLContext | None) -> Listen:
    site = web.TCPSite(runner, place.host, place.port, ssl_context=tls, backlog=_BACKLOG)
    await site.start()
    return Listen(place.host, site.port)


async def stop_signal() -> signal.Signals:
    """Wait until somebody asks the process to stop (SIGINT, SIGTERM), and tell which way."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[signal.Signals] = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not asked.done():
            asked.set_result(number)

    watched = (signal.SIGINT, signal.SIGTERM)
    for number in watched:
        loop.add_signal_handler(number, note, number)
    try:
        return await asked
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
