"""Proposes a source of files from one workbook or CSV file with headers.

It refuses to copy the file: the new folder gets an empty inbox, in which such files are to be dropped.
The first row with at least two texts is taken as the headers; a column of numbers without a repetition as the key.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from adapters.errors import ConfigError
from adapters.source.filesdefinition import Column, FilesDefinition, files_definition
from adapters.source.tablefiles import FileProblem, Row, Unstored, header_text, rows_of
from adapters.starting.proposal import Proposal
from adapters.starting.vocabulary import latin_name

LOOKED_AT: Final = 200
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"(^|_)(no|id|number|code|uuid|card)$|id$|no$")
_ROW: Final = "row_no"
_NO_KEYS: Final = frozenset({_ROW, "house_no", "village_code", "school_code"})
_DELIMITERS: Final = (",", ";", "\t", "|")


def from_table_file(path: Path) -> Proposal:
    """Read the headers and some rows; raises :class:`ConfigError` when there are none."""
    suffix = path.suffix.lower()
    if suffix not in {".xlsx", ".csv"}:
        raise ConfigError(str(path), "--from-xlsx", "is a file that ends with .xlsx or .csv")
    delimiter = "," if suffix == ".xlsx" else _delimiter(path)
    rows = _rows(path, delimiter)
    header = next((row for row in rows if sum(isinstance(cell, str) and bool(cell) for cell in row.cells) > 1), None)
    if header is None:
        raise ConfigError(str(path), "--from-xlsx", "has no row of headers")
    names = [header_text(cell) for cell in header.cells]
    places = [place for place, name in enumerate(names) if name and names.count(name) == 1]
    body = [row.cells for row in rows if row.line > header.line]
    values = {names[place]: [_plain(row[place]) for row in body if place < len(row)] for place in places}
    paths = dict(zip(values, _paths(list(values)), strict=True))
    key = _key({paths[name]: name for name, each in values.items() if _tells_apart(each)}) or next(iter(values))
    said: dict[str, Any] = {"pattern": f"*{suffix}", "header_row": header.line}
    said |= {} if suffix == ".xlsx" else {"delimiter": delimiter}
    source = {
        "kind": "files",
        "version": "0.1.0",
        "synthetic": False,
        "timeout_ms": 3000,
        "files": said,
        "record": {"key": key, "fields": {paths[name]: name for name in values}},
        "queries": {
            "identifiers": ["LOCAL_ID"],
            "attributes": {"LOCAL_ID": {"column": key, "type": "string", "selective": True, "sortable": True}},
        },
    }
    samples = {paths[name]: each for name, each in values.items()}
    labels = {paths[name]: name for name in values}
    # The index of a folder's files is our own, so that every column may have one.
    askable = {paths[name]: {"column": name, "type": "string", "selective": True} for name in values}
    connection = {"kind": "files", "folder": "inbox"}
    return Proposal(source, connection, samples, folders=("inbox",), labels=labels, askable=askable)


def _rows(path: Path, delimiter: str) -> list[Row]:
    try:
        return list(islice(rows_of(_anything(path, delimiter), path), LOOKED_AT))
    except (FileProblem, OSError) as error:
        raise ConfigError(str(path), "--from-xlsx", str(error)) from None


def _anything(path: Path, delimiter: str) -> FilesDefinition:
    """Return a definition that reads such a file; its columns are not known yet."""
    data = {
        "source": "anything",
        "kind": "files",
        "version": "0.1.0",
        "synthetic": False,
        "timeout_ms": 3000,
        "files": {"pattern": f"*{path.suffix.lower()}"},
        "record": {"key": "-", "fields": {"key": "-"}},
        "queries": {"attributes": {"LOCAL_ID": {"column": "-", "type": "string"}}},
    }
    found = files_definition(str(path), data)
    return replace(found, layout=replace(found.layout, delimiter=delimiter), key=Column("-", "c0", "string"))


def _delimiter(path: Path) -> str:
    """Take the one that the first line has most of."""
    counts = {each: _first_line(path).count(each) for each in _DELIMITERS}
    return max(counts, key=lambda each: counts[each])


def _first_line(path: Path) -> str:
    row = next(iter(_rows(path, "\x1f")), None)  # a character that no table has: the whole line is one cell
    return "" if row is None or not row.cells else str(row.cells[0])


def _key(apart: Mapping[str, str]) -> str | None:
    """Choose a number that somebody gave before any column that happens to repeat nothing, and a row's number last."""
    numbers = [path for path in apart if _NUMBER.search(path.lower()) and path not in _NO_KEYS]
    others = [path for path in apart if path != _ROW]
    return next((apart[path] for path in (*numbers, *others, *apart)), None)


def _tells_apart(values: list[Any]) -> bool:
    return bool(values) and None not in values and "" not in values and len(set(values)) == len(values)


def _plain(cell: object) -> object:
    return None if isinstance(cell, Unstored) else cell


def _paths(headers: list[str]) -> Iterator[str]:
    """A field's name is that of a known Khmer header, the header where it is a word, or the column's number."""
    taken: set[str] = set()
    for number, header in enumerate(headers, 1):
        ascii_part = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode()
        word = latin_name(header) or "_".join(ascii_part.split())
        path = word if _WORD.fullmatch(word) and word not in taken else f"column_{number}"
        taken.add(path)
        yield path
