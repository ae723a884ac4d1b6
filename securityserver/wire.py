"""One connection that this node opened: what has come in and is not read yet, and whether more may be written.

It refuses to know what the bytes mean. ``httpclient`` speaks HTTP over it; a wait costs one timer and no task.
"""

import asyncio
from typing import Final

# Above it the other side is made to wait until what came has been read.
WAITING_BYTES: Final = 256 * 1024


class Wire(asyncio.Protocol):
    """The bytes of one connection; one reader and one writer at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        # Nothing more comes in; and why, when it was no orderly end.
        self.ended = False
        self.failure: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._held, self._full = False, False

    @property
    def transport(self) -> asyncio.Transport:
        """What the event loop made of the connection."""
        if self._transport is None:
            raise AssertionError("the connection has not been made")
        return self._transport

    @property
    def listening(self) -> bool:
        """Whether the other side is there, and has said nothing that was not asked for."""
        return not (self.ended or self.buffer or self.transport.is_closing())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, as all of those below."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream's transport is needed")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self.buffer += data
        if len(self.buffer) > WAITING_BYTES and not self._held:
            self._held = True
            self.transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> None:
        """Note that nothing more comes; the transport closes."""
        self.ended = True
        _wake(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more comes nor goes."""
        self.ended, self.failure = True, exc or self.failure
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Note that the other side does not take as much as is written."""
        self._full = True

    def resume_writing(self) -> None:
        """Note that it has caught up."""
        self._full = False
        _wake(self._writer)

    async def more(self, until: float) -> None:
        """Wait for more bytes, or for the end.

        Args:
            until: by the loop's clock.

        Raises:
            TimeoutError: nothing came.
        """
        if self.ended:
            return
        if self._held:
            self._held = False
            self.transport.resume_reading()
        loop = asyncio.get_running_loop()
        waiting = self._reader = loop.create_future()
        timer = loop.call_at(until, _expire, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
            self._reader = None

    async def drained(self) -> None:
        """Wait until the other side has taken most of what was written.

        Raises:
            ConnectionError: it never will.
        """
        if self._full and not self.ended:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self.transport.is_closing():
            raise ConnectionResetError("the other side closed the connection")


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _expire(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())
