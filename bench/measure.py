"""Measures one target at one number of connections: throughput, latencies, and processor time of its servers.

It refuses to know what the target is. The load runs in a process of its own, so that the measurer's work is not its.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

from bench.load import Load, Measured

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, and which processes serve them."""

    name: str
    host: str
    port: int
    path: str
    pids: tuple[int, ...]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the report; processor time is that of the target's servers, per request, the load's not counted."""

    target: str
    connections: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_exchange: float
    failures: int


def request_bytes(target: Target, body: bytes) -> bytes:
    """Write the request that is sent again and again."""
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host}:{target.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in target.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def measure(target: Target, body: bytes, connections: int, seconds: float) -> Figures:
    """Drive a target and return what was measured.

    Raises:
        RuntimeError: the load ended with an error.
    """
    load = Load(target.host, target.port, request_bytes(target, body).decode("latin-1"), connections, seconds)
    before = _cpu_seconds(target.pids)
    measured, total = await _drive(load)
    cpu = _cpu_seconds(target.pids) - before
    return Figures(
        target=target.name,
        connections=connections,
        requests_per_second=round(measured.per_second, 1),
        p50_ms=round(measured.p50_ms, 2),
        p99_ms=round(measured.p99_ms, 2),
        cpu_ms_per_exchange=round(cpu * 1000 / total, 3),
        failures=measured.failures,
    )


def together(turns: Sequence[Figures]) -> Figures:
    """Make one row of several turns of the same length: means, the worst turn's p99, all failures."""
    return Figures(
        target=turns[0].target,
        connections=turns[0].connections,
        requests_per_second=round(fmean(each.requests_per_second for each in turns), 1),
        p50_ms=round(fmean(each.p50_ms for each in turns), 2),
        p99_ms=max(each.p99_ms for each in turns),
        cpu_ms_per_exchange=round(fmean(each.cpu_ms_per_exchange for each in turns), 3),
        failures=sum(each.failures for each in turns),
    )


async def _drive(load: Load) -> tuple[Measured, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(asdict(load)).encode())
    if process.returncode:
        raise RuntimeError(f"the load of {load.connections} connections ended with code {process.returncode}")
    answer = json.loads(output)
    total = answer.pop("total")
    return Measured(**answer), total


def _cpu_seconds(pids: tuple[int, ...]) -> float:
    """Return user and system time of processes since their start (proc(5), stat, fields 14 and 15)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_A_SECOND
