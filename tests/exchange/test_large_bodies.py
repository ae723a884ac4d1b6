"""A body of 1 GiB passes in each direction through two real nodes, whose memory stays where it was."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest
from aiohttp import web

from bench.bus import Bus, brought_up
from spean.sandbox.plan import MOP, NSAF
from spean.sandbox.processes import last_lines
from tests.support.little import http_server
from tests.support.memory import Watched, resident
from tests.support.memorydisk import place_for

GIBIBYTE = 1024**3
PIECE = bytes(range(256)) * 1024  # 256 KiB
ALLOWED = 64 * 1024**2
IDLE = 120 * 10**6


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(GIBIBYTE // len(PIECE)):
        yield PIECE


async def counted(stream: aiohttp.StreamReader) -> int:
    return sum([len(piece) async for piece in stream.iter_any()])


async def give_as_much(request: web.BaseRequest) -> web.StreamResponse:
    """A service that reads all, then answers with as much."""
    answer = web.StreamResponse(headers={"X-Received": str(await counted(request.content))})
    answer.content_length = GIBIBYTE if "large" in request.raw_path else 0
    await answer.prepare(request)
    if answer.content_length:
        async for piece in pieces():
            await answer.write(piece)
    return answer


@asynccontextmanager
async def bus_with_service(folder: Path) -> AsyncIterator[Bus]:
    async with (
        http_server(give_as_much, "127.0.0.1") as port,
        brought_up(folder, f"http://127.0.0.1:{port}", service_seconds=300) as bus,
    ):
        yield bus


async def exchange(bus: Bus, session: aiohttp.ClientSession, path: str, body: AsyncIterator[bytes]) -> tuple[int, int]:
    async with session.post(bus.url + path, headers=bus.headers, data=body) as answer:
        logs = [last_lines(bus.layout.log(each.key)) for each in (MOP, NSAF)]
        assert answer.status == 200, [await answer.text(), *logs]
        return int(answer.headers["X-Received"]), await counted(answer.content)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is gone after the test: pytest may keep its own, and this one holds some six gibibytes."""
    with TemporaryDirectory(prefix="spean-large-", dir=place_for(8 * GIBIBYTE)) as name:
        yield Path(name) / "bus"


async def little() -> AsyncIterator[bytes]:
    yield PIECE * 4


@pytest.mark.timeout(360)
async def test_a_gibibyte_each_way_needs_little_memory(folder: Path) -> None:
    timeout = aiohttp.ClientTimeout(total=300)
    async with bus_with_service(folder) as bus, aiohttp.ClientSession(timeout=timeout) as session:
        assert all(resident(bus.process(each).pid) < IDLE for each in (MOP, NSAF))
        for _ in range(3):  # what any first exchange loads and keeps is not the body's
            await exchange(bus, session, "/small", little())
        nodes = {each.key: bus.process(each).pid for each in (MOP, NSAF)}
        before = {name: resident(pid) for name, pid in nodes.items()}
        watched = Watched(nodes)
        async with asyncio.timeout(300), watched.sampling():
            assert await exchange(bus, session, "/large", pieces()) == (GIBIBYTE, GIBIBYTE)
        more = {name: watched.peak[name] - before[name] for name in nodes}
        assert all(grown <= ALLOWED for grown in more.values()), more
