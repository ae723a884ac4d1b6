"""One HTTP/1.1 connection to another security server: a POST out, its answer's head and body back, as streams.

It refuses to know trust, routes and messages, and reads only the small part of HTTP that two security servers speak;
anything else is refused. ``peers`` opens, judges, keeps and closes the connections.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from xroad.errors import PeerIoError, XRoadError

# The answer's head: a few short fields; a peer that sends more wants memory.
HEAD_BYTES: Final = 32 * 1024
# How much is read or written at once.
PIECE_BYTES: Final = 64 * 1024
# Chunk size lines and trailers: longer or more have no use between two servers.
CHUNK_LINE_BYTES: Final = 256
TRAILER_LINES: Final = 16
# 1xx answers before the real one.
INTERIM_ANSWERS: Final = 4

_STATUS_LINE: Final = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?\Z")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\Z")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n\Z")
_LENGTH: Final = re.compile(r"[0-9]{1,15}\Z")
_NO_BODY: Final = (204, 304)

_Pieces = AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and fields of an answer; names in lower case, the last of equal names counts."""

    status: int
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def content_type(self) -> str:
        """The content type, empty when there is none."""
        return self.fields.get("content-type", "")


class PeerConnection:
    """One connection; at most one exchange at a time, and only ``reusable`` ones may carry another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host
        # Whether the last exchange is over and done, to its answer's last byte; and whether another may follow it.
        self._clean = True
        self._keep_alive = True

    @property
    def tls(self) -> object:
        """The TLS object under the connection, None without TLS."""
        return self._writer.get_extra_info("ssl_object")

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended cleanly and the other side still listens."""
        return self._clean and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        """Drop the connection at once; what is under way on it fails."""
        self._clean = False
        self._writer.transport.abort()

    async def post(self, fields: Iterable[tuple[str, str]], body: AsyncIterator[bytes]) -> AnswerHead:
        """Send one POST and read the answer's head; the body follows from ``answer_body``.

        The answer may come before the whole request is out: then the rest stays, and the connection is not reused.

        Raises:
            PeerIoError: the peer closed, or did not speak HTTP.
        """
        self._clean = False
        # Neither half raises inside the group, where its error would be wrapped in an ExceptionGroup.
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(fields, body))
            head = await self._read_head()
            finished = sending.done()
            sending.cancel()
        failure = sending.result() if finished else None
        if failure is not None:
            raise failure
        if isinstance(head, XRoadError):
            raise head
        self._keep_alive = finished and head.fields.get("connection", "").lower() != "close"
        return head

    async def answer_body(self, head: AnswerHead) -> AsyncIterator[bytes]:
        """Yield the answer's body in pieces; a break in the middle is an error, never a short body.

        Raises:
            PeerIoError: the peer closed early, or its framing is broken.
        """
        framing = self._framing(head)
        try:
            async for piece in framing:
                yield piece
        except (asyncio.IncompleteReadError, ValueError, OSError) as error:
            raise _broken(error) from error
        finally:
            await framing.aclose()
        self._clean = self._keep_alive

    def _framing(self, head: AnswerHead) -> _Pieces:
        if head.status in _NO_BODY:
            return self._exactly(0)
        if "transfer-encoding" in head.fields:
            if head.fields["transfer-encoding"].lower() != "chunked" or "content-length" in head.fields:
                raise _broken("its framing is neither by length nor by chunks")
            return self._chunked()
        length = head.fields.get("content-length")
        if length is None:
            return self._until_closed()
        if not _LENGTH.match(length):
            raise _broken("its content length is no number")
        return self._exactly(int(length))

    async def _send(self, fields: Iterable[tuple[str, str]], body: AsyncIterator[bytes]) -> XRoadError | None:
        """Send; give what went wrong on this side, if anything."""
        lines = [f"POST / HTTP/1.1\r\nHost: {self._host}\r\nTransfer-Encoding: chunked\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in fields]
        pending = bytearray("".join([*lines, "\r\n"]).encode("latin-1"))
        try:
            async for piece in body:
                if piece:
                    pending += b"%x\r\n%b\r\n" % (len(piece), piece)
                if len(pending) >= PIECE_BYTES:
                    self._writer.write(pending)
                    pending = bytearray()
                    await self._writer.drain()
            self._writer.write(pending + b"0\r\n\r\n")
            await self._writer.drain()
        except ConnectionError:
            # The peer stopped listening, perhaps because it has answered already: what it said, or its silence, is read
            # by the other half of post() and decides.
            return None
        except XRoadError as error:
            self.close()  # wakes the other half
            return error
        return None

    async def _read_head(self) -> AnswerHead | PeerIoError:
        try:
            for _ in range(INTERIM_ANSWERS):
                head = _parse_head(await self._reader.readuntil(b"\r\n\r\n"))
                if head.status >= 200:  # noqa: PLR2004  # below are interim answers such as 100 Continue
                    return head
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
            return _broken(error)
        return _broken("it sends interim answers without end")

    async def _exactly(self, length: int) -> _Pieces:
        while length:
            piece = await self._reader.read(min(length, PIECE_BYTES))
            if not piece:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(piece)
            yield piece

    async def _until_closed(self) -> _Pieces:
        while piece := await self._reader.read(PIECE_BYTES):
            yield piece

    async def _chunked(self) -> _Pieces:
        while size := await self._chunk_size():
            async for piece in self._exactly(size):
                yield piece
            if await self._reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk is longer than it says")
        for _ in range(TRAILER_LINES):
            if await self._reader.readline() in {b"\r\n", b"\n"}:
                return
        raise ValueError("too many trailers")

    async def _chunk_size(self) -> int:
        line = await self._reader.readline()
        match = _CHUNK_SIZE.match(line)
        if match is None or len(line) > CHUNK_LINE_BYTES:
            raise ValueError("a chunk has no size")
        return int(match[1], 16)


def _parse_head(raw: bytes) -> AnswerHead:
    first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    status = _STATUS_LINE.match(first)
    matches = [_FIELD.match(line) for line in lines]
    if status is None or not all(matches):
        raise ValueError("not HTTP")
    return AnswerHead(int(status[1]), MappingProxyType({match[1].lower(): match[2] for match in matches if match}))


def _broken(reason: object) -> PeerIoError:
    kind = reason if isinstance(reason, str) else "it closed the connection or sent what is not HTTP"
    return PeerIoError(
        f"The other security server broke off its answer: {kind}. Send the request again; "
        "if it stays so, ask the provider's administrator for the log line with this id."
    )
