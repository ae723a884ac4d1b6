"""The race between several servers of one provider."""

import asyncio

import pytest

from securityserver.race import connect_fastest
from xroad.errors import NetworkError


async def quiet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_who_accepts_wins_over_who_does_not() -> None:
    server = await asyncio.start_server(quiet, "127.77.1.2", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        winner = await connect_fastest(("127.77.1.1", "127.77.1.2", "127.77.1.3"), port, 5)
        assert winner.address == "127.77.1.2"
        winner.connection.close()


async def test_when_nobody_accepts_each_reason_is_told() -> None:
    with pytest.raises(NetworkError, match=r"127\.77\.1\.1:9 \(Connection refused\), no\.such\.host\.invalid:9 \("):
        await connect_fastest(("127.77.1.1", "no.such.host.invalid"), 9, 5)
