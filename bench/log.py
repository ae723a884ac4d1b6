"""``python -m bench.log``: how fast auditors find records among ten million, on SQLite and on PostgreSQL.

It refuses to search by itself: it asks as ``spean log list`` does. Each search gets a connection of its own. The first
answer on it is told apart, for PostgreSQL then reads what it must know of each day's tables; of the next twenty, with
other values, the slowest counts. PostgreSQL is measured when ``pg_ctl`` is there, on a server of its own.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench import records as made
from securityserver.messagelog import search
from securityserver.messagelog.search import Wanted
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.postgres import programs, running_server

REPORT: Final = Path(__file__).parent / "out" / "log.json"
REPEATED: Final = 20
MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Search:
    """What to measure, and how long it may take; `None` where nothing was promised."""

    name: str
    wanted: Callable[[int], Wanted]
    allowed_ms: float | None


# Primes far apart: each repetition asks for another exchange, day or officer.
SEARCHES: Final = (
    Search("one message id", lambda turn: Wanted(query_id=made.query_id(turn * 97_561)), 50),
    Search("one request id", lambda turn: Wanted(request_id=made.request_id(turn * 91_193)), 50),
    Search("newest 50 of a busy client", lambda _: Wanted(client=made.BUSY), 100),
    Search("newest 50 of a rare client", lambda _: Wanted(client=made.RARE), 100),
    Search("newest 50 of a service", lambda _: Wanted(service=made.SERVICE), None),
    Search("newest 50 of a user", lambda turn: Wanted(user_id=f"officer-{turn * 10 + 1}"), None),
    Search("one issue", lambda turn: Wanted(issue=f"case-{turn * 100 + 1}"), None),
    Search("newest 50 that failed", lambda _: Wanted(outcome="failed"), None),
    Search("newest 50", lambda _: Wanted(), None),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the report; `first_ms` is on a new connection, `far_page_ms` from the middle of all that fits."""

    engine: str
    records: int
    search: str
    found: int
    first_ms: float
    slowest_ms: float
    far_page_ms: float
    allowed_ms: float | None

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.allowed_ms is None or max(self.slowest_ms, self.far_page_ms) < self.allowed_ms


def run(count: int, url: str) -> Iterator[Figures]:
    """Fill a database and measure each search."""
    begun = time.monotonic()
    with closing(open_node_database(url)) as database:
        _fill(database, count)
    engine = url.partition(":")[0].partition("+")[0]
    print(f"{engine}: {count} records made in {time.monotonic() - begun:.0f} s", flush=True)
    for each in SEARCHES:
        with closing(open_node_database(url)) as database:
            yield _measured(database, engine, count, each)


def _fill(database: Database, count: int) -> None:
    indexes = made.prepare(database)
    for low in range(0, count, made.BATCH):
        with database.transaction() as connection:
            made.fill(connection, low, min(low + made.BATCH, count), count)
    made.finish(database, indexes)


def _measured(database: Database, engine: str, count: int, each: Search) -> Figures:
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))  # to connect is no part of a search
    page, first = _timed(database, each.wanted(0), None)
    found, slowest = len(page.found), 0.0
    for turn in range(1, REPEATED + 1):
        page, milliseconds = _timed(database, each.wanted(turn), None)
        found, slowest = max(found, len(page.found)), max(slowest, milliseconds)
    middle = search.Place(made.FIRST_TIME + made.DAYS * made.DAY_MILLISECONDS // 2, count // 2)
    _, far = _timed(database, each.wanted(0), middle)
    return Figures(engine, count, each.name, found, round(first, 1), round(slowest, 1), round(far, 1), each.allowed_ms)


def _timed(database: Database, wanted: Wanted, after: search.Place | None) -> tuple[search.Page, float]:
    begun = time.perf_counter()
    page = search.find(database, wanted, after=after)
    return page, (time.perf_counter() - begun) * MILLISECONDS


def _line(row: Figures) -> str:
    promise = "" if row.allowed_ms is None else f"   {'under' if row.kept else 'NOT UNDER'} {row.allowed_ms:.0f} ms"
    return (
        f"{row.engine:10}  {row.search:27} {row.found:3} found   first {row.first_ms:6.1f} ms"
        f"   slowest of {REPEATED} {row.slowest_ms:6.1f} ms   far page {row.far_page_ms:6.1f} ms{promise}"
    )


def main() -> int:
    """Measure, print, write the report; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="bench.log", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000, help="how many; default %(default)s")
    wanted = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="spean-bench-log-") as folder:
        for row in _everywhere(wanted.records, Path(folder)):
            rows.append(row)
            print(_line(row), flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    print(f"Written to {REPORT}")
    return 0 if all(row.kept for row in rows) else 1


def _everywhere(count: int, folder: Path) -> Iterator[Figures]:
    yield from run(count, f"sqlite:///{folder / 'node.db'}")
    binaries = programs()
    if binaries is None:
        print("PostgreSQL is not measured: pg_ctl is not here (Debian: postgresql).")
        return
    with running_server(binaries) as server:
        yield from run(count, server.new_database())


if __name__ == "__main__":
    raise SystemExit(main())
