"""The index of the search: every record, field, code list and code, with both titles and the page that tells of it.

It refuses to rank or match; the script on the search page does. Titles are brought into the normal form, as what is
typed into the search is by the script.
"""

import json
from collections.abc import Iterator
from typing import Final

from contracts.dictionary.model import Record, Standard, page_of, target_of_list
from contracts.khmer import normalise

RECORD: Final = 0
FIELD: Final = 1
LIST: Final = 2
CODE: Final = 3

Row = tuple[int, str, str, str, str, str]  # kind, page, name, English title, Khmer title, what it is part of


def index(standard: Standard) -> str:
    """Return a script that puts the index in place: one that a page may load from a disk."""
    rows = [[row[0], *(normalise(each) for each in row[1:])] for row in _rows(standard)]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return f"window.speanIndex = [\n{lines}\n];\n"


def _rows(standard: Standard) -> Iterator[Row]:
    for record in standard.records:
        yield from _of_record(record)
    for found in standard.code_lists:
        page = page_of(target_of_list(found))
        yield LIST, page, found.name, found.title.en, found.title.km, found.version
        for code, label in found.codes.items():
            yield CODE, f"{page}#code-{code}", code, label.en, label.km, found.name


def _of_record(record: Record) -> Iterator[Row]:
    yield RECORD, record.page, record.target.name, record.title.en, record.title.km, record.target.version
    for each in record.fields:
        name = f"{record.target.name} {record.target.version}"
        yield FIELD, f"{record.page}#field-{each.path}", each.path, each.title.en, each.title.km, name
