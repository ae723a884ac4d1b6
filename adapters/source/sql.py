"""Reads records from an SQL database: read only, in one transaction, under a statement timeout.

It refuses databases that it cannot open read only. Its calls block, so that a source of its kind runs it in threads.
One page costs one statement for the roots and one for each further table, however many records it holds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, column, func, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.errors import ConfigError, SearchRejected, SourceError, SourceTimeoutError
from adapters.source.assembling import assemble
from adapters.source.definition import Many, One, Root, SourceDefinition, SqlDefinition
from adapters.source.engines import open_engine, read_url, reading, timed_out
from adapters.source.filters import Query
from adapters.source.protocol import Found, Placed
from adapters.source.render import (
    TOO_MANY,
    batch_statement,
    count_statement,
    page_statement,
    refuse_scan,
    sample_statement,
    table_of,
)

BATCH: Final = 500  # records in memory while a whole registry is read: some hundred KB
_T = TypeVar("_T")


class SqlSource:
    """A database and the definition by which records are read from it."""

    definition: SqlDefinition

    def __init__(
        self, definition: SourceDefinition, url: str, *, password: str | None = None, connections: int = 4
    ) -> None:
        """Open lazily; ``url`` is SQLAlchemy's, such as ``sqlite:////absolute/path``."""
        if not isinstance(definition, SqlDefinition):
            raise ConfigError(definition.file, "kind", "is not sql, but its connection is a database")
        self.definition = definition
        parsed = read_url(definition.file, url)
        self._engine = open_engine(
            definition.file, parsed, password=password, connections=connections, timeout_ms=definition.timeout_ms
        )

    def find(self, query: Query) -> Found:
        """Return a page of records.

        Raises:
            SearchRejected: the source does not declare what the query names, or too much matches.
            SourceError: the database does not answer, or not in time.
        """
        refuse_scan(self.definition, query.where)
        count, page = count_statement(self.definition, query), page_statement(self.definition, query)
        with self._reading() as connection:
            total = connection.execute(count).scalar_one()
            if total > query.max_matches:
                raise SearchRejected(TOO_MANY, f"more than {query.max_matches} records match: narrow the search")
            rows = [tuple(row) for row in connection.execute(page)]
            return Found(total, tuple(assemble(self.definition, connection, rows)))

    def batches(self) -> Iterator[list[Placed]]:
        """Yield the whole registry in the order of its key; each batch is a read of its own, under the timeout."""
        key, last = self.definition.root.key, None
        while True:
            with self._reading() as connection:
                rows = [tuple(row) for row in connection.execute(batch_statement(self.definition, last, BATCH))]
                records = list(assemble(self.definition, connection, rows))
            yield [Placed(f"{key} {row[0]}", record, str(row[-1])) for row, record in zip(rows, records, strict=True)]
            if len(rows) < BATCH:
                return
            last = rows[-1][0]

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """Run work in one read transaction; raises :class:`SourceError` when the database does not answer in time."""
        with self._reading() as connection:
            return work(connection)

    def count(self) -> int | None:
        """Count the records; None when the database needs longer for that than a statement may take."""
        try:
            with self._reading() as connection:
                counted = select(func.count()).select_from(table_of(self.definition.root.table))
                return int(connection.execute(counted).scalar_one())
        except SourceTimeoutError:
            return None

    def check(self) -> None:
        """Raise :class:`SourceError` unless each declared table and column can be read, and each attribute compared."""
        source = self.definition
        parts = [(source.root.table, [source.root.key, *(each.parent for each in source.ones)], source.root.fields)]
        parts += [(one.table, [one.key], one.fields) for one in source.ones]
        parts += [(many.table, [many.key, *many.order], many.fields) for many in source.manies]
        for name, keys, fields in parts:
            wanted = list(dict.fromkeys((*keys, *(field.column for field in fields))))
            self._try(name, [column(each) for each in wanted])
        for attribute in source.attributes.values():
            with self._naming(f"the attribute {attribute.name}"), self._reading() as connection:
                connection.execute(sample_statement(source, attribute))

    def unindexed(self) -> tuple[str, ...]:
        """Return the selective attributes whose column no index starts with; raises :class:`SourceError`.

        Those of views are not among them: which index serves a view cannot be seen from outside.
        """
        selective, views = self._selective(), self.behind_views()
        with self._reading() as connection:
            indexed = {name: _indexed(connection, name) for name in set(selective.values())}
        columns = {each.name: each.column for each in self.definition.attributes.values()}
        return tuple(
            each for each, table in selective.items() if each not in views and columns[each] not in indexed[table]
        )

    def behind_views(self) -> tuple[str, ...]:
        """Return the selective attributes whose column is one of a view; raises :class:`SourceError`."""
        selective = self._selective()
        with self._reading() as connection:
            views = {name for name in set(selective.values()) if _is_view(connection, name)}
        return tuple(each for each, table in selective.items() if table in views)

    def _selective(self) -> dict[str, str]:
        """Return the selective attributes, and the table of each."""
        attributes = self.definition.attributes.values()
        return {each.name: each.table or self.definition.root.table for each in attributes if each.selective}

    def unmentioned(self) -> tuple[str, ...]:
        """Return the columns of the declared tables that the source file does not mention, as ``table.column``."""
        mentioned = _mentioned(self.definition)
        with self._reading() as connection:
            there = {name: inspect(connection).get_columns(*_own_and_schema(name)) for name in mentioned}
        return tuple(
            f"{name}.{each['name']}" for name in there for each in there[name] if each["name"] not in mentioned[name]
        )

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _try(self, name: str, columns: Sequence[ColumnElement[Any]]) -> None:
        with self._naming(f"the table {name}"), self._reading() as connection:
            connection.execute(select(*columns).select_from(table_of(name)).limit(0))

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Say what was tried: the names are the source file's own, so that they may be shown."""
        try:
            yield
        except SourceTimeoutError:
            raise
        except SourceError as error:
            raise SourceError(f"{error}: {what} cannot be read as the source file declares it") from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One read transaction: the count, the page and its parts are of the same moment."""
        deadline = time.monotonic() + self.definition.timeout_ms / 1000
        try:
            with reading(self._engine, deadline) as connection:
                yield connection
        except DBAPIError as error:
            raise _source_error(self.definition, error, deadline) from None
        except (SQLAlchemyError, PoolTimeoutError) as error:
            raise SourceError(f"source {self.definition.name}: {type(error).__name__}") from None


def _indexed(connection: Connection, name: str) -> set[str | None]:
    """Return the columns of a table that an index, a primary key or a unique constraint starts with."""
    (own, schema), found = _own_and_schema(name), inspect(connection)
    firsts: list[Sequence[str | None]] = [
        *(each["column_names"][:1] for each in found.get_indexes(own, schema, include_auto_indexes=True)),
        *(each["column_names"][:1] for each in found.get_unique_constraints(own, schema)),
        found.get_pk_constraint(own, schema)["constrained_columns"][:1],
    ]
    return {name for first in firsts for name in first}


def _is_view(connection: Connection, name: str) -> bool:
    own, schema = _own_and_schema(name)
    return own in inspect(connection).get_view_names(schema)


def _own_and_schema(name: str) -> tuple[str, str | None]:
    schema, _dot, own = name.rpartition(".")
    return own, schema or None


def _mentioned(source: SqlDefinition) -> dict[str, set[str]]:
    """Return the columns that a source file names, by table."""
    root = source.root
    found: dict[str, set[str]] = {root.table: {root.key, *(one.parent for one in source.ones)}}
    parts: tuple[Root | One | Many, ...] = (root, *source.ones, *source.manies)
    for part in parts:
        found.setdefault(part.table, set()).update(field.column for field in part.fields)
    for one in source.ones:
        found[one.table].add(one.key)
    for many in source.manies:
        found[many.table].update((many.key, *many.order))
    for attribute in source.attributes.values():
        names = {attribute.column} if attribute.key is None else {attribute.column, attribute.key}
        found.setdefault(attribute.table or root.table, set()).update(names)
    return found


def _source_error(source: SourceDefinition, error: DBAPIError, deadline: float) -> SourceError:
    """Translate without the driver's text, which may repeat the parameters of a statement."""
    if timed_out(error.orig, deadline):
        return SourceTimeoutError(f"source {source.name}: no answer within {source.timeout_ms} ms")
    return SourceError(f"source {source.name}: the database refuses ({type(error.orig).__name__})")
