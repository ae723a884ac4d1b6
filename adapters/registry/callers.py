"""Who asks: the client that the institution's own security server names, or the one that an access token speaks for.

It refuses a client's name from anyone but the declared security server, because a header is only words. Behind the
bus, the signature has been verified before; standing alone, the token is what counts.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.errors import RequestRefused
from adapters.registry.listenertls import peer_certificate
from adapters.registry.tokens import BadTokenError, TokenIssuer
from xroad.errors import XRoadError
from xroad.identifiers import ClientId
from xroad.rest.headers import as_text

UNAUTHORIZED: Final = "err.request.unauthorized"
_BEARER: Final = "bearer "
_USER_LENGTH: Final = 255  # as X-Road's own message log keeps of it
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity that release declarations know, and which way it was proved: ``bus`` or ``token``.

    ``user`` is who asked in the client's system, in that system's own words. Only the bus signs them with the message.
    """

    client: str
    via: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Callers:
    """Whose words are believed."""

    security_servers: frozenset[Address]
    certificates: frozenset[bytes]
    tokens: TokenIssuer | None

    def caller(self, request: web.Request, audience: str) -> Caller:
        """Return who asks; raises :class:`RequestRefused` (401)."""
        named = request.headers.getall("X-Road-Client", [])
        if named:
            return Caller(self._bus_client(request, named), "bus", _user(request))
        if self.tokens is None:
            raise _refused("one X-Road-Client header is needed: ask through the security server")
        return Caller(_token_client(request, self.tokens, audience), "token")

    def _bus_client(self, request: web.Request, named: list[str]) -> str:
        known = remote_address(request) in self.security_servers or peer_certificate(request) in self.certificates
        if not known:
            # Whoever reaches the port could call itself any institution.
            raise _refused("X-Road-Client is believed from the declared security server only")
        if len(named) != 1:
            raise _refused("one X-Road-Client header is needed: ask through the security server")
        try:
            return str(ClientId.parse(named[0]))
        except XRoadError as error:
            raise _refused("X-Road-Client is not a client identifier") from error


def addresses(texts: Iterable[str]) -> frozenset[Address]:
    """Read IP addresses; raises :class:`ValueError`."""
    return frozenset(map(ipaddress.ip_address, texts))


def remote_address(request: web.Request) -> Address | None:
    """The address of whoever is connected; an IPv4 address that comes over IPv6 is the IPv4 address."""
    try:
        found = ipaddress.ip_address(request.remote or "")
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _user(request: web.Request) -> str:
    return as_text(request.headers.get("X-Road-UserId", "")).strip()[:_USER_LENGTH]


def _token_client(request: web.Request, tokens: TokenIssuer, audience: str) -> str:
    sent = request.headers.getall("Authorization", [])
    if len(sent) != 1 or not sent[0].lower().startswith(_BEARER):
        raise _refused("send Authorization: Bearer with a token of /oauth2/client/token")
    try:
        return tokens.client_of(sent[0][len(_BEARER) :].strip(), audience)
    except BadTokenError as error:
        raise _refused(f"{error}: get a new one at /oauth2/client/token") from error


def _refused(text: str) -> RequestRefused:
    return RequestRefused(401, UNAUTHORIZED, text)
