"""Writes registers as SQLite databases, and beside them, apart, the truth of whom each record is about.

It refuses to overwrite: a file under its final name is always complete. The registers of the synthetic population are
written with it.
"""

import csv
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

TRUTH: Final = "truth"

Row = tuple[object, ...]
Truth = Iterable[tuple[str, int]]
"""Local key of a record about a person, and the person's number."""


def refuse_existing(path: Path) -> Path:
    """Give the path of a register that is to be written.

    Raises:
        FileExistsError: there is one already.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists; remove it or choose another directory")
    return path


def write_database(path: Path, schema: str, indexes: str, rows: Mapping[str, Sequence[Row]]) -> None:
    """Build beside the final name and rename."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as database:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + schema)
        for table, content in rows.items():
            if content:
                marks = ", ".join("?" * len(content[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", content)  # noqa: S608  # names of our own schema
        database.executescript("BEGIN;" + indexes + "COMMIT; ANALYZE;")
        database.execute("PRAGMA journal_mode = WAL")  # whoever reads holds up nobody who writes
    unfinished.replace(path)


def write_truth(directory: Path, register: str, truth: Truth) -> None:
    """Write ``truth/REGISTER.csv``: what no institution knows, for tests of matching."""
    folder = directory / TRUTH
    folder.mkdir(exist_ok=True)
    with (folder / f"{register}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("local_key", "person"))
        writer.writerows(truth)


def read_truth(directory: Path, register: str) -> dict[str, int]:
    """Read the person's number for each local key of a register."""
    with (directory / TRUTH / f"{register}.csv").open(newline="") as file:
        return {row["local_key"]: int(row["person"]) for row in csv.DictReader(file)}
