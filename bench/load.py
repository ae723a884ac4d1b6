"""Drives one HTTP/1.1 endpoint over N kept-alive connections and measures it.

It knows nothing of the bus: it sends the same bytes again and again and times the answers. It is a raw-socket client on
purpose, so that the driver costs little next to what it measures.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

WARM_UP_SHARE = 0.2
"""The first fifth of the time is not counted: connections, caches and the processor warm up in it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: a whole request as bytes, to whom, over how many connections, for how many seconds."""

    host: str
    port: int
    request: str
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests counted, seconds they took, latencies in milliseconds, and answers other than 200."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int

    @property
    def per_second(self) -> float:
        """Return requests per second."""
        return self.requests / self.seconds


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
    if length is not None:
        await reader.readexactly(length)
    else:
        while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return lines[0].split(b" ")[1] == b"200"


async def _worker(load: Load, begin: float, end: float, latencies: list[float], failures: list[int]) -> None:
    reader, writer = await asyncio.open_connection(load.host, load.port, limit=1 << 20)
    request = load.request.encode("latin-1")
    try:
        while (sent := time.perf_counter()) < end:
            writer.write(request)
            good = await _answer(reader)
            now = time.perf_counter()
            if sent >= begin:
                latencies.append((now - sent) * 1000)
                failures[0] += not good
    finally:
        writer.close()


async def drive(load: Load) -> Measured:
    """Run the load and return what was measured.

    Raises:
        OSError: the endpoint does not listen or broke a connection.
    """
    start = time.perf_counter()
    begin, end = start + load.seconds * WARM_UP_SHARE, start + load.seconds
    latencies: list[float] = []
    failures = [0]
    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(_worker(load, begin, end, latencies, failures))
    latencies.sort()
    count = len(latencies)
    if not count:
        raise RuntimeError("no answer within the measured time: make it longer")
    return Measured(
        requests=count,
        seconds=end - begin,
        p50_ms=latencies[count // 2],
        p99_ms=latencies[min(count - 1, count * 99 // 100)],
        failures=failures[0],
    )


def main() -> None:
    """Read a load as JSON from standard input and print the measurement as JSON."""
    load = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(asyncio.run(drive(load)))))


if __name__ == "__main__":
    main()
