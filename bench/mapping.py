"""``python -m bench.mapping``: how long a household of five takes through IDPoor's mapping, and its validation.

With ``--export`` also: a registry of a million people in SQLite, streamed into a file, and the most memory it took.
Names are spelled in two ways, so that normalising Khmer text is part of what is measured.
"""

import argparse
import asyncio
import copy
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import contracts
from adapters.export import Progress, export
from adapters.mapping import CompiledMapping, compile_mapping, load_mapping
from adapters.services import PROGRAMMES
from adapters.source import SqlDefinition, load_source, open_source, read_connection

WANTED_US = 300
PEOPLE = 5
RUNS, CALLS = 40, 50
REPORT = Path(__file__).parent / "out" / "mapping.json"
Row = dict[str, Any]
VILLAGE = {"code": "01020101", "name": "Ou Thum", "name_km": "អូរធំ", "commune": "c", "district": "d", "province": "p"}
SPELLINGS = ("ដារ៉ា", "សុភ័ក្ត្រ", "សុភ័ក្រ្ត", "ចាន់ធី")  # the third is the second, typed in another order


def idpoor() -> tuple[SqlDefinition, CompiledMapping]:
    """Load IDPoor's source and mapping."""
    source = load_source(PROGRAMMES / "idpoor" / "source.yaml")
    assert isinstance(source, SqlDefinition)  # noqa: S101  # a benchmark's own choice of programme
    return source, compile_mapping(load_mapping(PROGRAMMES / "idpoor" / "mapping.yaml"), source.shape)


def household() -> dict[str, Any]:
    """Give a household of five, from the programme's own first case."""
    case = json.loads((PROGRAMMES / "idpoor" / "tests" / "household.json").read_text(encoding="utf-8"))
    record: dict[str, Any] = case["local"]
    someone = record["individuals"][-1]
    while len(record["individuals"]) < PEOPLE:
        record["individuals"].append(copy.deepcopy(someone) | {"uuid": f"p-{len(record['individuals']) + 1}"})
    return record


def microseconds(work: Callable[[], object]) -> float:
    """Give the processor's time for one call, of the quickest of some runs: others may be using the machine."""
    times = []
    for _ in range(RUNS):
        before = time.process_time()
        for _ in range(CALLS):
            work()
        times.append((time.process_time() - before) / CALLS * 1e6)
    return min(times)


def measure() -> dict[str, float]:
    """Map, and map and validate."""
    _source, mapping = idpoor()
    record = household()
    turned = mapping.apply(record)
    contract = mapping.mapping.contract, mapping.mapping.contract_version
    contracts.validate(*contract, turned)
    return {
        "map_us": round(microseconds(lambda: mapping.apply(record)), 1),
        "map_and_validate_us": round(microseconds(lambda: contracts.validate(*contract, mapping.apply(record))), 1),
    }


def fill(path: Path, source: SqlDefinition, households: int) -> None:
    """Write a registry of the tables that the source file names; a column that is not known here is NULL."""
    with closing(sqlite3.connect(path)) as database:
        root, (village,) = source.root, source.ones
        cards, individuals = source.manies
        columns = [root.key, *(each.column for each in root.fields), village.parent]
        numbers = range(households)
        make(database, root.table, columns, (household_row(each) for each in numbers))
        make(database, village.table, [village.key, *(each.column for each in village.fields)], [VILLAGE])
        for many, rows in ((cards, map(card_row, numbers)), (individuals, people(households))):
            columns = [many.key, *many.order, *(each.column for each in many.fields)]
            make(database, many.table, columns, rows)
            database.execute(f"CREATE INDEX {many.table}_of ON {many.table} ({many.key})")
        database.execute(f"CREATE UNIQUE INDEX by_key ON {root.table} ({root.key})")
        database.commit()


def make(database: sqlite3.Connection, table: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Make a table of text and fill it."""
    names = list(dict.fromkeys(columns))
    database.execute(f"CREATE TABLE {table} ({', '.join(names)})")
    places = ", ".join("?" * len(names))
    values = ([row.get(each) for each in names] for row in rows)
    database.executemany(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608  # our own names


def household_row(number: int) -> Row:
    """Give a household."""
    levels = ("POOR_1", "POOR_2", "NEAR_POOR")
    level, uuid = levels[number % len(levels)], f"h-{number:07}"
    return {"uuid": uuid, "poverty_status": level, "village_code": VILLAGE["code"], "interview_date": "2026-01-01"}


def card_row(number: int) -> Row:
    """Give its card."""
    dates = {"create_date": "2025-01-10", "valid_until": "2028-01-09"}
    return {"card_no": f"010201-{number:07}", "household_uuid": f"h-{number:07}"} | dates


def people(households: int) -> Iterator[Row]:
    """Give five people for each household; one household in a thousand has a person of an unknown relation."""
    for number in range(households):
        for seq in range(PEOPLE):
            unknown = number % 1000 == 1 and seq == 1
            identity = f"{number * PEOPLE + seq:09}"
            yield {
                "household_uuid": f"h-{number:07}",
                "seq": seq,
                "uuid": f"p-{identity}",
                "surname": "សុខ",
                "name": SPELLINGS[(number + seq) % len(SPELLINGS)],
                "dob": f"{1950 + (number + seq) % 70}-05-20",
                "gender": "MF"[seq % 2],
                "relation_to_head": "HEAD" if seq == 0 else "LODGER" if unknown else "SON",
                "khmer_id": identity,
            }


async def measure_export(folder: Path, households: int) -> dict[str, Any]:
    """Export a whole registry; memory is what the process has taken at most before and after."""
    definition, mapping = idpoor()
    fill(folder / "idpoor.sqlite", definition, households)
    connection = read_connection({"kind": "sql", "url": "sqlite:///idpoor.sqlite"}, file="bench", folder=folder)
    source = open_source(definition, connection, connections=1)
    marks: list[int] = []

    def tell(progress: Progress) -> None:
        if progress.done % 20_000 == 0:
            marks.append(_megabytes())
            print(f"  {progress.done:,} households, at most {marks[-1]} MB so far", flush=True)

    before = time.perf_counter()
    try:
        found = await export(source, mapping, folder / "out.jsonl", tell)
    finally:
        await source.close()
    seconds = time.perf_counter() - before
    return {
        "people": households * PEOPLE,
        "refused_households": found.refused,
        "seconds": round(seconds, 1),
        "people_per_second": round(households * PEOPLE / seconds),
        "megabytes_after_a_tenth": marks[len(marks) // 10] if marks else _megabytes(),
        "megabytes_at_the_end": _megabytes(),
        "output_megabytes": round((folder / "out.jsonl").stat().st_size / 2**20),
    }


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> int:
    """Measure, print, write the report; 1 when mapping is slower than it may be."""
    parser = argparse.ArgumentParser(prog="bench.mapping", description=__doc__)
    parser.add_argument("--export", type=int, metavar="PEOPLE", help="also export a registry of so many people")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"household_of": PEOPLE, "wanted_us": WANTED_US, **measure()}
    if arguments.export:
        with tempfile.TemporaryDirectory(prefix="spean-bench-") as folder:
            report["export"] = asyncio.run(measure_export(Path(folder), arguments.export // PEOPLE))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return int(report["map_us"] > WANTED_US)


if __name__ == "__main__":
    raise SystemExit(main())
