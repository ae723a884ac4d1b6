"""Connects to the fastest of several servers: all at once, the first that accepts wins, the others are dropped.

It refuses to know TLS and what is spoken. ``peers`` asks it again with those that are left when a winner turns out
bad.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    winner = await _first(_attempt(address, port, seconds, reasons) for address in addresses)
    if winner is not None:
        return winner
    told = ", ".join(f"{address}:{port} ({reasons[address]})" for address in addresses)
    raise NetworkError(
        f"No security server of the provider accepts connections: {told}. Check this server's way out; "
        "if it is open, the provider's administrator must bring the server back."
    )


async def _first(attempts: Iterable[Coroutine[Any, Any, Winner | None]]) -> Winner | None:
    """Run all at once, give the first that wins and drop the others."""
    tasks: list[asyncio.Task[Winner | None]] = []
    kept: Winner | None = None
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(attempt) for attempt in attempts]
            pending, winners = set(tasks), list[Winner]()
            while pending and not winners:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                winners += [winner for task in done if (winner := task.result()) is not None]
            for task in pending:
                task.cancel()
        kept = winners[0] if winners else None
    finally:  # whoever was cancelled meanwhile keeps none, also not one that had just been won
        for loser in filter(None, map(_won, tasks)):
            if loser is not kept:
                loser.connection.close()
    return kept


def _won(task: asyncio.Task[Winner | None]) -> Winner | None:
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


async def _attempt(address: str, port: int, seconds: float, reasons: dict[str, str]) -> Winner | None:
    """Connect to one server; its name may lead to several places, and one of them may be a hole."""
    loop = asyncio.get_running_loop()
    reasons[address] = "no answer in time"
    try:
        async with asyncio.timeout(seconds):
            places = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
            return await _first(
                _connect(family, kind, target, reasons, address) for family, kind, _, _, target in places
            )
    except TimeoutError:
        return None
    except UnicodeError:  # an empty or overlong label: the authority's mistake, which must not cost the other servers
        reasons[address] = "no host name"
    except OSError as error:
        reasons[address] = error.strerror or "unknown name"
    return None


async def _connect(family: int, kind: int, target: object, reasons: dict[str, str], address: str) -> Winner | None:
    connection: socket.socket | None = None
    try:
        connection = socket.socket(family, kind)
        connection.setblocking(False)  # noqa: FBT003  # the only way that sockets have it
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, target)  # type: ignore[arg-type]  # getaddrinfo's
    except OSError as error:
        reasons[address] = os.strerror(error.errno) if error.errno else type(error).__name__
        _close(connection)
        return None
    except BaseException:
        _close(connection)
        raise
    return Winner(address, connection)


def _close(connection: socket.socket | None) -> None:
    if connection is not None:
        connection.close()
