"""HTTP over connections that this node opened: heads, framings and limits, however the bytes are cut on their way."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityserver.httpclient import BrokenOff, HttpConnection
from securityserver.httphead import NotHttp, parse_head
from securityserver.wire import WAITING_BYTES, Wire

PATIENCE = 5.0


@asynccontextmanager
async def answering(answer: bytes, *, pieces: int = 1, keep_open: bool = True) -> AsyncIterator[HttpConnection]:
    """Connect to somebody who says this whatever is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(65536)
            size = -(-len(answer) // pieces) or 1
            for at in range(0, len(answer), size):
                writer.write(answer[at : at + size])
                await asyncio.sleep(0)
            if keep_open:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, *server.sockets[0].getsockname())
        connection = HttpConnection(wire)
        yield connection
        connection.close()
        await asyncio.sleep(0.01)


async def ask(connection: HttpConnection, method: str = "GET", seconds: float = PATIENCE) -> tuple[int, bytes]:
    until = asyncio.get_running_loop().time() + seconds
    head = await connection.ask(method, "/x", (("Host", "h"),), None, until)
    return head.status, b"".join([piece async for piece in connection.body(head, until)])


ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_may_be_cut_anywhere(answer: bytes) -> None:
    async with answering(answer, pieces=len(answer)) as connection:
        assert await ask(connection) == (200, b"abc")
        assert connection.reusable


async def test_a_small_body_that_came_needs_no_waiting() -> None:
    async with answering(ANSWERS[0]) as connection:
        head = await connection.ask("POST", "/", (), b"whole", math.inf)
        assert connection.body_that_came(head) == b"abc"
        assert connection.reusable


@pytest.mark.parametrize("answer", [ANSWERS[0].removesuffix(b"c"), ANSWERS[2], b"HTTP/1.1 200 OK\r\n\r\nabc"])
async def test_a_body_that_is_not_all_here_has_not_come(answer: bytes) -> None:
    async with answering(answer) as connection:
        assert connection.body_that_came(await connection.ask("GET", "/", (), None, math.inf)) is None
        assert not connection.reusable


async def test_the_answer_to_head_has_no_body() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n") as connection:
        assert await ask(connection, "HEAD") == (200, b"")
        assert connection.reusable


@pytest.mark.parametrize(
    "answer",
    [
        ANSWERS[0] + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
async def test_such_a_connection_carries_no_second_request(answer: bytes) -> None:
    """A second answer that nobody asked for would be taken for that to somebody else's request."""
    async with answering(answer) as connection:
        await ask(connection)
        assert not connection.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n folded: y\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5000,
    ],
)
async def test_what_two_readers_could_read_in_two_ways_is_refused(answer: bytes) -> None:
    async with answering(answer) as connection:
        with pytest.raises(NotHttp):
            await ask(connection)
        assert not connection.reusable


async def test_a_line_break_in_a_header_is_never_sent() -> None:
    async with answering(b"") as connection:
        with pytest.raises(ValueError, match="line break"):
            await connection.ask("GET", "/", (("X", "a\r\nX-Road-Client: forged"),), None, math.inf)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", ANSWERS[0].removesuffix(b"c")])
async def test_who_says_no_more_is_waited_for_no_longer(answer: bytes) -> None:
    async with answering(answer) as connection:
        with pytest.raises(TimeoutError):
            await ask(connection, seconds=0.05)
    async with answering(answer, keep_open=False) as connection:
        with pytest.raises(BrokenOff):
            await ask(connection)


async def test_a_large_body_waits_at_the_other_side() -> None:
    """Else a fast service would fill this node's memory while its answer goes to the disk."""
    size = 40 * WAITING_BYTES
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    async with answering(answer) as connection:
        head = await connection.ask("GET", "/", (), None, math.inf)
        await asyncio.sleep(0.05)
        largest = taken = 0
        async for piece in connection.body(head, math.inf):
            largest, taken = max(largest, len(piece)), taken + len(piece)
            await asyncio.sleep(0)
        assert taken == size
        assert largest <= 3 * WAITING_BYTES


LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"Content-Length: 3", b"Content-Length: 4", b"X:", b"X: \xff", b" y", b"", b"\r", b"\x00"]
)


@given(st.lists(LINES | st.binary(max_size=20), max_size=8), st.sampled_from([b"\r\n", b"\n"]))
def test_whatever_comes_is_a_head_or_refused(lines: list[bytes], line_break: bytes) -> None:
    try:
        head = parse_head(line_break.join([*lines, b"", b""]))
    except NotHttp:
        return
    lengths = {value for name, value in head.headers if name.lower() == "content-length"}
    assert 100 <= head.status <= 599
    assert len(lengths) <= 1
    assert not any("\n" in value or ":" in name for name, value in head.headers)
