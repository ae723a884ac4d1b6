"""HTTP/1.1 as this node speaks it over a connection that it opened: one request out, its answer's head and body back.

It refuses to know who is at the other end and what is said. ``peerhttp`` speaks to security servers over it, and
``services`` to the institution's own; both say in their own codes what went wrong.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from securityserver.httphead import HEAD_BYTES, OK, SWITCHING, AnswerHead, Fields, NotHttp, parse_head, request_head
from securityserver.wire import Wire
from xroad.errors import XRoadError

# A body that comes in several pieces is written in pieces of about this size.
PIECE_BYTES: Final = 64 * 1024
# Chunk size lines and trailers: longer or more have no use.
CHUNK_LINE_BYTES: Final = 256
TRAILER_LINES: Final = 16
# 1xx answers before the real one.
INTERIM_ANSWERS: Final = 4

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\Z")
_LENGTH: Final = re.compile(r"[0-9]{1,15}\Z")
_NO_BODY: Final = (SWITCHING, 204, 304)

Pieces = AsyncGenerator[bytes, None]


class BrokenOff(ConnectionError):  # noqa: N818  # says what happened
    """The other side closed the connection before its answer was whole."""


class HttpConnection:
    """One connection; at most one exchange at a time, and only ``reusable`` ones may carry another.

    Args:
        wire: connected.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        # Whether the last exchange is over and done, to its answer's last byte; and whether another may follow it.
        self._clean, self._keep_alive = True, True
        self._bodyless = False

    @property
    def tls(self) -> object:
        """The TLS object under the connection, None without TLS."""
        return self._wire.transport.get_extra_info("ssl_object")

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended cleanly and the other side still listens."""
        return self._clean and self._wire.listening

    @property
    def silent(self) -> bool:
        """Whether nothing has come of an answer."""
        return not self._wire.buffer

    def close(self) -> None:
        """Drop the connection at once; what is under way on it fails."""
        self._clean = False
        self._wire.transport.abort()

    async def ask(
        self, method: str, target: str, fields: Fields, body: bytes | AsyncIterator[bytes] | None, until: float
    ) -> AnswerHead:
        """Send a request and read the answer's head; the body follows from ``body``.

        The answer may come before the whole request is out: then the rest stays, and the connection is not reused.

        Args:
            method: as it is written.
            target: as it is written.
            fields: the whole header; it tells how the body is framed, by length or by chunks.
            body: all of it, or pieces.
            until: when the head must be here, by the loop's clock.

        Raises:
            BrokenOff, NotHttp: the other side closed, or did not speak HTTP.
            TimeoutError: it did not answer in time.
        """
        self._clean, self._bodyless = False, method == "HEAD"
        head = request_head(method, target, fields)
        if body is not None and not isinstance(body, bytes):
            return await self._while_sending(head, body, until)
        self._wire.transport.write(head + body if body else head)
        answer = await self._read_head(until)
        self._keep_alive = answer.keeps_alive
        return answer

    async def body(self, head: AnswerHead, until: float) -> AsyncIterator[bytes]:
        """Yield the answer's body in pieces; a break in the middle is an error, never a short body.

        Raises:
            BrokenOff, NotHttp: the other side closed early, or its framing is broken.
            TimeoutError: it was not complete in time.
        """
        async for piece in self._framing(head, until):
            yield piece
        self._clean = self._keep_alive

    def body_that_came(self, head: AnswerHead) -> bytes | None:
        """Give the answer's body if all of it is here, as small ones are that came with their head."""
        length = "0" if self._has_no_body(head) else head.fields.get("content-length", "")
        if "transfer-encoding" in head.fields or not _LENGTH.match(length) or len(self._wire.buffer) < int(length):
            return None
        self._clean = self._keep_alive
        return self._take(int(length))

    def _has_no_body(self, head: AnswerHead) -> bool:
        return self._bodyless or head.status in _NO_BODY

    def _framing(self, head: AnswerHead, until: float) -> Pieces:
        if self._has_no_body(head):
            return self._exactly(0, until)
        if "transfer-encoding" in head.fields:
            if head.fields["transfer-encoding"].lower() != "chunked" or "content-length" in head.fields:
                raise NotHttp("its framing is neither by length nor by chunks")
            return self._chunked(until)
        length = head.fields.get("content-length")
        if length is None:
            return self._until_closed(until)
        if not _LENGTH.match(length):
            raise NotHttp("its content length is no number")
        return self._exactly(int(length), until)

    async def _while_sending(self, head: bytes, body: AsyncIterator[bytes], until: float) -> AnswerHead:
        # Neither half raises inside the group, where its error would be wrapped in an ExceptionGroup.
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(head, body))
            answer = await self._head_or_error(until)
            finished = sending.done()
            sending.cancel()
        failure = sending.result() if finished else None
        if failure is not None:
            raise failure
        if isinstance(answer, Exception):
            raise answer
        self._keep_alive = finished and answer.keeps_alive
        return answer

    async def _head_or_error(self, until: float) -> AnswerHead | BrokenOff | NotHttp | TimeoutError:
        try:
            return await self._read_head(until)
        except (BrokenOff, NotHttp, TimeoutError) as error:
            return error

    async def _send(self, head: bytes, body: AsyncIterator[bytes]) -> XRoadError | None:
        """Send; give what went wrong on this side, if anything."""
        chunked = b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
        pending = bytearray(head)
        try:
            async for piece in body:
                if piece:
                    pending += b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
                if len(pending) >= PIECE_BYTES:
                    self._wire.transport.write(pending)
                    pending = bytearray()
                    await self._wire.drained()
            self._wire.transport.write(pending + b"0\r\n\r\n" if chunked else pending)
            await self._wire.drained()
        except ConnectionError:
            # The other side stopped listening, perhaps because it has answered already: what it said, or its silence,
            # is read by the other half and decides.
            return None
        except XRoadError as error:
            self.close()  # wakes the other half
            return error
        return None

    async def _read_head(self, until: float) -> AnswerHead:
        for _ in range(INTERIM_ANSWERS):
            answer = parse_head(await self._head_bytes(until))
            if answer.status >= OK or answer.status == SWITCHING:
                return answer
        raise NotHttp("it sends interim answers without end")

    async def _head_bytes(self, until: float) -> bytes:
        buffer = self._wire.buffer
        while (found := _BLANK_LINE.search(buffer)) is None:
            if len(buffer) > HEAD_BYTES:
                break
            await self._more(until)
        if found is None or found.end() > HEAD_BYTES:
            raise NotHttp("its head is too long")
        return self._take(found.end())

    async def _more(self, until: float) -> None:
        if self._wire.ended:
            raise BrokenOff("it closed the connection") from self._wire.failure
        await self._wire.more(until)

    def _take(self, count: int) -> bytes:
        buffer = self._wire.buffer
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken

    async def _exactly(self, length: int, until: float) -> Pieces:
        while length:
            if self._wire.buffer:
                piece = self._take(length)
                length -= len(piece)
                yield piece
            else:
                await self._more(until)

    async def _until_closed(self, until: float) -> Pieces:
        self._keep_alive = False
        while self._wire.buffer or not self._wire.ended:
            if self._wire.buffer:
                yield self._take(len(self._wire.buffer))
            else:
                await self._wire.more(until)
        if self._wire.failure is not None:
            raise BrokenOff("it closed the connection") from self._wire.failure

    async def _chunked(self, until: float) -> Pieces:
        while size := await self._chunk_size(until):
            async for piece in self._exactly(size, until):
                yield piece
            if await self._line(until):
                raise NotHttp("a chunk is longer than it says")
        for _ in range(TRAILER_LINES):
            if not await self._line(until):
                return
        raise NotHttp("too many trailers")

    async def _chunk_size(self, until: float) -> int:
        match = _CHUNK_SIZE.match(await self._line(until))
        if match is None:
            raise NotHttp("a chunk has no size")
        return int(match[1], 16)

    async def _line(self, until: float) -> bytes:
        buffer = self._wire.buffer
        while (at := buffer.find(b"\n")) < 0:
            if len(buffer) > CHUNK_LINE_BYTES:
                break
            await self._more(until)
        if not 0 <= at <= CHUNK_LINE_BYTES:
            raise NotHttp("a line between chunks is too long")
        return self._take(at + 1).rstrip(b"\r\n")
