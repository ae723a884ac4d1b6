"""What a source file says about files in a folder: which are read, their columns, and what may be asked.

It refuses columns that contradict each other; the headers that it names may be in any script.
The rows go into a small SQLite index, so that :attr:`FilesDefinition.sql` describes them to the SQL source.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from adapters.errors import ConfigError
from adapters.source.definition import (
    Field,
    Many,
    Root,
    SourceDefinition,
    SqlDefinition,
    check_definition,
    common,
    paths_of,
)

RECORDS: Final = "record"  # the index's table with one row per record
LINES: Final = "line"  # … and with one row per line of the file, where a record has many
LINE: Final = "line"  # the line's number, which is the key of a record
OWNER: Final = "record"  # the line of the record that a line belongs to
SETTLE_SECONDS: Final = 2  # a file that changed less than so long ago may still be being copied


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file: its header, its name in the index, and what its cells hold."""

    header: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Which files are read and how."""

    pattern: str
    sheet: str | None
    header_row: int
    settle_seconds: float
    delimiter: str
    encoding: str


@dataclass(frozen=True, slots=True)
class FilesDefinition(SourceDefinition):
    """A source that is a folder; ``sql`` describes the index of its newest file."""

    layout: Layout
    columns: tuple[Column, ...]
    key: Column
    many: bool
    sql: SqlDefinition

    @property
    def xlsx(self) -> bool:
        """Tell whether the files are workbooks."""
        return self.layout.pattern.lower().endswith(".xlsx")


def files_definition(file: str, data: dict[str, Any]) -> FilesDefinition:
    """Read what the schema ``source-files`` has checked; raises :class:`ConfigError`."""
    record = data["record"]
    columns = _columns(file, data)
    root = Root(RECORDS, LINE, _fields(record["fields"], columns), columns[record["key"]].name)
    manies = tuple(_many(path, each, columns) for path, each in record.get("many", {}).items())
    shared = common(file, data, data["timeout_ms"], paths_of(root, (), manies))
    shared["attributes"] = {
        name: replace(each, column=columns[each.column].name) for name, each in shared["attributes"].items()
    }
    sql = SqlDefinition(**shared, root=root, ones=(), manies=manies)
    layout = _layout(file, data["files"])
    found = FilesDefinition(
        **shared, layout=layout, columns=tuple(columns.values()), key=columns[record["key"]], many=bool(manies), sql=sql
    )
    check_definition(found)
    return found


def _layout(file: str, data: dict[str, Any]) -> Layout:
    pattern: str = data["pattern"]
    if not pattern.lower().endswith((".csv", ".xlsx")):
        raise ConfigError(file, "files.pattern", "ends with .csv or .xlsx")
    wrong = {"delimiter", "encoding"} if pattern.lower().endswith(".xlsx") else {"sheet"}
    for key in sorted(wrong & set(data)):
        raise ConfigError(file, f"files.{key}", f"has no meaning for {pattern}")
    return Layout(
        pattern,
        data.get("sheet"),
        data.get("header_row", 1),
        data.get("settle_seconds", SETTLE_SECONDS),
        data.get("delimiter", ","),
        data.get("encoding", "auto"),
    )


def _columns(file: str, data: dict[str, Any]) -> dict[str, Column]:
    """Name each header that the file mentions; one header has one type."""
    types: dict[str, str] = {}
    for place, header, kind in _mentioned(data):
        known = types.setdefault(header, kind or "")
        if kind and known and kind != known:
            raise ConfigError(file, place, f"the column {header} is {known} elsewhere")
        types[header] = known or kind or ""
    return {
        header: Column(header, f"c{number}", kind or "string") for number, (header, kind) in enumerate(types.items())
    }


def _mentioned(data: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    record = data["record"]
    yield "record.key", record["key"], None
    yield from _of_fields("record.fields", record["fields"])
    for path, many in record.get("many", {}).items():
        yield from _of_fields(f"record.many.{path}.fields", many["fields"])
        yield from ((f"record.many.{path}.order", header, None) for header in many["order"])
    for name, attribute in data["queries"]["attributes"].items():
        kind = None if attribute["type"] == "string" else attribute["type"]
        yield f"queries.attributes.{name}", attribute["column"], kind


def _of_fields(place: str, fields: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    for path, each in fields.items():
        if isinstance(each, str):
            yield f"{place}.{path}", each, None
        else:
            yield f"{place}.{path}", each["column"], each.get("type")


def _fields(data: dict[str, Any], columns: dict[str, Column]) -> tuple[Field, ...]:
    return tuple(
        Field(path, columns[each].name, null_is_missing=False)
        if isinstance(each, str)
        else Field(path, columns[each["column"]].name, null_is_missing=each.get("null") == "missing")
        for path, each in data.items()
    )


def _many(path: str, data: dict[str, Any], columns: dict[str, Column]) -> Many:
    order = (*(columns[header].name for header in data["order"]), LINE)
    return Many(path, LINES, OWNER, order, data["limit"], _fields(data["fields"], columns))
