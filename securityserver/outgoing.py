"""What goes out to a backend or peer as the answer to its HTTP request: heads, and bodies in pieces.

It refuses to know why it is sent. The pipelines call it last, when nothing can be refused any more.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from aiohttp import web

from securityserver.messagelog import Body
from securityserver.monitoring import Watch
from xroad.rest import RestResponse

# Marks an answer whose media type nobody may add: when a service names none, its caller sees none (PR-REST 4.3, 4.6).
UNTYPED: Final = web.ResponseKey("untyped", bool)


class Interrupted(Exception):  # noqa: N818  # not an error of anyone: the other side left
    """The other side went away while its answer was being sent."""


async def release(http: web.BaseRequest, response: RestResponse, body: Body | None, watch: Watch) -> web.StreamResponse:
    """Send a verified answer to the backend.

    Raises:
        Interrupted: the backend went away.
    """
    watch.status = response.status
    answer = web.StreamResponse(status=response.status, reason=response.reason)
    for name, value in response.headers:
        answer.headers.add(name, value)
    answer[UNTYPED] = "Content-Type" not in answer.headers
    size = body.size if body is not None else 0
    if http.method != "HEAD":
        answer.content_length = size
    return await stream(http, answer, body.open_reader() if size and body is not None else None)


async def send(
    http: web.BaseRequest, fields: Iterable[tuple[str, str]], pieces: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send a message to a peer.

    Raises:
        Interrupted: the peer went away.
    """
    answer = web.StreamResponse(status=200)
    for name, value in fields:
        answer.headers.add(name, value)
    first, second = await anext(pieces, b""), await anext(pieces, None)
    if second is None:
        # Its length is known, so that head and message go out together, in one TLS record and one packet.
        answer.content_length = len(first)
        return await stream(http, answer, _chain([first]))
    return await stream(http, answer, _chain([first, second], pieces))


async def _chain(taken: Iterable[bytes], rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    for piece in taken:
        yield piece
    if rest is not None:
        async for piece in rest:
            yield piece


async def stream(
    http: web.BaseRequest, answer: web.StreamResponse, pieces: AsyncIterator[bytes] | None
) -> web.StreamResponse:
    """Send an answer whose body comes in pieces.

    Raises:
        Interrupted: the other side went away.
    """
    try:
        await answer.prepare(http)
        if pieces is not None:
            async for piece in pieces:
                await answer.write(piece)
        await answer.write_eof()
    except ConnectionError as error:
        raise Interrupted from error
    return answer
