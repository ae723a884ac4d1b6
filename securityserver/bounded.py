"""Reads a stream to its end, up to a limit.

It refuses to know what is read and why. Every fetcher of small documents in the node goes through it.
"""

from aiohttp import StreamReader


async def read_bounded(stream: StreamReader, limit: int) -> bytes:
    """Read all of a stream.

    Raises:
        ValueError: it is longer than ``limit`` bytes.
    """
    data = bytearray()
    async for chunk in stream.iter_any():
        data += chunk
        if len(data) > limit:
            raise ValueError(f"longer than {limit} bytes")
    return bytes(data)
