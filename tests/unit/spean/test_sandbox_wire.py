"""The wire of the demonstration carries bytes as they are, and changes exactly what the attacker wants."""

import asyncio
import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spean.sandbox.wire import ReplaceOnce, Wire


@given(st.lists(st.binary(max_size=8)), st.lists(st.integers(0, 40)))
def test_replaces_the_same_bytes_wherever_the_stream_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces) + b"level:POOR_1;" + b"".join(pieces) + b"POOR_1"
    edges = sorted({0, *(cut % len(whole) for cut in cuts), len(whole)})
    replace = ReplaceOnce(b"POOR_1", b"POOR_2")
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert b"".join(map(replace, [*chunks, b""])) == whole.replace(b"POOR_1", b"POOR_2", 1)
    assert replace.done


class Echo:
    """Sends back what it gets; ``ended`` when its connection has ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1024):
            writer.write(chunk)
        await closed(writer)
        self.ended.set()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def connected(wire: Wire) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert wire._server is not None
    return await asyncio.open_connection(*wire._server.sockets[0].getsockname()[:2])


async def test_carries_bytes_and_cuts_connections_when_it_closes() -> None:
    echo = Echo()
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as backend:
        wire = Wire(("127.0.0.1", 0), backend.sockets[0].getsockname()[:2])
        await wire.carry()
        reader, writer = await connected(wire)
        writer.write(b"over the bridge")
        assert await reader.readexactly(15) == b"over the bridge"
        await wire.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await closed(writer)
        await echo.ended.wait()


async def test_a_caller_is_cut_when_nobody_is_at_the_other_end() -> None:
    async with await asyncio.start_server(Echo(), "127.0.0.1", 0) as gone:
        target = gone.sockets[0].getsockname()[:2]
    wire = Wire(("127.0.0.1", 0), target)
    await wire.carry()
    reader, writer = await connected(wire)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    await closed(writer)
    await wire.close()
