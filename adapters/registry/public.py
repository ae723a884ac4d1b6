"""What anyone may ask an adapter: its public keys and, with a secret, an access token.

It refuses to guess along: attempts at secrets are counted, and a wrong one looks like one of an unknown client. The
HTTP application adds these paths below each service.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from adapters.errors import RequestRefused
from adapters.registry.bodies import read_body
from adapters.registry.keyfiles import SigningKey
from adapters.registry.ratelimit import RateLimit
from adapters.registry.service import Service
from adapters.registry.tokens import BadTokenError, TokenIssuer

TOKEN_ATTEMPTS: Final = 20  # a minute and client: a client needs one every few minutes
ADDRESS_ATTEMPTS: Final = 60  # a minute and address: several clients may share one
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_BYTES: Final = 8192
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Public:
    """The public paths of one adapter."""

    def __init__(self, sender_id: str, tokens: TokenIssuer | None, keys: Sequence[SigningKey]) -> None:
        self._sender_id = sender_id
        self._tokens = tokens
        self._keys = {"keys": list({key.kid: dict(key.jwk) for key in keys}.values())}
        self._by_client = RateLimit(TOKEN_ATTEMPTS)
        self._by_address = RateLimit(ADDRESS_ATTEMPTS)

    def audience(self, service: Service) -> str:
        """For whom a token of this service is: one of another service is not valid here."""
        return f"{self._sender_id}/{service.code}"

    def add_routes(self, router: web.UrlDispatcher, service: Service) -> None:
        """Add the paths below a service."""
        router.add_get(f"/{service.code}/.well-known/jwks.json", self._jwks)
        if self._tokens is not None:
            handler = partial(self._token, self._tokens, self.audience(service))
            router.add_post(f"/{service.code}/oauth2/client/token", handler)

    async def _jwks(self, _request: web.Request) -> web.Response:
        return web.json_response(self._keys)

    async def _token(self, tokens: TokenIssuer, audience: str, request: web.Request) -> web.Response:
        """Answer as RFC 6749, section 5, says; only there DCI's error body does not hold."""
        try:
            client_id, secret = await _credentials(request)
        except RequestRefused as error:
            return _error(400, "invalid_request", error.message)
        except _GrantError:
            return _error(400, "unsupported_grant_type", "send grant_type=client_credentials")
        allowed = self._by_address.allows(request.remote or "") and self._by_client.allows(client_id)
        if not allowed:
            return _error(429, "invalid_request", "too many attempts: wait a minute")
        try:
            client = await asyncio.to_thread(tokens.authenticate, client_id, secret)
        except BadTokenError:
            return _error(401, "invalid_client", "the client is not known or its secret is another one")
        token = tokens.issue(client.client_id, audience, datetime.now(UTC))
        told = {"access_token": token, "token_type": "Bearer", "expires_in": int(tokens.lifetime.total_seconds())}
        return web.json_response(told, headers=_NO_STORE)


class _GrantError(Exception):
    """Another way of getting a token than the one that is served."""


async def _credentials(request: web.Request) -> tuple[str, str]:
    """Read client and secret, out of the form or of Basic authentication, never of the URL (RFC 6749, 2.3.1)."""
    body = await read_body(request, _FORM, _FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=10)
    except (UnicodeDecodeError, ValueError) as error:
        raise RequestRefused(400, "err.request.bad", "the form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RequestRefused(400, "err.request.bad", "a field stands twice")
    if form.get("grant_type") != "client_credentials":
        raise _GrantError
    basic = _basic(request.headers.get("Authorization", ""))
    if basic is not None:
        return basic
    if not form.get("client_id") or not form.get("client_secret"):
        raise RequestRefused(400, "err.request.bad", "send client_id and client_secret")
    return form["client_id"], form["client_secret"]


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _space, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RequestRefused(400, "err.request.bad", "the Basic authentication cannot be read") from error
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None


def _error(status: int, code: str, description: str) -> web.Response:
    headers = _NO_STORE | ({"WWW-Authenticate": "Basic"} if status == web.HTTPUnauthorized.status_code else {})
    return web.json_response({"error": code, "error_description": description}, status=status, headers=headers)
