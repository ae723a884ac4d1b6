"""Gets and keeps a token for a client's credentials (OAuth 2.0, RFC 6749 section 4.4).

It refuses answers that are no bearer token and never shows one. One request serves all calls that wait for a token.
:mod:`adapters.source.rest` asks for the header before each call, and forgets a token that the service refused.
"""

import asyncio
import time
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp

from adapters.errors import SourceError
from adapters.source.connection import OAuth2
from adapters.source.httpanswer import read_json

MAX_TOKEN_BYTES: Final = 64 * 1024
DEFAULT_SECONDS: Final = 300  # for a service that does not say how long its token lives
MAX_SECONDS: Final = 86_400  # some services write a number that no clock holds
EARLY_SECONDS: Final = 30  # renewed before it ends, so that no call meets the end of it
_OK: Final = 200


class TokenKeeper:
    """The token of one connection."""

    def __init__(self, source: str, oauth2: OAuth2) -> None:
        """Ask for nothing yet; ``source`` is the name in messages."""
        self._source, self._oauth2 = source, oauth2
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = float("-inf")

    async def header(self, session: aiohttp.ClientSession) -> str:
        """Return the value of ``Authorization``; raises :class:`SourceError`."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._token, seconds = await self._ask(session)
                self._until = time.monotonic() + max(seconds - EARLY_SECONDS, seconds / 2)
            return f"Bearer {self._token}"

    def forget(self, header: str) -> None:
        """Let the next call ask anew, unless another call has done so already."""
        if header == f"Bearer {self._token}":
            self._until = float("-inf")

    async def _ask(self, session: aiohttp.ClientSession) -> tuple[str, float]:
        oauth2, secret = self._oauth2, self._oauth2.client_secret.read()
        form = {"grant_type": "client_credentials"} | ({} if oauth2.scope is None else {"scope": oauth2.scope})
        headers = {}
        if oauth2.basic:
            headers = {"Authorization": aiohttp.encode_basic_auth(quote_plus(oauth2.client_id), quote_plus(secret))}
        else:
            form |= {"client_id": oauth2.client_id, "client_secret": secret}
        try:
            async with session.post(oauth2.token_url, data=form, headers=headers, allow_redirects=False) as response:
                if response.status != _OK:
                    raise SourceError(f"source {self._source}: the token service answers {response.status}")
                answer = await read_json(self._source, response, MAX_TOKEN_BYTES)
        except aiohttp.ClientError as error:
            raise SourceError(f"source {self._source}: the token service: {type(error).__name__}") from None
        return self._read(answer)

    def _read(self, answer: Any) -> tuple[str, float]:  # noqa: ANN401  # what the service answers
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
            raise SourceError(f"source {self._source}: the token service gives no token")
        if str(answer.get("token_type", "bearer")).lower() != "bearer":
            raise SourceError(f"source {self._source}: the token service gives no bearer token")
        seconds = answer.get("expires_in", DEFAULT_SECONDS)
        good = isinstance(seconds, int | float) and seconds > 0
        return token, float(min(seconds, MAX_SECONDS)) if good else DEFAULT_SECONDS
