"""Reads rows of CSV files and workbooks: line number and cells, with headers in any script.

It never guesses at cells: what a column's type does not allow is a :class:`BadRow`. :mod:`adapters.source.workbooks`
opens the workbooks, and :mod:`adapters.source.fileindex` puts the good rows where queries find them.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from adapters.source.filesdefinition import Column, FilesDefinition
from adapters.source.workbooks import FileProblem, Unstored, rows_of_sheet

__all__ = ["BadRow", "FileProblem", "Row", "Unstored", "header_places", "header_text", "read_cell", "rows_of"]

MAX_FILE_BYTES: Final = 200 * 1024 * 1024  # a million pupils as CSV
_ERRORS: Final = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"})
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_REPLACED: Final = "\ufffd"  # what a decoder writes where bytes are no text
_MARK_BYTES: Final = 3
_HIGH_BYTES: Final = frozenset({0x00, 0x17})  # of ASCII and Khmer characters in UTF-16; no text in UTF-8 begins so
_KHMER_DIGITS: Final = {0x17E0 + digit: str(digit) for digit in range(10)}
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,10})?", re.ASCII)
_INVISIBLE: Final = dict.fromkeys((0x200B, 0x200C, 0x200D, 0xFEFF))

Cells = Sequence[Any]
Value = str | int | float | None


class BadRow(Exception):  # noqa: N818  # what is wrong with one row
    """One row cannot be read; names the column and the reason, never the value."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: its cells, or why they cannot be read."""

    line: int
    cells: Cells
    problem: BadRow | None = None


def rows_of(definition: FilesDefinition, path: Path) -> Iterator[Row]:
    """Yield all rows, the header's among them, empty ones left out; raises :class:`FileProblem`."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise FileProblem(f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
    rows = _xlsx_rows(definition, path) if definition.xlsx else _csv_rows(definition, path)
    return (row for row in rows if row.problem is not None or any(cell not in (None, "") for cell in row.cells))


def header_places(definition: FilesDefinition, cells: Cells) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return where each declared column stands, and the headers that the source file does not mention.

    Raises:
        FileProblem: a declared header is not there, or stands twice.
    """
    found = [header_text(cell) for cell in cells]
    places: dict[str, int] = {}
    for column in definition.columns:
        wanted = header_text(column.header)
        if found.count(wanted) != 1:
            problem = "is not there" if wanted not in found else "stands twice"
            raise FileProblem(f"the header {column.header!r} {problem} in row {definition.layout.header_row}")
        places[column.name] = found.index(wanted)
    taken = set(places.values())
    return places, tuple(each for place, each in enumerate(found) if each and place not in taken)


def header_text(cell: object) -> str:
    """Return a header as it is compared: without zero-width characters and doubled spaces, composed alike."""
    text = "" if cell is None or isinstance(cell, Unstored) else str(cell)
    return " ".join(unicodedata.normalize("NFC", text).translate(_INVISIBLE).split())


def read_cell(column: Column, cell: Any) -> Value:  # noqa: ANN401  # what a cell of a workbook may hold
    """Return a cell's value in the type of its column, None for an empty one; raises :class:`BadRow`."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, Unstored):
        raise BadRow(column.header, "is a formula without a value: open the file in a spreadsheet program and save it")
    if isinstance(cell, str) and cell in _ERRORS:
        raise BadRow(column.header, "the cell holds an error of the spreadsheet")
    value = _READERS[column.type](cell)
    if value is None:
        raise BadRow(column.header, f"is not {_NAMES[column.type]}")
    return value


def _xlsx_rows(definition: FilesDefinition, path: Path) -> Iterator[Row]:
    for line, cells in enumerate(rows_of_sheet(path, definition.layout.sheet), 1):
        yield Row(line, cells)


def _csv_rows(definition: FilesDefinition, path: Path) -> Iterator[Row]:
    encoding = definition.layout.encoding
    if encoding == "auto":
        encoding = guess_encoding(path)
    errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline="") as opened:
        reader = csv.reader(opened, delimiter=definition.layout.delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(line, (), BadRow("-", _why_no_line(error)))
                continue
            why = _why_no_text(cells, encoding)
            yield Row(line, cells, None if why is None else BadRow("-", why))


def _why_no_line(error: csv.Error) -> str:
    """Tell the two apart; the library has one error for all."""
    if "field limit" in str(error):
        return f"a cell is longer than {csv.field_size_limit()} characters"
    return "the quotation marks of the line do not match"


def _why_no_text(cells: Sequence[str], encoding: str) -> str | None:
    if any("\0" in cell for cell in cells):
        return "has the character NUL, which no text has"
    bad = any("\udc80" <= each <= "\udcff" or each == _REPLACED for cell in cells for each in cell)
    return f"has bytes that are not {encoding}" if bad else None


def guess_encoding(path: Path) -> str:
    """Tell UTF-8 from UTF-16 by the byte order mark, or by the first character, which is ASCII or Khmer."""
    with path.open("rb") as opened:
        start = opened.read(_MARK_BYTES)
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding
    if start[1:2] and start[1] in _HIGH_BYTES:
        return "utf-16-le"
    return "utf-16-be" if start[:1] and start[0] in _HIGH_BYTES else "utf-8"


def _string(cell: object) -> str | None:
    match cell:
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime() | date():
            return _date(cell)
        case int() | float():
            return str(cell)
        case _:
            return None


def _integer(cell: object) -> int | None:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    text = _digits(cell)
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None


def _decimal(cell: object) -> float | None:
    text = _digits(cell)
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def _digits(cell: object) -> str | None:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    return str(cell).strip().translate(_KHMER_DIGITS)


def _date(cell: object) -> str | None:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    try:
        return date.fromisoformat(cell.strip()).isoformat() if isinstance(cell, str) else None
    except ValueError:
        return None


_READERS: Final = {"string": _string, "integer": _integer, "decimal": _decimal, "date": _date}
_NAMES: Final = {"string": "text", "integer": "a whole number", "decimal": "a number", "date": "a day"}
