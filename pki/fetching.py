"""Asking OCSP responders over HTTP.

It decides nothing: it moves bytes, within limits of time and size. ``upkeep`` says whom to ask and judges the answer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import hdrs

from xroad.ocsp import MAX_RESPONSE_BYTES

TOTAL_TIMEOUT: Final = 20.0
"""Seconds for one responder, from name look-up to last byte; X-Road's connect time-out."""
_HEADERS: Final = {hdrs.CONTENT_TYPE: "application/ocsp-request", hdrs.ACCEPT: "application/ocsp-response"}


class FetchFailed(Exception):  # noqa: N818  named after what happened
    """The responder gave no answer; the text says why."""


class OcspFetcher:
    """An HTTP client for responders; make it with ``opened``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator["OcspFetcher"]:
        """Give a fetcher for the length of a round."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT)) as session:
            yield cls(session)

    async def fetch(self, url: str, request: bytes) -> bytes:
        """Post the request (DER) and give the answer as it came.

        Raises:
            FetchFailed: no connection, no answer in time, another status than 200, or an answer too long.
        """
        try:
            # A redirect would let a responder send this server's requests to addresses of its choice.
            async with self._session.post(url, data=request, headers=_HEADERS, allow_redirects=False) as response:
                return await _body(response)
        except TimeoutError as error:
            raise FetchFailed(f"no answer within {TOTAL_TIMEOUT:.0f} seconds") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchFailed(f"no answer ({error})") from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.status != 200:  # noqa: PLR2004  the only status with a response in it
        raise FetchFailed(f"answered with HTTP status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise FetchFailed(f"answered with more than {MAX_RESPONSE_BYTES} bytes")
    return bytes(body)
