"""Connects to the fastest of several servers: all at once, the first that accepts wins, the others are dropped.

It refuses to know TLS and what is spoken. ``peers`` asks it again with those that are left when a winner turns out
bad.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from xroad.errors import NetworkError


@dataclass(frozen=True, slots=True)
class Winner:
    """A connected socket and the address that it leads to."""

    address: str
    connection: socket.socket


async def connect_fastest(addresses: Sequence[str], port: int, seconds: float) -> Winner:
    """Open a TCP connection to the address that accepts first.

    Raises:
        NetworkError: none accepted within the time; the detail names each address with its reason.
    """
    reasons: dict[str, str] = {}
    winners: list[Winner] = []
    async with asyncio.TaskGroup() as group:
        pending = {group.create_task(_attempt(address, port, seconds, reasons)) for address in addresses}
        while pending and not winners:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            winners += [winner for task in done if (winner := task.result()) is not None]
        for task in pending:
            task.cancel()
    for loser in winners[1:]:
        loser.connection.close()
    if winners:
        return winners[0]
    told = ", ".join(f"{address}:{port} ({reasons[address]})" for address in addresses)
    raise NetworkError(
        f"No security server of the provider accepts connections: {told}. Check this server's way out; "
        "if it is open, the provider's administrator must bring the server back."
    )


async def _attempt(address: str, port: int, seconds: float, reasons: dict[str, str]) -> Winner | None:
    loop = asyncio.get_running_loop()
    reasons[address] = "no answer in time"
    try:
        async with asyncio.timeout(seconds):
            for family, kind, protocol, _, target in await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM):
                connection = await _connect(loop, socket.socket(family, kind, protocol), target, reasons, address)
                if connection is not None:
                    return Winner(address, connection)
    except (TimeoutError, OSError) as error:
        reasons[address] = reasons[address] if isinstance(error, TimeoutError) else error.strerror or "unknown name"
    return None


async def _connect(
    loop: asyncio.AbstractEventLoop, connection: socket.socket, target: object, reasons: dict[str, str], address: str
) -> socket.socket | None:
    connection.setblocking(False)  # noqa: FBT003  # the only way that sockets have it
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await loop.sock_connect(connection, target)  # type: ignore[arg-type]  # what getaddrinfo gave
    except OSError as error:
        reasons[address] = os.strerror(error.errno) if error.errno else type(error).__name__
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection
