"""Reads records from an SQL database: read only, in one transaction, under a statement timeout.

It refuses databases that it cannot open read only. Its calls block, so the registry API runs them in threads.
One page costs one statement for the roots and one for each further table, however many records it holds.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, column, create_engine, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from adapters.errors import ConfigError, SearchRejected, SourceError, SourceTimeoutError
from adapters.source.definition import Field, Many, One, SourceDefinition
from adapters.source.filters import Query
from adapters.source.render import TOO_MANY, count_statement, page_statement, refuse_scan

Record = dict[str, Any]
_STEPS: Final = 2_000  # SQLite asks after so many of its instructions whether time is up: about every 0.1 ms


@dataclass(frozen=True, slots=True)
class Found:
    """One page of local records, and how many match in all."""

    total: int
    records: tuple[Record, ...]


class SqlSource:
    """A database and the definition by which records are read from it."""

    def __init__(self, definition: SourceDefinition, url: str, *, connections: int = 4) -> None:
        """Open lazily; ``url`` is SQLAlchemy's, ``sqlite:////absolute/path`` in this release."""
        self.definition = definition
        self._engine = _engine(definition.file, url, connections)

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
            return Found(total, tuple(self._assemble(connection, rows)))

    def check(self) -> None:
        """Raise :class:`SourceError` unless each declared table and column can be read."""
        source = self.definition
        parts = [(source.root.table, [source.root.key, *(each.parent for each in source.ones)], source.root.fields)]
        parts += [(one.table, [one.key], one.fields) for one in source.ones]
        parts += [(many.table, [many.key, *many.order], many.fields) for many in source.manies]
        with self._reading() as connection:
            for name, keys, fields in parts:
                wanted: list[ColumnElement[Any]] = [
                    column(each) for each in (*keys, *(field.column for field in fields))
                ]
                connection.execute(select(*wanted).select_from(table(name)).limit(0))
            for attribute in source.attributes.values():
                name = attribute.table or source.root.table
                connection.execute(select(column(attribute.column)).select_from(table(name)).limit(0))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One read transaction: the count, the page and its parts are of the same moment."""
        deadline = time.monotonic() + self.definition.statement_timeout_ms / 1000
        try:
            with self._engine.connect() as connection, _limited(connection, deadline):
                connection.exec_driver_sql("BEGIN")
                yield connection
        except DBAPIError as error:
            raise _source_error(self.definition, error, deadline) from None
        except (SQLAlchemyError, PoolTimeoutError) as error:
            raise SourceError(f"source {self.definition.name}: {type(error).__name__}") from None

    def _assemble(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Iterator[Record]:
        source, width = self.definition, 1 + len(self.definition.root.fields)
        ones = [
            (one, _by_key(connection, one, {row[width + place] for row in rows}))
            for place, one in enumerate(source.ones)
        ]
        manies = [(many, self._rows_of(connection, many, [row[0] for row in rows])) for many in source.manies]
        for row in rows:
            record = _object(source.root.fields, row[1:width])
            for place, (one, found) in enumerate(ones):
                if row[width + place] in found:  # what the database does not have is missing, not null
                    _put(record, one.path, found[row[width + place]])
            for many, groups in manies:
                _put(record, many.path, groups.get(row[0], []))
            yield record

    def _rows_of(self, connection: Connection, many: Many, keys: Sequence[Any]) -> dict[Any, list[Record]]:
        wanted: list[ColumnElement[Any]] = [column(many.key), *(column(field.column) for field in many.fields)]
        statement = select(*wanted).select_from(table(many.table)).where(column(many.key).in_(keys))
        groups: dict[Any, list[Record]] = {}
        for key, *values in connection.execute(statement.order_by(*(column(each) for each in many.order))):
            group = groups.setdefault(key, [])
            if len(group) == many.limit:
                raise SourceError(
                    f"source {self.definition.name}: a record has more than {many.limit} rows in {many.table}"
                )
            group.append(_object(many.fields, values))
        return groups


def _by_key(connection: Connection, one: One, keys: set[Any]) -> dict[Any, Record]:
    wanted: list[ColumnElement[Any]] = [column(one.key), *(column(field.column) for field in one.fields)]
    present = sorted(key for key in keys if key is not None)
    statement = select(*wanted).select_from(table(one.table)).where(column(one.key).in_(present))
    return {key: _object(one.fields, values) for key, *values in connection.execute(statement)}


def _object(fields: Sequence[Field], values: Sequence[Any]) -> Record:
    record: Record = {}
    for field, value in zip(fields, values, strict=True):
        if value is not None or not field.null_is_missing:
            _put(record, field.path, value)
    return record


def _put(record: Record, path: str, value: Any) -> None:  # noqa: ANN401  # a column's value, or a part of the record
    *parents, last = path.split(".")
    for part in parents:
        record = record.setdefault(part, {})
    record[last] = value


def _engine(file: str, url: str, connections: int) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # `from None`: the library's message repeats the URL, which may hold a password.
        raise ConfigError(
            file, "source.url", "is not a database URL such as sqlite:////var/lib/registry.sqlite"
        ) from None
    if parsed.drivername != "sqlite" or not parsed.database:
        raise ConfigError(file, "source.url", "only sqlite:/// with a file can be opened read only by this release")
    path = Path(parsed.database).resolve()

    def connect() -> sqlite3.Connection:
        uri = f"{path.as_uri()}?mode=ro"
        opened = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        opened.execute("PRAGMA query_only = ON")
        return opened

    # Named, because SQLAlchemy keeps one connection per thread for a database without a file in its URL.
    return create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=connections, max_overflow=0, pool_timeout=5
    )


@contextmanager
def _limited(connection: Connection, deadline: float) -> Iterator[None]:
    """Let SQLite ask for the time while it works, and stop when it is up."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise SourceError("the statement timeout is not known for this database")
    driver.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, _STEPS)


def _source_error(source: SourceDefinition, error: DBAPIError, deadline: float) -> SourceError:
    """Translate without the driver's text, which may repeat the parameters of a statement."""
    if time.monotonic() > deadline:
        return SourceTimeoutError(f"source {source.name}: no answer within {source.statement_timeout_ms} ms")
    return SourceError(f"source {source.name}: the database refuses ({type(error.orig).__name__})")
