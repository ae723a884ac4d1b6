"""Calls the institution's own services: pooled HTTP, a total timeout for each service, no redirects, nothing added.

It refuses to know signatures, logs and who may call what. The provider pipeline calls it with a verified request, in
step 7.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from yarl import URL

from securityserver.httpclient import BrokenOff, HttpConnection
from securityserver.httphead import AnswerHead, NotHttp
from securityserver.incoming import at_once
from securityserver.internaltls import InternalKey
from securityserver.messagelog import Body
from securityserver.serverconf import Service
from securityserver.tls import NodeContext, service_context
from securityserver.wire import Wire
from serverkit.logs import get_logger
from xroad.errors import (
    InvalidResponse,
    ServiceFailed,
    ServiceIoError,
    ServiceMalformedUrl,
    ServiceMissingUrl,
    ServiceNetworkError,
    XRoadError,
)
from xroad.rest import RestRequest

log = get_logger("services")

CONNECTIONS: Final = 256
CONNECT_SECONDS: Final = 30.0
# Shorter than servers keep idle connections, so that a request is seldom sent into one that is being closed.
IDLE_SECONDS: Final = 15.0
# How long an address of a name with several waits for the one before it (RFC 8305).
NEXT_ADDRESS_SECONDS: Final = 0.25
SCHEMES: Final = ("http", "https")
# May be sent again when a kept connection turns out to be closed (RFC 9110, 9.2.2).
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# With the other methods a service wants to be told the length of a body also when there is none (RFC 9110, 8.6).
WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_HOP: Final = frozenset({"content-length", "expect"})


class ServiceAnswer(NamedTuple):
    """The head of a service's answer, and its body as a stream that can be read once."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]


class _Unreachable(Exception):  # noqa: N818  # says what was met
    """No connection came about."""


@dataclass(frozen=True, slots=True)
class _Server:
    """A service's address: whom to connect to, how HTTP names it, and what its paths begin with."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


# Connections are kept by where they lead, and by the certificate that was asked for there.
_Place = tuple[_Server, bytes | None]


class ServiceClient:
    """One HTTP client for all services of a node.

    Args:
        internal: the key that the node shows to services that ask for one.
    """

    def __init__(self, internal: InternalKey) -> None:
        self._internal = internal
        self._contexts: dict[bytes | None, NodeContext] = {}
        self._idle: dict[_Place, deque[tuple[HttpConnection, float]]] = {}
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        """Close all connections."""
        for kept in self._idle.values():
            for connection, _ in kept:
                connection.close()
        self._idle.clear()

    @asynccontextmanager
    async def call(self, service: Service, request: RestRequest, body: Body | None) -> AsyncIterator[ServiceAnswer]:
        """Send a request to a service and give its answer; the service's timeout is for all of it, body included.

        Raises:
            ServiceMissingUrl, ServiceMalformedUrl: its address cannot be called.
            ServiceNetworkError: it cannot be reached.
            InvalidResponse: its answer is no HTTP, or its headers are over the limits.
            ServiceIoError: it is too slow, or broke off before or in the middle of its answer.
            ServiceFailed: `.SslAuthenticationFailed`: its TLS certificate is not the expected one.
        """
        place = _server_of(service), service.tls_certificate
        until = asyncio.get_running_loop().time() + service.timeout
        try:
            await self._slot(until)
            try:
                connection, head = await self._asked(place, request, body, until)
                here = connection.body_that_came(head)
                pieces = connection.body(head, until) if here is None else at_once(here)
                try:
                    yield ServiceAnswer(head.status, head.reason, head.headers, pieces)
                finally:
                    self._keep(place, connection)
            finally:
                self._slots.release()
        except (_Unreachable, BrokenOff, NotHttp, TimeoutError) as error:
            failure = _translated(error, service)
            log.warning("service_failed", service=str(service.id), code=failure.bare_code, reason=type(error).__name__)
            raise failure from error

    async def _slot(self, until: float) -> None:
        if self._slots.locked():
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        else:
            await self._slots.acquire()

    async def _asked(
        self, place: _Place, request: RestRequest, body: Body | None, until: float
    ) -> tuple[HttpConnection, AnswerHead]:
        """Send the request; once more when a kept connection was closed meanwhile and sending it twice does no harm."""
        kept = self._kept(place)
        if kept is not None:
            try:
                return kept, await _ask(kept, place[0], request, body, until)
            except BrokenOff:
                if request.verb not in IDEMPOTENT or not kept.silent:
                    raise
        opened = await self._opened(place, until)
        return opened, await _ask(opened, place[0], request, body, until)

    def _kept(self, place: _Place) -> HttpConnection | None:
        kept, oldest = self._idle.get(place), time.monotonic() - IDLE_SECONDS
        while kept:
            connection, since = kept.pop()
            if since > oldest and connection.reusable:
                return connection
            connection.close()
        return None

    def _keep(self, place: _Place, connection: HttpConnection) -> None:
        kept, now = self._idle.setdefault(place, deque()), time.monotonic()
        if connection.reusable:
            kept.append((connection, now))
        else:
            connection.close()
        for key, others in list(self._idle.items()):
            while others and others[0][1] < now - IDLE_SECONDS:
                others.popleft()[0].close()
            if not others:
                del self._idle[key]

    async def _opened(self, place: _Place, until: float) -> HttpConnection:
        loop, (server, certificate) = asyncio.get_running_loop(), place
        tls = self._tls(certificate) if server.scheme == "https" else None
        try:
            async with asyncio.timeout_at(min(until, loop.time() + CONNECT_SECONDS)):
                _, wire = await loop.create_connection(
                    Wire, server.host, server.port, ssl=tls, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS
                )
        except OSError as error:  # TimeoutError and ssl.SSLError among them
            raise _Unreachable from error
        return HttpConnection(wire)

    def _tls(self, certificate: bytes | None) -> ssl.SSLContext:
        if certificate not in self._contexts:
            context = service_context(x509.load_der_x509_certificate(certificate) if certificate else None)
            self._internal.load_into(context)
            self._contexts[certificate] = context
        return self._contexts[certificate]


async def _ask(
    connection: HttpConnection, server: _Server, request: RestRequest, body: Body | None, until: float
) -> AnswerHead:
    content = None if body is None else body.open_reader() if body.inline is None else body.inline
    try:
        target, fields = _target(server, request), _headers(server, request, body)
        return await connection.ask(request.verb, target, fields, content, until)
    except BaseException:
        connection.close()
        raise


@lru_cache(maxsize=1024)  # services of a node: hundreds at most
def _server(url: str) -> _Server:
    """Take a service's address apart.

    Raises:
        ValueError: nothing can be called by it.
    """
    parsed = URL(url, encoded=True)
    if parsed.scheme not in SCHEMES or not parsed.host or not parsed.port or " " in url:
        raise ValueError(url)
    return _Server(parsed.scheme, parsed.host, parsed.port, parsed.host_port_subcomponent or "", parsed.raw_path)


def _server_of(service: Service) -> _Server:
    if not service.url:
        raise ServiceMissingUrl(f"Service {service.id} has no address: its administrator must give it one.")
    try:
        return _server(service.url)
    except ValueError as error:
        raise ServiceMalformedUrl(
            f"The address of service {service.id} is no http or https URL: correct it."
        ) from error


def _target(server: _Server, request: RestRequest) -> str:
    # The path and query stay as the caller wrote and signed them: no decoding, no normalising.
    path = server.path
    if request.service_path:
        path = path.removesuffix("/") + request.service_path
    return path if request.query is None else f"{path}?{request.query}"


def _headers(server: _Server, request: RestRequest, body: Body | None) -> list[tuple[str, str]]:
    headers = [("Host", server.authority)]
    headers += [(name, value) for name, value in request.headers if name.lower() not in _HOP]
    if body is not None or request.verb not in WITHOUT_BODY:
        headers.append(("Content-Length", str(body.size if body is not None else 0)))
    return headers


def _translated(error: Exception, service: Service) -> XRoadError:
    name = str(service.id)
    match error:
        case Exception(__cause__=ssl.SSLError()):
            return ServiceFailed(
                f"The TLS certificate of service {name} is not the expected one, or no TLS connection came about: "
                "the provider's administrator must check the service's certificate in the security server.",
                code_suffix="SslAuthenticationFailed",
            )
        case _Unreachable():
            return ServiceNetworkError(
                f"Service {name} cannot be reached from its security server: the provider must bring it back or "
                "correct its address."
            )
        case NotHttp():
            return InvalidResponse(
                f"What service {name} answered is no HTTP, or its headers are over the limits: the service must be "
                "corrected."
            )
        case TimeoutError():
            return ServiceIoError(
                f"Service {name} did not answer completely within {service.timeout:g} seconds. It may have done its "
                "work: find out before sending the request again."
            )
        case _:
            return ServiceIoError(
                f"Service {name} broke off before its answer was complete: the provider must see the service's own log."
            )
