"""``python -m bench.writing``: what a record costs that another registry sends, from the event to the rows.

It writes into SQLite, 500 events a transaction, with conflicts looked for and everything remembered; signing, log and
HTTP are not in it (``bench.bus`` has those).
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from adapters.events import Event
from tests.support.writing import Registry, event, family, open_registry, person

EVENTS: Final = 500
ROUNDS: Final = 8
WANTED_MS: Final = 0.3
REPORT: Final = Path(__file__).parent / "out" / "writing.json"


def _alone(number: int, size: int) -> Event:
    """A family without its members: as many fields as an address change touches."""
    return event(f"a{size}-{number}", family(f"B{number}", book=str(number), size=size), size)


def _whole(number: int, size: int) -> Event:
    """A family with four members, each with numbers, names and a birth date."""
    people = [person(f"S{number}-{each}", birth=f"199{size}-01-02") for each in range(4)]
    return event(f"w{size}-{number}", family(f"A{number}", people=people, book=str(number), size=4), size)


def _measured(registry: Registry, kind: object, version: int) -> float:
    """Give the processor's milliseconds a record, of the quickest round: others may be using the machine."""
    writer, quickest = registry.writer(), float("inf")
    for start in range(0, EVENTS * ROUNDS, EVENTS):
        events = [kind(number, version) for number in range(start, start + EVENTS)]  # type: ignore[operator]  # one of the two above
        before = time.process_time()
        results = registry.receive(*events, writer=writer)
        quickest = min(quickest, (time.process_time() - before) / EVENTS * 1000)
        if any(each.status.value != "succ" or each.conflicts for each in results):
            raise SystemExit("A record was not applied as it should be.")
    return quickest


def main() -> int:
    """Print what each kind costs; 1 when a record costs more than is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        registry = open_registry(Path(folder), f"sqlite:///{folder}/registry.sqlite")
        found = {
            "new record": _measured(registry, _alone, 1),
            "changed record": _measured(registry, _alone, 2),
            "new family of four": _measured(registry, _whole, 1),
            "changed family of four": _measured(registry, _whole, 2),
        }
        registry.store.database.close()
    for name, cost in found.items():
        print(f"{name:24} {cost:6.3f} ms  {1000 / cost:6.0f} a second")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"most memory {memory:.0f} MB")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"milliseconds": found, "memory_mb": memory}, indent=1))
    return 0 if found["new record"] <= WANTED_MS and found["changed record"] <= WANTED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
