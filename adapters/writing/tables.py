"""Looks whether the tables and columns that a write file names are there, and whether its keys name one row each.

It refuses to start with a key that two rows may share: an update would change both. Nothing is changed here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import ConfigError
from adapters.events import EventsStore
from adapters.writing.definition import WriteDefinition
from adapters.writing.elsewhere import Elsewhere, make_table
from adapters.writing.writer import Writer

_SOME_WITHOUT_TRANSACTIONS: Final = frozenset({"mariadb", "mysql"})  # an engine a table
_ENGINE: Final = text(
    "SELECT engine FROM information_schema.tables "
    "WHERE table_name = :name AND table_schema = COALESCE(:schema, DATABASE())"
)


def open_writers(
    definitions: Mapping[str, WriteDefinition], store: EventsStore, elsewhere: Engine | None = None
) -> dict[str, Writer]:
    """Make the writer of each service that takes records in; blocks.

    Args:
        definitions: by service code.
        store: of the adapter's events, in the programme's own database unless that is elsewhere.
        elsewhere: connections that write into the programme's database, where it cannot hold the events.

    Raises:
        ConfigError: a table or column is not there, or a key is not unique.
        EventsError: the database cannot be read.
    """
    for definition in definitions.values():
        look = partial(_problems, definition)
        for key, problem in store.read_now(look) if elsewhere is None else _elsewhere(elsewhere, look, definition):
            raise ConfigError(definition.file, key, problem)
    writers = {code: Writer(code, definition, store.key) for code, definition in definitions.items()}
    if elsewhere is not None:
        for code, writer in writers.items():
            make_table(elsewhere, file=writer.definition.file)
            writer.elsewhere = Elsewhere(elsewhere, store.key, code)
    return writers


def _elsewhere(
    engine: Engine, look: Callable[[Connection], list[tuple[str, str]]], definition: WriteDefinition
) -> list[tuple[str, str]]:
    try:
        with engine.connect() as connection:
            return look(connection)
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise ConfigError(definition.file, "record", f"the database of the records does not answer: {cause}") from None


def _unsafe(connection: Connection, definition: WriteDefinition) -> Iterator[tuple[str, str]]:
    """A table of an engine without transactions would keep half of what failed."""
    places = [("record", definition.table), *((f"record.many.{each.path}", each.table) for each in definition.children)]
    for key, table in places:
        name, schema = _split(table)
        found = connection.execute(_ENGINE, {"name": name, "schema": schema}).scalar_one_or_none()
        if found not in {None, "InnoDB"}:
            yield f"{key}.table", f"{table} has no transactions (engine {found}): ALTER TABLE {table} ENGINE=InnoDB"


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
    if connection.dialect.name in _SOME_WITHOUT_TRANSACTIONS:
        yield from _unsafe(connection, definition)


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
