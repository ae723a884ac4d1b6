"""One connection to another security server: a POST out, its answer's head and body back, as streams.

It refuses to know trust, routes and messages, and how HTTP is spoken: that is in ``httpclient``. ``peers`` opens,
judges, keeps and closes the connections.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from typing import Final

from securityserver.httpclient import BrokenOff, HttpConnection
from securityserver.httphead import AnswerHead, NotHttp
from securityserver.wire import Wire
from xroad.errors import PeerIoError

__all__ = ["AnswerHead", "PeerConnection"]

_CHUNKED: Final = ("Transfer-Encoding", "chunked")


class PeerConnection:
    """One connection; at most one exchange at a time, and only ``reusable`` ones may carry another.

    Args:
        wire: connected.
        host: the peer's address.
    """

    def __init__(self, wire: Wire, host: str) -> None:
        self._http, self._host = HttpConnection(wire), ("Host", host)

    @property
    def tls(self) -> object:
        """The TLS object under the connection, None without TLS."""
        return self._http.tls

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended cleanly and the other side still listens."""
        return self._http.reusable

    def close(self) -> None:
        """Drop the connection at once; what is under way on it fails."""
        self._http.close()

    async def post(
        self, fields: Iterable[tuple[str, str]], body: bytes | AsyncIterator[bytes], seconds: float
    ) -> AnswerHead:
        """Send one POST and read the answer's head; the body follows from ``answer_body``.

        Args:
            fields: beside those about the host and the body's framing.
            body: all of it, or pieces.
            seconds: until the head of the answer must be here.

        Raises:
            PeerIoError: the peer closed, or did not speak HTTP.
            TimeoutError: it did not answer in time.
        """
        framing = ("Content-Length", str(len(body))) if isinstance(body, bytes) else _CHUNKED
        until = asyncio.get_running_loop().time() + seconds
        try:
            return await self._http.ask("POST", "/", (self._host, framing, *fields), body, until)
        except (BrokenOff, NotHttp) as error:
            raise _broken(error) from error

    def answer_that_came(self, head: AnswerHead) -> bytes | None:
        """Give the answer's body if all of it is here."""
        return self._http.body_that_came(head)

    async def answer_body(self, head: AnswerHead) -> AsyncIterator[bytes]:
        """Yield the answer's body in pieces; a break in the middle is an error, never a short body.

        Raises:
            PeerIoError: the peer closed early, or its framing is broken.
        """
        try:
            async for piece in self._http.body(head, math.inf):
                yield piece
        except (BrokenOff, NotHttp) as error:
            raise _broken(error) from error


def _broken(error: BrokenOff | NotHttp) -> PeerIoError:
    reason = error if isinstance(error, NotHttp) else "it closed the connection or sent what is not HTTP"
    return PeerIoError(
        f"The other security server broke off its answer: {reason}. Send the request again; "
        "if it stays so, ask the provider's administrator for the log line with this id."
    )
