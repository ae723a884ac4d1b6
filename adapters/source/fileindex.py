"""Puts the rows of one file into a small SQLite database, so that files are searched and read as tables are.

It refuses to stop at a bad row: each is written to a report with its line and reason, and the others are kept.
:mod:`adapters.source.files` decides which file; what is made here is complete or not there at all.
"""

import csv
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.source.filesdefinition import LINE, LINES, OWNER, RECORDS, FilesDefinition
from adapters.source.tablefiles import BadRow, FileProblem, Row, Value, header_places, read_cell, rows_of

_PRIVATE_FOLDER: Final = 0o700  # the index is a copy of personal data
_SQL_TYPES: Final = {"string": "TEXT", "integer": "INTEGER", "decimal": "REAL", "date": "TEXT"}
_REPORT_HEADER: Final = ("file", "line", "column", "reason")


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells a file from itself at another time."""

    name: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileStamp":
        """Look at a file now."""
        found = path.stat()
        return cls(path.name, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class FileReport:
    """How a file was read: rows that are searched, rows that are not, and headers that nobody mentions."""

    file: str
    rows: int
    bad_rows: int
    unmentioned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """The files of one source's index."""

    folder: Path
    name: str

    @property
    def database(self) -> Path:
        """The index itself."""
        return self.folder / f"{self.name}.sqlite"

    @property
    def report(self) -> Path:
        """The bad rows of the file that the index holds."""
        return self.folder / f"{self.name}.bad-rows.csv"


def stored(definition: FilesDefinition, place: IndexPlace) -> tuple[FileStamp, FileReport] | None:
    """Return what the index holds, unless there is none or another source file made it."""
    if not place.database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{place.database.resolve().as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT name, size, modified, made_by, rows, bad, unmentioned FROM made").fetchone()
    except sqlite3.Error:
        return None
    if row is None or row[3] != _fingerprint(definition):
        return None
    return FileStamp(*row[:3]), FileReport(row[0], row[4], row[5], tuple(filter(None, row[6].split("\n"))))


def build(definition: FilesDefinition, place: IndexPlace, path: Path, stamp: FileStamp) -> FileReport:
    """Read a file into the index; the one before stays until this one is whole.

    Raises:
        FileProblem: the file cannot be read as declared, or changed meanwhile.
    """
    place.folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    making, reporting = place.database.with_suffix(".making"), place.report.with_suffix(".making-csv")
    making.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(making, isolation_level=None)) as database,
            reporting.open("w", encoding="utf-8-sig", newline="") as opened,
        ):
            report = _Builder(definition, database, csv.writer(opened)).read(path, stamp)
        if FileStamp.of(path) != stamp:
            raise FileProblem("changed while it was read")
        os.replace(reporting, place.report)  # noqa: PTH105  # says what it does: atomically
        os.replace(making, place.database)  # noqa: PTH105  # as above
    finally:
        making.unlink(missing_ok=True)
        reporting.unlink(missing_ok=True)
    return report


class _Builder:
    """Reads one file into one new database."""

    def __init__(self, definition: FilesDefinition, database: sqlite3.Connection, report: Any) -> None:  # noqa: ANN401  # csv names no type for its writer
        self._definition, self._database, self._report = definition, database, report
        self._insert = _insert(RECORDS, definition)
        self._insert_line = _insert(LINES, definition, OWNER)
        self._find = f"SELECT {LINE} FROM {RECORDS} WHERE {definition.key.name} = ?"  # noqa: S608  # our own names
        self._rows = self._bad = 0

    def read(self, path: Path, stamp: FileStamp) -> FileReport:
        """Make tables, fill them, make indexes, and say of which file."""
        database = self._database
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")  # it is whole before it is given its name, and can be made again
        database.execute("BEGIN")
        for statement in _tables(self._definition):
            database.execute(statement)
        unmentioned = self._fill(path)
        for statement in _indexes(self._definition):
            database.execute(statement)
        made = (stamp.name, stamp.size, stamp.modified_ns, _fingerprint(self._definition), self._rows, self._bad)
        database.execute("INSERT INTO made VALUES (?, ?, ?, ?, ?, ?, ?)", (*made, "\n".join(unmentioned)))
        database.execute("COMMIT")
        return FileReport(path.name, self._rows, self._bad, unmentioned)

    def _fill(self, path: Path) -> tuple[str, ...]:
        self._report.writerow(_REPORT_HEADER)
        rows = rows_of(self._definition, path)
        header = next((row for row in rows if row.line >= self._definition.layout.header_row), None)
        if header is None or header.line != self._definition.layout.header_row or header.problem is not None:
            raise FileProblem(f"has no headers in row {self._definition.layout.header_row}")
        places, unmentioned = header_places(self._definition, header.cells)
        for row in rows:
            try:
                self._put(row, places)
                self._rows += 1
            except BadRow as problem:
                self._bad += 1
                self._report.writerow((path.name, row.line, problem.column, problem.reason))
        return unmentioned

    def _put(self, row: Row, places: dict[str, int]) -> None:
        if row.problem is not None:
            raise row.problem
        values = list(self._values(row, places))
        key = self._definition.key
        value = values[self._definition.columns.index(key)]
        if value is None:
            raise BadRow(key.header, "is empty, and the record cannot be found without it")
        found = self._database.execute(self._find, (value,)).fetchone()
        if found is None:
            self._database.execute(self._insert, (row.line, *values))
        elif not self._definition.many:
            raise BadRow(key.header, f"stands already in line {found[0]}")
        if self._definition.many:
            owner = row.line if found is None else found[0]
            self._database.execute(self._insert_line, (row.line, owner, *values))

    def _values(self, row: Row, places: dict[str, int]) -> Iterator[Value]:
        for column in self._definition.columns:
            place = places[column.name]
            yield read_cell(column, row.cells[place] if place < len(row.cells) else None)


def _tables(definition: FilesDefinition) -> Iterator[str]:
    columns = ", ".join(f"{each.name} {_SQL_TYPES[each.type]}" for each in definition.columns)
    yield f"CREATE TABLE {RECORDS} ({LINE} INTEGER PRIMARY KEY, {columns})"
    # Each line looks its key up, so that this index is made first.
    yield f"CREATE UNIQUE INDEX record_key ON {RECORDS} ({definition.key.name})"
    if definition.many:
        yield f"CREATE TABLE {LINES} ({LINE} INTEGER PRIMARY KEY, {OWNER} INTEGER, {columns})"
    yield "CREATE TABLE made (name, size, modified, made_by, rows, bad, unmentioned)"


def _indexes(definition: FilesDefinition) -> Iterator[str]:
    for number, column in enumerate(sorted({each.column for each in definition.attributes.values() if each.selective})):
        yield f"CREATE INDEX selective_{number} ON {RECORDS} ({column})"
    if definition.many:
        yield f"CREATE INDEX line_owner ON {LINES} ({OWNER})"


def _insert(table: str, definition: FilesDefinition, *more: str) -> str:
    names = [LINE, *more, *(each.name for each in definition.columns)]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  # our own names


def _fingerprint(definition: FilesDefinition) -> str:
    """Tell whether a source file of today would make the same index."""
    selective = sorted(each.column for each in definition.attributes.values() if each.selective)
    said = repr((definition.layout, definition.columns, definition.key, definition.many, selective))
    return hashlib.sha256(said.encode()).hexdigest()
