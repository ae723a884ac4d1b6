"""Calls the institution's own services: pooled HTTP, a total timeout for each service, no redirects, nothing added.

It refuses to know signatures, logs and who may call what. The provider pipeline calls it with a verified request, in
step 7.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from cryptography import x509
from yarl import URL

from securityserver.internaltls import InternalKey
from securityserver.messagelog import Body
from securityserver.serverconf import Service
from securityserver.tls import NodeContext, service_context
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

# aiohttp would add these when the caller did not send them; the service must see what the caller sent (PR-REST 4.3).
NEVER_ADDED: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
CONNECTIONS: Final = 256
CONNECT_SECONDS: Final = 30.0
SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The head of a service's answer, and its body as a stream that can be read once."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes]


class ServiceClient:
    """One HTTP client for all services of a node.

    Args:
        internal: the key that the node shows to services that ask for one.
    """

    def __init__(self, internal: InternalKey) -> None:
        self._internal = internal
        self._contexts: dict[tuple[bool, bytes | None], NodeContext] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=NEVER_ADDED,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

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
        url = _address(service, request)
        timeout = aiohttp.ClientTimeout(total=service.timeout, sock_connect=min(CONNECT_SECONDS, service.timeout))
        try:
            async with self._session.request(
                request.verb,
                url,
                headers=_headers(request, body),
                data=_content(body),
                ssl=self._tls(service) if url.scheme == "https" else True,
                allow_redirects=False,
                timeout=timeout,
            ) as answer:
                headers = tuple(
                    (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
                    for name, value in answer.raw_headers
                )
                yield ServiceAnswer(answer.status, answer.reason or "", headers, answer.content.iter_any())
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            failure = _translated(error, service)
            log.warning("service_failed", service=str(service.id), code=failure.bare_code, reason=type(error).__name__)
            raise failure from error

    def _tls(self, service: Service) -> ssl.SSLContext:
        key = (service.tls_verify, service.tls_certificate)
        if key not in self._contexts:
            pinned = x509.load_der_x509_certificate(service.tls_certificate) if service.tls_certificate else None
            context = service_context(pinned, verify=service.tls_verify)
            self._internal.load_into(context)
            self._contexts[key] = context
        return self._contexts[key]


def _address(service: Service, request: RestRequest) -> URL:
    if not service.url:
        raise ServiceMissingUrl(f"Service {service.id} has no address: its administrator must give it one.")
    base = service.url.removesuffix("/") if request.service_path.startswith("/") else service.url
    query = f"?{request.query}" if request.query is not None else ""
    try:
        # The path and query stay as the caller wrote and signed them: no decoding, no normalising.
        url = URL(f"{base}{request.service_path}{query}", encoded=True)
        usable = url.scheme in SCHEMES and url.host and url.port  # a port out of range raises only when it is asked for
    except ValueError as error:
        raise _malformed(service) from error
    if not usable:
        raise _malformed(service)
    return url


def _malformed(service: Service) -> ServiceMalformedUrl:
    return ServiceMalformedUrl(f"The address of service {service.id} is no http or https URL: correct it.")


def _headers(request: RestRequest, body: Body | None) -> list[tuple[str, str]]:
    headers = [(name, value) for name, value in request.headers if name.lower() not in {"content-length", "expect"}]
    return headers if body is None else [*headers, ("Content-Length", str(body.size))]


def _content(body: Body | None) -> bytes | AsyncIterator[bytes] | None:
    if body is None:
        return None
    return body.inline if body.inline is not None else body.open_reader()


def _translated(error: Exception, service: Service) -> XRoadError:
    name = str(service.id)
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientSSLError():
            return ServiceFailed(
                f"The TLS certificate of service {name} is not the expected one, or no TLS connection came about: "
                "the provider's administrator must check the service's certificate in the security server.",
                code_suffix="SslAuthenticationFailed",
            )
        case aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return ServiceNetworkError(
                f"Service {name} cannot be reached from its security server: the provider must bring "
                "it back or correct "
                "its address."
            )
        case aiohttp.ClientResponseError():
            return InvalidResponse(
                f"What service {name} answered is no HTTP, or its headers are over the limits: the service must be "
                "corrected."
            )
        case TimeoutError():
            return ServiceIoError(
                f"Service {name} did not answer completely within {service.timeout:g} seconds. It may "
                "have done its work: "
                "find out before sending the request again."
            )
        case _:
            return ServiceIoError(
                f"Service {name} broke off before its answer was complete: the provider must see the service's own log."
            )
