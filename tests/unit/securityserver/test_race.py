"""The race between several servers of one provider."""

import asyncio
import socket
from typing import Any

import pytest

from securityserver.race import Winner, _first, connect_fastest
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


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_given_up_in_the_very_moment_of_a_connection_leaves_none_open(turns: int) -> None:
    (ours, theirs), reached = socket.socketpair(), asyncio.Event()

    async def connected() -> Winner:
        reached.set()
        return Winner("127.77.1.2", ours)

    with ours, theirs:
        async with asyncio.TaskGroup() as group:
            racing = group.create_task(_first(connected() for _ in range(1)))
            for _ in range(turns):
                await asyncio.sleep(0)
            racing.cancel()
        is_left_open = reached.is_set() and ours.fileno() != -1
        assert is_left_open != racing.cancelled() or not reached.is_set()


async def test_when_nobody_accepts_each_reason_is_told() -> None:
    with pytest.raises(NetworkError, match=r"127\.77\.1\.1:9 \(Connection refused\), no\.such\.host\.invalid:9 \("):
        await connect_fastest(("127.77.1.1", "no.such.host.invalid"), 9, 5)


async def test_a_name_that_cannot_be_one_does_not_spoil_the_race() -> None:
    server = await asyncio.start_server(quiet, "127.77.1.2", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        winner = await connect_fastest(("ss1..gov.test", "127.77.1.2"), port, 5)
        winner.connection.close()
    assert winner.address == "127.77.1.2"
    with pytest.raises(NetworkError, match=r"ss1\.\.gov\.test:9 \(no host name\)"):
        await connect_fastest(("ss1..gov.test",), 9, 5)


@pytest.mark.parametrize("first", [(socket.AF_AX25, ("x", 0)), (socket.AF_INET, ("198.51.100.1", 9))])
async def test_each_address_of_a_name_runs_for_itself(monkeypatch: pytest.MonkeyPatch, first: tuple[Any, Any]) -> None:
    """A kernel without IPv6, or a network that swallows it, must not hide the address that works."""
    server = await asyncio.start_server(quiet, "127.77.1.2", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        good = (socket.AF_INET, ("127.77.1.2", port))

        async def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
            return [(family, socket.SOCK_STREAM, 0, "", target) for family, target in (first, good)]

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        connect = loop.sock_connect

        async def swallowing(connection: socket.socket, target: Any) -> None:
            await (asyncio.sleep(60) if target[0] == "198.51.100.1" else connect(connection, target))

        monkeypatch.setattr(loop, "sock_connect", swallowing)
        winner = await connect_fastest(("ss1.example.test",), port, 1)
        assert winner.connection.getpeername() == ("127.77.1.2", port)
        winner.connection.close()
