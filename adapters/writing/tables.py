"""Looks whether the tables and columns that a write file names are there, and whether its keys name one row each.

It refuses to start with a key that two rows may share: an update would change both. Nothing is changed here.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from sqlalchemy import Connection, inspect
from sqlalchemy.engine.reflection import Inspector

from adapters.errors import ConfigError
from adapters.events import EventsStore
from adapters.writing.definition import WriteDefinition
from adapters.writing.writer import Writer


def open_writers(definitions: Mapping[str, WriteDefinition], store: EventsStore) -> dict[str, Writer]:
    """Make the writer of each service that takes records in; blocks.

    Args:
        definitions: by service code.
        store: of the adapter's events, in the programme's own database.

    Raises:
        ConfigError: a table or column is not there, or a key is not unique.
        EventsError: the database cannot be read.
    """
    for definition in definitions.values():
        for key, problem in store.read_now(partial(_problems, definition)):
            raise ConfigError(definition.file, key, problem)
    return {code: Writer(code, definition, store.key) for code, definition in definitions.items()}


def _problems(definition: WriteDefinition, connection: Connection) -> list[tuple[str, str]]:
    return list(table_problems(connection, definition))


def table_problems(connection: Connection, definition: WriteDefinition) -> Iterator[tuple[str, str]]:
    """Yield what does not fit between the write file and the database: the key and the problem."""
    found = inspect(connection)
    yield from _table(found, "record", definition.table, definition.key, {definition.key, *definition.fields.values()})
    for child in definition.children:
        columns = {child.key, child.row, *child.fields.values()}
        yield from _table(found, f"record.many.{child.path}", child.table, child.row, columns)
    for find in definition.find:
        yield from _columns(found, "find", find.table, {find.column, find.key})


def _table(found: Inspector, key: str, table: str, row: str, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    name, schema = _split(table)
    if name in found.get_view_names(schema):
        yield f"{key}.table", f"{table} is a view: name the table that rows are written into"
        return
    problems = list(_columns(found, key, table, columns))
    yield from problems
    if not problems and not _is_unique(found, table, row):
        yield key, f"the column {row} of {table} is neither the primary key nor unique: two rows could have one value"


def _columns(found: Inspector, key: str, table: str, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    name, schema = _split(table)
    if not found.has_table(name, schema):
        yield f"{key}.table", f"there is no table {table}"
        return
    missing = sorted(set(columns) - {each["name"] for each in found.get_columns(name, schema)})
    if missing:
        yield key, f"{table} has no column {', '.join(missing)}"


def _is_unique(found: Inspector, table: str, column: str) -> bool:
    name, schema = _split(table)
    alone = [
        found.get_pk_constraint(name, schema)["constrained_columns"],
        *(each["column_names"] for each in found.get_unique_constraints(name, schema)),
        *(each["column_names"] for each in found.get_indexes(name, schema) if each["unique"]),
    ]
    return [column] in alone


def _split(table: str) -> tuple[str, str | None]:
    schema, _dot, name = table.rpartition(".")
    return name, schema or None
