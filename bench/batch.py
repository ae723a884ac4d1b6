"""``python -m bench.batch``: exchanges with tokens that take 100 ms a signature, one by one and 64 at once.

Both servers have such a token. Without batch signatures neither could carry more than ten exchanges a second, and one
exchange after the other takes two signatures. What is reported is the throughput at 64 connections to that of one.
"""

import argparse
import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import bus, plain
from bench.measure import measure

CONNECTIONS = (1, 64)
WANTED = 20.0
BODY = json.dumps({"text": "ក" * 160, "filler": "x" * 320}).encode().ljust(1024)
REPORT = Path(__file__).parent / "out" / "batch.json"


async def run(token_seconds: float, seconds: float) -> dict[str, Any]:
    """Measure and return the report."""
    with tempfile.TemporaryDirectory(prefix="spean-bench-") as folder:
        async with AsyncExitStack() as stack:
            backend = await stack.enter_async_context(plain.backend())
            service = f"http://{backend.host}:{backend.port}/echo"
            running = bus.running(Path(folder) / "bus", "ec-p256", service, token_seconds=token_seconds)
            target = await stack.enter_async_context(running)
            rows = [await measure(target, BODY, connections, seconds) for connections in CONNECTIONS]
    one, many = (row.requests_per_second for row in rows)
    return {
        "token_seconds": token_seconds,
        "ratio": round(many / one, 1),
        "ratio_to_the_token": round(many * token_seconds, 1),
        "wanted": WANTED,
        "figures": [asdict(row) for row in rows],
    }


def main() -> int:
    """Measure, print, write the report; 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="bench.batch", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each measurement; default %(default)s")
    parser.add_argument("--token", type=float, default=0.1, help="seconds that a signature takes; default %(default)s")
    arguments = parser.parse_args()
    report = asyncio.run(run(arguments.token, arguments.seconds))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    for row in report["figures"]:
        print(
            f"{row['connections']:3} connections {row['requests_per_second']:8.1f} exchanges/s   "
            f"p50 {row['p50_ms']:8.2f} ms   p99 {row['p99_ms']:8.2f} ms"
        )
    print(
        f"64 at once: {report['ratio']} times the rate of one by one (wanted: {WANTED:.0f}), and "
        f"{report['ratio_to_the_token']} times what a token signs. Written to {REPORT}"
    )
    return 1 if any(row["failures"] for row in report["figures"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
