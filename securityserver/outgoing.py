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
    if body is None or body.inline is not None:
        # Its length is known, so that head and body go out together.
        whole = body.inline if body is not None else None
        answer: web.StreamResponse = web.Response(status=response.status, reason=response.reason, body=whole)
        pieces = None
    else:
        answer = web.StreamResponse(status=response.status, reason=response.reason)
        answer.content_length = body.size
        pieces = body.open_reader() if http.method != "HEAD" else None
    answer.headers.extend(response.headers)
    answer[UNTYPED] = "Content-Type" not in answer.headers
    return await stream(http, answer, pieces)


async def send(
    http: web.BaseRequest, fields: Iterable[tuple[str, str]], message: bytes | AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send a message to a peer.

    Raises:
        Interrupted: the peer went away.
    """
    if isinstance(message, bytes):
        # In one TLS record and one packet.
        answer: web.StreamResponse = web.Response(body=message)
        pieces = None
    else:
        answer, pieces = web.StreamResponse(), message
    answer.headers.extend(fields)
    return await stream(http, answer, pieces)


async def stream(
    http: web.BaseRequest, answer: web.StreamResponse, pieces: AsyncIterator[bytes] | None
) -> web.StreamResponse:
    """Send an answer; what is whole has no pieces.

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
