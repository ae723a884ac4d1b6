"""Proposes a source from the tables of a database: one row per record, rows that belong to it, and what has an index.

It refuses to write into the database, and to keep a password anywhere but in a file of its own.
It is told the record's table, or takes the one with a key of one column that most others refer to.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Inspector, column, inspect, select, types
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from adapters.errors import ConfigError
from adapters.source.engines import open_engine, read_url, reading
from adapters.source.render import table_of
from adapters.source.values import plain
from adapters.starting.proposal import Proposal

Attribute = dict[str, Any]
TIMEOUT_MS: Final = 10_000
SAMPLES: Final = 50
MANY_LIMIT: Final = 200
_BINARY: Final = (types.LargeBinary,)
_FILE: Final = "the file with the database's URL"


def from_sql(url_file: Path, table: str | None) -> Proposal:
    """Read a database's own schema.

    Args:
        url_file: holds the URL; a password in it goes into a file of its own.
        table: the table with one row per record; None for the one that most others refer to.

    Raises:
        ConfigError: the URL cannot be used, the database does not answer, or has no such table.
    """
    text, password = _without_password(url_file)
    url = read_url(str(url_file), text)
    engine = open_engine(str(url_file), url, password=password, connections=1, timeout_ms=TIMEOUT_MS)
    try:
        with reading(engine, time.monotonic() + TIMEOUT_MS / 1000) as connection:
            source, samples, askable = _propose(str(url_file), connection, table)
    except SQLAlchemyError as error:
        # `from None`: the driver's message may repeat the URL or values.
        problem = f"the database cannot be read ({type(error).__name__})"
        raise ConfigError(str(url_file), _FILE, problem) from None
    finally:
        engine.dispose()
    said = {"kind": "sql", "url": text} | ({} if password is None else {"password_file": "password"})
    return Proposal(source, said, samples, password, askable=askable)


def _without_password(path: Path) -> tuple[str, str | None]:
    try:
        parsed = make_url(path.read_text(encoding="utf-8").strip())
    except (ArgumentError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(str(path), _FILE, f"holds no database URL ({type(error).__name__})") from None
    if parsed.drivername == "sqlite" and parsed.database:
        parsed = parsed.set(database=str((path.parent / parsed.database).resolve()))
    bare = parsed._replace(password=None)  # `set` takes None for "as it was"
    return bare.render_as_string(), None if parsed.password is None else str(parsed.password)


def _propose(
    file: str, connection: Connection, table: str | None
) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, Attribute]]:
    found = inspect(connection)
    tables = found.get_table_names()
    if not tables:
        raise ConfigError(file, _FILE, "the database has no tables that this user may see")
    root = _root(found, tables) if table is None else table
    if root not in tables:
        raise ConfigError(file, "--table", f"there is no table {root}; there are {', '.join(sorted(tables))}")
    key = _key(file, found, root)
    ones, manies = dict(_ones(found, root)), dict(_manies(found, tables, root, key))
    record: dict[str, Any] = {"table": root, "key": key, "fields": {each: each for each in _columns(found, root)}}
    record |= ({"one": ones} if ones else {}) | ({"many": manies} if manies else {})
    source = {
        "kind": "sql",
        "version": "0.1.0",
        "synthetic": False,
        "statement_timeout_ms": 3000,
        "record": record,
        "queries": {"identifiers": ["LOCAL_ID"], "attributes": dict(_attributes(found, root, key))},
    }
    askable = {each: _attribute(found, root, each) for each in record["fields"]}
    return source, _samples(connection, root, list(record["fields"])), askable


def _root(found: Inspector, tables: list[str]) -> str:
    keyed = [each for each in tables if len(found.get_pk_constraint(each)["constrained_columns"]) == 1]
    referred = [each["referred_table"] for table in tables for each in found.get_foreign_keys(table)]
    return max(keyed or tables, key=lambda each: (referred.count(each), len(found.get_columns(each))))


def _key(file: str, found: Inspector, table: str) -> str:
    columns = found.get_pk_constraint(table)["constrained_columns"]
    if len(columns) != 1:
        problem = f"the table {table} has no primary key of one column: make a view that has, or choose another table"
        raise ConfigError(file, "--table", problem)
    return columns[0]


def _columns(found: Inspector, table: str) -> list[str]:
    return [each["name"] for each in found.get_columns(table) if not isinstance(each["type"], _BINARY)]


def _ones(found: Inspector, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in found.get_foreign_keys(root):
        own, theirs, table = each["constrained_columns"], each["referred_columns"], each["referred_table"]
        if len(own) == 1 and table != root:
            fields = {name: name for name in _columns(found, table)}
            yield f"{table}_of_{own[0]}", {"table": table, "key": theirs[0], "parent": own[0], "fields": fields}


def _manies(found: Inspector, tables: list[str], root: str, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for table in tables:
        for each in found.get_foreign_keys(table):
            if each["referred_table"] == root and each["referred_columns"] == [key] and table != root:
                fields = {name: name for name in _columns(found, table) if name != each["constrained_columns"][0]}
                order = found.get_pk_constraint(table)["constrained_columns"] or list(fields)[:1]
                said = {"table": table, "key": each["constrained_columns"][0], "order": order, "limit": MANY_LIMIT}
                yield f"{table}_list", said | {"fields": fields}


def _attributes(found: Inspector, root: str, key: str) -> Iterator[tuple[str, Attribute]]:
    """Whatever an index starts with may be asked for; all else would read the whole table."""
    yield "LOCAL_ID", _attribute(found, root, key) | {"selective": True, "sortable": True}
    for name in _indexed(found, root):
        if name != key:
            yield name, _attribute(found, root, name)


def _attribute(found: Inspector, root: str, name: str) -> Attribute:
    kind = next(_kind(each["type"]) for each in found.get_columns(root) if each["name"] == name)
    return {"column": name, "type": kind} | ({"selective": True} if name in _indexed(found, root) else {})


def _indexed(found: Inspector, root: str) -> list[str]:
    firsts = [each["column_names"][0] for each in found.get_indexes(root) if each["column_names"]]
    firsts += [each["column_names"][0] for each in found.get_unique_constraints(root)]
    return list(dict.fromkeys(each for each in firsts if each is not None))


def _kind(kind: object) -> str:
    if isinstance(kind, types.Integer):
        return "integer"
    return "date" if isinstance(kind, types.Date) else "string"


def _samples(connection: Connection, root: str, names: list[str]) -> dict[str, list[Any]]:
    wanted: list[ColumnElement[Any]] = [column(each) for each in names]
    rows = connection.execute(select(*wanted).select_from(table_of(root)).limit(SAMPLES))
    values = [[plain(value) for value in row] for row in rows]
    return {name: [row[place] for row in values] for place, name in enumerate(names)}
