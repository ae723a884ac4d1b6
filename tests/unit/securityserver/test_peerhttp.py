"""The HTTP between two servers, against a peer that says what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from securityserver.peerhttp import PeerConnection
from securityserver.wire import Wire
from xroad.errors import LoggingFailed, PeerIoError

PATIENCE = 5.0

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script) -> AsyncIterator[PeerConnection]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, *server.sockets[0].getsockname())
        connection = PeerConnection(wire, "peer")
        yield connection
        connection.close()


def saying(answer: bytes, *, keep_open: bool = False) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if keep_open:
            await reader.read()

    return script


async def body(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def whole(connection: PeerConnection) -> tuple[int, bytes]:
    head = await connection.post((("A", "b"),), body(b"some", b"", b" body"), PATIENCE)
    return head.status, b"".join([piece async for piece in connection.answer_body(head)])


@pytest.mark.parametrize(
    ("answer", "expected", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nT: r\r\n\r\n",
            b"abc",
            True,
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    ],
)
async def test_each_framing_gives_the_body(answer: bytes, expected: bytes, *, reusable: bool) -> None:
    async with peer(saying(answer, keep_open=True)) as connection:
        assert await whole(connection) == (200, expected)
        assert connection.reusable is reusable


async def test_a_body_may_end_with_the_connection() -> None:
    async with peer(saying(b"HTTP/1.0 200 OK\r\n\r\nabc")) as connection:
        assert await whole(connection) == (200, b"abc")
        assert not connection.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 50 + b"\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_an_error_of_the_peer(answer: bytes) -> None:
    async with peer(saying(answer)) as connection:
        with pytest.raises(PeerIoError):
            await whole(connection)
        assert not connection.reusable


async def test_an_unread_answer_spoils_the_connection() -> None:
    async with peer(saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nabc", keep_open=True)) as connection:
        assert (await connection.post((), body(b"x"), PATIENCE)).status == 503
        assert not connection.reusable


async def test_an_early_answer_ends_the_sending() -> None:
    async def refuse_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read(1024)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    async with asyncio.timeout(5), peer(refuse_at_once) as connection:
        assert (await connection.post((), endless(), PATIENCE)).status == 200
        assert not connection.reusable


async def test_a_failure_while_sending_is_told_as_it_is() -> None:
    """A spool that cannot be read is this server's trouble, not the peer's."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"begin"
        raise LoggingFailed("the disk is gone")

    async with peer(saying(b"", keep_open=True)) as connection:
        with pytest.raises(LoggingFailed):
            await connection.post((), broken(), PATIENCE)
