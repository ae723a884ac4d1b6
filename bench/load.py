"""Drives one HTTP/1.1 endpoint over N kept-alive connections and measures it.

It knows nothing of the bus: it sends the same bytes again and again and times the answers. It is a raw-socket client on
purpose, so that the driver costs little next to what it measures.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field

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


@dataclass(slots=True)
class _Tally:
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    total: int = 0


async def _worker(load: Load, begin: float, end: float, tally: _Tally) -> None:
    reader, writer = await asyncio.open_connection(load.host, load.port, limit=1 << 20)
    request = load.request.encode("latin-1")
    try:
        while (sent := time.perf_counter()) < end:
            writer.write(request)
            good = await _answer(reader)
            now = time.perf_counter()
            tally.total += 1
            if sent >= begin:
                tally.latencies.append((now - sent) * 1000)
                tally.failures += not good
    finally:
        writer.close()


async def drive(load: Load) -> tuple[Measured, int]:
    """Run the load; return what was measured, and how many requests were sent in all.

    Raises:
        OSError: the endpoint does not listen or broke a connection.
    """
    start = time.perf_counter()
    begin, end = start + load.seconds * WARM_UP_SHARE, start + load.seconds
    tally = _Tally()
    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(_worker(load, begin, end, tally))
    latencies = sorted(tally.latencies)
    count = len(latencies)
    if not count:
        raise RuntimeError("no answer within the measured time: make it longer")
    measured = Measured(
        requests=count,
        seconds=end - begin,
        p50_ms=latencies[count // 2],
        p99_ms=latencies[min(count - 1, count * 99 // 100)],
        failures=tally.failures,
    )
    return measured, tally.total


def main() -> None:
    """Read a load as JSON from standard input and print the measurement as JSON."""
    load = Load(**json.load(sys.stdin))
    measured, total = asyncio.run(drive(load))
    print(json.dumps({**asdict(measured), "total": total}))


if __name__ == "__main__":
    main()
