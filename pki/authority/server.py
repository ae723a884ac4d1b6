"""The authority on the network: OCSP and time-stamps over HTTP, and nothing that issues.

It refuses to know keys other than the two services'. ``spean authority run`` starts it; security servers fetch OCSP
responses and time-stamps from it.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from pki.authority.ocsp import Responder
from pki.authority.state import Services
from pki.authority.tsa import TimeStamper
from pki.clock import Clock, SystemClock
from pki.errors import AuthorityError
from pki.pin import Pin

LARGEST_REQUEST: Final = 64 * 1024
"""Bytes of an OCSP or time-stamp request; real ones have some hundred."""
_SHUTDOWN_SECONDS: Final = 5.0
_OCSP_REQUEST, _OCSP_RESPONSE = "application/ocsp-request", "application/ocsp-response"
_TSA_REQUEST, _TSA_RESPONSE = "application/timestamp-query", "application/timestamp-reply"

_log = structlog.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.Response]]


async def run(
    directory: Path,
    listen: str,
    *,
    pin: Pin,
    stop: asyncio.Event,
    ready: Callable[[str], None],
    clock: Clock | None = None,
) -> None:
    """Serve until ``stop`` is set; ``ready`` is told the base URL once requests are taken.

    ``listen`` is ``host:port``; port 0 takes a free one.

    Raises:
        AuthorityError: there is no authority in the directory, or the address cannot be listened on.
        TokenError: the token cannot be opened.
    """
    services = Services.open(directory, pin)
    try:
        async with _listening(_application(services, clock or SystemClock()), listen) as url:
            _log.info("authority_started", url=url)
            ready(url)
            await stop.wait()
            _log.info("authority_stopping")
    finally:
        services.index.close()


@asynccontextmanager
async def _listening(application: web.Application, listen: str) -> AsyncIterator[str]:
    host, port = _address(listen)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise AuthorityError(f"The authority cannot listen on {listen}: {error.strerror}.") from error
        bound = runner.addresses[0]
        yield f"http://[{host}]:{bound[1]}" if ":" in host else f"http://{host}:{bound[1]}"
    finally:
        await runner.cleanup()


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise AuthorityError(f"The address {listen!r} is not of the form host:port, such as 127.0.0.1:8888.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _application(services: Services, clock: Clock) -> web.Application:
    application = web.Application(client_max_size=LARGEST_REQUEST)
    responder, stamper = Responder(services), TimeStamper(services)
    application.router.add_post("/ocsp", _ocsp_post(responder, clock))
    application.router.add_get("/ocsp/{request:.+}", _ocsp_get(responder, clock))
    application.router.add_post("/tsa", _tsa_post(stamper, clock))
    application.router.add_get("/healthz", _healthz)
    return application


def _ocsp_post(responder: Responder, clock: Clock) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        _require_type(request, _OCSP_REQUEST)
        return _binary(responder.answer(await request.read(), clock.now()), _OCSP_RESPONSE)

    return handle


def _ocsp_get(responder: Responder, clock: Clock) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            der = base64.b64decode(request.match_info["request"], validate=True)
        except binascii.Error:
            raise web.HTTPBadRequest(
                text="The path is not an OCSP request in base64 (RFC 6960, appendix A.1)."
            ) from None
        return _binary(responder.answer(der, clock.now()), _OCSP_RESPONSE)

    return handle


def _tsa_post(stamper: TimeStamper, clock: Clock) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        _require_type(request, _TSA_REQUEST)
        return _binary(await stamper.answer(await request.read(), clock.now()), _TSA_RESPONSE)

    return handle


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _require_type(request: web.Request, expected: str) -> None:
    if request.content_type != expected:
        raise web.HTTPUnsupportedMediaType(text=f"Send {expected}.")


def _binary(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, content_type=content_type, headers={"Cache-Control": "no-store"})
