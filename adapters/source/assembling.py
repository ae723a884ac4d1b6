"""Puts records together from rows: those of the root's table and of the tables that belong to them.

It refuses to open connections: whoever has one, reading or writing, hands it over, so that what is read is of the same
moment as what is done with it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, column, select

from adapters.errors import RecordUnreadable
from adapters.source.definition import Field, Many, One, SqlDefinition
from adapters.source.filters import Filter
from adapters.source.protocol import Record
from adapters.source.render import fitting_statement, keys_statement, next_keys_statement, table_of
from adapters.source.values import AS_THEY_ARE, plain


def records_of(source: SqlDefinition, connection: Connection, keys: Sequence[str]) -> dict[str, Record]:
    """Return the records that are there, by their keys as text.

    Raises:
        RecordUnreadable: one of them has more rows than declared, or a value that no record can have.
    """
    rows = [tuple(row) for row in connection.execute(keys_statement(source, keys))] if keys else []
    wanted = frozenset(keys)  # a collation may find others too
    found = zip(rows, assemble(source, connection, rows), strict=True)
    return {str(row[0]): record for row, record in found if str(row[0]) in wanted}


def next_keys(source: SqlDefinition, connection: Connection, after: Any, limit: int) -> list[Any]:  # noqa: ANN401  # a key's value
    """Return the next keys of the root, in their order; ``after`` None is the start."""
    return list(connection.execute(next_keys_statement(source, after, limit)).scalars())


def fitting_of(source: SqlDefinition, connection: Connection, where: Filter, keys: Sequence[str]) -> frozenset[str]:
    """Return which of some records a filter holds for, by their keys or, where the source has that, their identity.

    Raises:
        SearchRejected: the source does not declare what the filter names.
    """
    found = connection.execute(fitting_statement(source, where, keys)).scalars() if keys else ()
    return frozenset(map(str, found)) & frozenset(keys)


def assemble(source: SqlDefinition, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Iterator[Record]:
    """Yield the record of each row of the root: its key, its fields, what it is joined to by, and what else there is.

    Raises :class:`RecordUnreadable` for one with more rows than declared.
    """
    width = 1 + len(source.root.fields)
    ones = [
        (one, _by_key(connection, one, {row[width + place] for row in rows})) for place, one in enumerate(source.ones)
    ]
    manies = [(many, _rows_of(source, connection, many, [row[0] for row in rows])) for many in source.manies]
    for row in rows:
        record = _object(source.root.fields, row[1:width])
        for place, (one, found) in enumerate(ones):
            if row[width + place] in found:  # what the database does not have is missing, not null
                _put(record, one.path, found[row[width + place]])
        for many, groups in manies:
            _put(record, many.path, groups.get(row[0], []))
        yield record


def _rows_of(source: SqlDefinition, connection: Connection, many: Many, keys: Sequence[Any]) -> dict[Any, list[Record]]:
    wanted: list[ColumnElement[Any]] = [column(many.key), *(column(field.column) for field in many.fields)]
    statement = select(*wanted).select_from(table_of(many.table)).where(column(many.key).in_(keys))
    groups: dict[Any, list[Record]] = {}
    for key, *values in connection.execute(statement.order_by(*(column(each) for each in many.order))):
        group = groups.setdefault(key, [])
        if len(group) == many.limit:
            raise RecordUnreadable(f"source {source.name}: a record has more than {many.limit} rows in {many.table}")
        group.append(_object(many.fields, values))
    return groups


def _by_key(connection: Connection, one: One, keys: set[Any]) -> dict[Any, Record]:
    wanted: list[ColumnElement[Any]] = [column(one.key), *(column(field.column) for field in one.fields)]
    present = sorted(key for key in keys if key is not None)
    statement = select(*wanted).select_from(table_of(one.table)).where(column(one.key).in_(present))
    return {key: _object(one.fields, values) for key, *values in connection.execute(statement)}


def _object(fields: Sequence[Field], values: Sequence[Any]) -> Record:
    record: Record = {}
    for field, value in zip(fields, values, strict=True):
        if value is None and field.null_is_missing:
            continue
        made = value if type(value) in AS_THEY_ARE else plain(value)
        if "." in field.path:
            _put(record, field.path, made)
        else:
            record[field.path] = made
    return record


def _put(record: Record, path: str, value: Any) -> None:  # noqa: ANN401  # a column's value, or a part of the record
    *parents, last = path.split(".")
    for part in parents:
        record = record.setdefault(part, {})
    record[last] = value
