"""``make bench``: a 1 KB JSON POST through consumer and provider, next to two baselines.

The baselines are the bare backend and plain mutual-TLS proxies. All are measured in one run, in turns of a second or
two, so that ratios hold when the machine's speed drifts: what comes and goes within seconds meets both. The ratio of a
key type is the lowest of those at 1, 16 and 64 connections: throughput of the bus to throughput of the plain proxies.
"""

import argparse
import asyncio
import json
import platform
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import bus, plain
from bench.measure import Figures, Target, measure, together
from pki.token import KeyType

CONNECTIONS = (1, 16, 64)
BODY = json.dumps({"text": "ក" * 160, "filler": "x" * 320}).encode().ljust(1024)
TURNS = 4
WANTED = {"ec_p256": 0.20, "rsa_2048": 0.15}
KEY_TYPES: dict[str, KeyType] = {"ec_p256": "ec-p256", "rsa_2048": "rsa-2048"}
REPORT = Path(__file__).parent / "out" / "report.json"


async def run(seconds: float) -> dict[str, Any]:
    """Measure everything and return the report."""
    with tempfile.TemporaryDirectory(prefix="spean-bench-") as folder:
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(plain.backend())
            proxies = await stack.enter_async_context(plain.proxies(Path(folder) / "plain", backend))
            rows = await _rows([backend], seconds)
            ratios = {}
            for name, key_type in KEY_TYPES.items():
                service = f"http://{backend.host}:{backend.port}/echo"
                async with bus.running(Path(folder) / name, key_type, service) as target:
                    pair = await _rows([proxies, target], seconds)
                rows += pair
                ratios[name] = _lowest_ratio(pair, proxies, target)
    return {
        "ratios": ratios,
        "wanted": WANTED,
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
        "seconds_each": seconds,
        "figures": [asdict(row) for row in rows],
    }


async def _rows(targets: list[Target], seconds: float) -> list[Figures]:
    rows = []
    for connections in CONNECTIONS:
        taken: dict[str, list[Figures]] = {target.name: [] for target in targets}
        for turn in range(TURNS):
            # Each second time the other way round: none is always the one that comes after the other.
            for target in targets[:: -1 if turn % 2 else 1]:
                taken[target.name].append(await measure(target, BODY, connections, seconds / TURNS))
        for figures in taken.values():
            rows.append(together(figures))
            print(_line(rows[-1]), flush=True)
    return rows


def _lowest_ratio(rows: list[Figures], plain_target: Target, bus_target: Target) -> float:
    speed = {(row.target, row.connections): row.requests_per_second for row in rows}
    ratios = (speed[bus_target.name, each] / speed[plain_target.name, each] for each in CONNECTIONS)
    return round(min(ratios), 3)


def _line(row: Figures) -> str:
    return (
        f"{row.target:26} {row.connections:3} connections {row.requests_per_second:9.1f} requests/s"
        f"   p50 {row.p50_ms:8.2f} ms   p99 {row.p99_ms:8.2f} ms   cpu {row.cpu_ms_per_exchange:7.3f} ms"
        + (f"   {row.failures} FAILED" if row.failures else "")
    )


def main() -> int:
    """Measure, print, write the report; 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="for each measurement, in four turns; default %(default)s"
    )
    report = asyncio.run(run(parser.parse_args().seconds))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    for name, ratio in report["ratios"].items():
        print(
            f"{name}: {ratio:.1%} of the plain proxies' throughput at the worst of the levels; "
            f"wanted: {WANTED[name]:.0%}"
        )
    print(f"Written to {REPORT}")
    return 1 if any(row["failures"] for row in report["figures"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
