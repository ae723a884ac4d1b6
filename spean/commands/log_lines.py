"""Records of the message log as lines: a table for people, JSON for programs, CSV for spreadsheets.

It refuses to read the log. Much of a record was written by strangers: nothing of it may steer a terminal or become a
formula in a spreadsheet.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Final

from securityserver.messagelog.search import Found

Fields = dict[str, str | int | None]

_COLUMNS: Final = ("time", "id", "side", "direction", "client", "service", "message_id", "outcome", "size")
# What a spreadsheet takes for the beginning of a formula or command; a leading apostrophe makes it text.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones too
# Khmer is written with them; no other character that cannot be seen is let through.
_JOINERS: Final = frozenset("\u200b\u200c\u200d")


def fields_of(found: Found) -> Fields:
    """Give everything of a record's line, by name."""
    return {
        "id": found.id,
        "time": found.at.isoformat(timespec="milliseconds"),
        "side": found.side.value,
        "direction": found.direction.value,
        "message_id": found.query_id,
        "request_id": found.request_id,
        "client": str(found.client),
        "service": str(found.service),
        "user": found.user_id,
        "issue": found.issue,
        "outcome": found.outcome,
        "size": found.body_size,
        "body": found.body_form.name.lower(),
        "time_stamped": found.stamped,
        "archived": found.archived,
        "place": str(found.place),
    }


def table(found: Iterable[Found]) -> Iterator[str]:
    """Give a heading, then a line each."""
    rows = [_COLUMNS, *(tuple(visible(str(fields_of(each)[name])) for name in _COLUMNS) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def json_lines(found: Iterable[Found]) -> Iterator[str]:
    """Give one JSON object a line (characters beyond ASCII escaped, so that none can steer a terminal)."""
    for each in found:
        yield json.dumps(fields_of(each))


def csv_lines(found: Iterable[Found]) -> Iterator[str]:
    """Give a heading, then a line each, as RFC 4180 but for the line's end; no cell is a formula."""
    heading = False
    for each in found:
        fields = fields_of(each)
        if not heading:
            yield _csv_line(fields)
            heading = True
        yield _csv_line(harmless(value) for value in fields.values())


def _csv_line(cells: Iterable[str | int]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return line.getvalue()


def harmless(value: str | int | None) -> str | int:
    """Make a cell that a spreadsheet shows and never runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.lstrip(" '").startswith(_FORMULA) else shown


def visible(text: str) -> str:
    """Replace what cannot be seen: escape sequences for terminals, marks that turn the order of letters around."""
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
