"""Reads the body of a request, up to a limit, and only of the content type that its path takes.

It refuses the rest before it looks at it. The operations and the token path use it.
"""

from aiohttp import web

from adapters.errors import RequestRefused


async def read_body(request: web.Request, content_type: str, at_most: int) -> bytes:
    """Return the body; raises :class:`RequestRefused` (415, 413)."""
    if request.content_type != content_type:
        raise RequestRefused(415, "err.request.bad", f"send Content-Type: {content_type}")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > at_most:
            raise RequestRefused(413, "err.request.bad", f"send at most {at_most} bytes")
    return bytes(body)
