"""Lets go of numbers that move between records which are written together, before another one takes them.

It refuses to touch a record that these events do not change in that very column. :mod:`adapters.writing.applying` uses
it when the database has refused a number that somebody has; the order of a sender's events does not decide then.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, column, inspect, table, update
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.types import NULLTYPE

from adapters.writing.definition import WriteDefinition
from adapters.writing.incoming import Values
from adapters.writing.rows import Local

_ADDRESS: Final = "spean_address"  # names of parameters, which no column may have
_TAKEN: Final = "spean_taken"
# One row that is written: its own name, what it will hold, which fields change, whether it is there, whether it goes.
Written = tuple[Any, Values, set[str], bool, bool]


def release(connection: Connection, definition: WriteDefinition, records: Iterable[Local]) -> None:
    """Empty the unique columns of rows that give a value up which another row is about to take.

    A column that cannot be empty stays as it is: the database refuses, and the one that takes is rejected.

    Args:
        connection: of the rows.
        definition: of the tables.
        records: that are about to be written.
    """
    changed = [each for each in records if each.touched]
    roots = [(each.key, each.values, each.dirty, each.exists, each.is_gone) for each in changed]
    _table(connection, (definition.table, definition.key), definition.fields, roots)
    for child in definition.children:
        rows = [
            (row.name, row.values, row.dirty, not row.is_new, row.is_gone or each.is_gone)
            for each in changed
            for row in each.rows[child.path]
        ]
        _table(connection, (child.table, child.row), child.fields, rows)


def _table(connection: Connection, place: tuple[str, str], fields: Mapping[str, str], rows: list[Written]) -> None:
    name, address = place
    for unique in _unique(connection, name) - {address}:
        for field in (each for each, own in fields.items() if own == unique):
            taken = {
                values[field]
                for _, values, dirty, there, gone in rows
                if not gone and _is_set(field, dirty, there, values)
            }
            givers = [key for key, _, dirty, there, gone in rows if there and (gone or field in dirty)]
            if taken and givers:
                _empty(connection, name, (address, unique), givers, taken)


def _is_set(field: str, dirty: set[str], there: bool, values: Values) -> bool:  # noqa: FBT001  # of a tuple
    return values.get(field) is not None and (field in dirty or not there)


def _empty(connection: Connection, name: str, columns: tuple[str, str], givers: list[Any], taken: set[Any]) -> None:
    schema, _dot, own = name.rpartition(".")
    address, unique = columns
    found = table(own, column(address), column(unique), schema=schema or None)
    which = found.c[address].in_(bindparam(_ADDRESS, expanding=True, type_=NULLTYPE))
    what = found.c[unique].in_(bindparam(_TAKEN, expanding=True, type_=NULLTYPE))
    connection.execute(update(found).where(which, what).values({unique: None}), {_ADDRESS: givers, _TAKEN: list(taken)})


def _unique(connection: Connection, name: str) -> set[str]:
    """Return the columns that are unique alone, and may be empty."""
    schema, _dot, own = name.rpartition(".")
    found = inspect(connection)
    nullable = {each["name"] for each in found.get_columns(own, schema or None) if each["nullable"]}
    # SQLite makes an index of each rule in a column's own declaration, and SQLAlchemy reads only some of these rules.
    more = {"include_auto_indexes": True} if connection.dialect.name == "sqlite" else {}
    return set(_alone(found, own, schema or None, more)) & nullable


def _alone(found: Inspector, own: str, schema: str | None, more: dict[str, bool]) -> Iterator[str]:
    keys: list[Any] = [each["column_names"] for each in found.get_unique_constraints(own, schema)]
    keys += [each["column_names"] for each in found.get_indexes(own, schema, **more) if each["unique"]]
    for each in keys:
        if len(each) == 1 and each[0] is not None:
            yield each[0]
