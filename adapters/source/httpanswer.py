"""Reads the body of an HTTP answer within a limit, and JSON from it.

It refuses bodies beyond the limit while they arrive, and what is not JSON; it never repeats what a body says.
REST calls and token requests read their answers here.
"""

import json
from typing import Any, NoReturn

import aiohttp

from adapters.errors import SourceError


async def read_json(source: str, response: aiohttp.ClientResponse, limit: int) -> Any:  # noqa: ANN401  # JSON
    """Return the parsed body; raises :class:`SourceError` when it is larger than ``limit`` bytes or no JSON."""
    data = await read_bytes(source, response, limit)
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # `from None`: the parser's message quotes the body.
        raise SourceError(f"source {source}: an answer is not JSON") from None


async def read_bytes(source: str, response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body; raises :class:`SourceError` when it is larger than ``limit`` bytes."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > limit:
            raise SourceError(f"source {source}: an answer is larger than {limit} bytes (max_answer_bytes)")
    return bytes(data)


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)
