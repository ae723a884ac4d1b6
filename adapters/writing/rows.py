"""The local records of a chunk of events: read in a few statements, changed in memory, written in a few statements.

It refuses tables and columns that the write file does not name, and text of anybody as SQL. What is read is locked
until the transaction ends, where the database can. :mod:`adapters.writing.applying` changes what it holds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    column,
    delete,
    insert,
    select,
    table,
    update,
)
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.types import NULLTYPE

from adapters.events.statements import Among, Many
from adapters.source.render import table_of
from adapters.source.values import plain
from adapters.writing.definition import Child, Find, WriteDefinition
from adapters.writing.incoming import Values

_KEY: Final = "spean_key"  # names of parameters, which no column may have
_ROW: Final = "spean_row"
_ADDRESS: Final = (_KEY, _ROW)
_Query = Callable[[Sequence[BindParameter[Any]]], Select[Any]]


@dataclass(slots=True)
class Row:
    """One row of a list: which one, what is in it, and what changed."""

    name: Any
    values: Values
    dirty: set[str] = field(default_factory=set)
    is_new: bool = False
    is_gone: bool = False


@dataclass(slots=True)
class Local:
    """One local record; ``exists`` says whether there is a row for it."""

    key: Any
    values: Values
    rows: dict[str, list[Row]]
    exists: bool
    is_new: bool = False
    is_gone: bool = False
    dirty: set[str] = field(default_factory=set)

    @property
    def touched(self) -> bool:
        """Tell whether anything is to be written."""
        if self.is_new or self.is_gone or self.dirty:
            return True
        return any(row.is_new or row.is_gone or row.dirty for rows in self.rows.values() for row in rows)


class Statements:
    """The statements of a write file, made once."""

    def __init__(self, definition: WriteDefinition) -> None:
        self.definition = definition
        self._root = _table(definition.table, {definition.key, *definition.fields.values()})
        self._children = {
            child.path: _table(child.table, {child.key, child.row, *child.fields.values()})
            for child in definition.children
        }
        self._inserts: dict[tuple[str, frozenset[str]], Many] = {}
        self._updates: dict[tuple[str, frozenset[str]], Many] = {}
        self._finds = tuple(Among(_finding(each)) for each in definition.find)
        self._read = Among(_reading(definition.table, definition.key, (definition.key, *definition.fields.values())))
        self._reads = {
            child.path: Among(_reading(child.table, child.key, (child.key, child.row, *child.fields.values())))
            for child in definition.children
        }

    def find(self, connection: Connection, place: int, values: Iterable[Any]) -> dict[Any, set[Any]]:
        """Return the keys of the records that one way of finding gives for each value."""
        found: dict[Any, set[Any]] = {}
        wanted = [each for each in set(values) if each is not None]
        for value, key in self._finds[place].rows(connection, wanted):
            found.setdefault(_read(value), set()).add(_read(key))
        return found

    def load(self, connection: Connection, keys: Iterable[Any]) -> dict[Any, Local]:
        """Read records by key; one that is not there is missing from the answer."""
        wanted = list(keys)
        found: dict[Any, Local] = {}
        if not wanted:
            return found
        fields, children = tuple(self.definition.fields), self.definition.children
        for key, *values in self._read.rows(connection, wanted):
            name = _read(key)
            read = dict(zip(fields, map(_read, values), strict=True))
            found[name] = Local(name, read, {child.path: [] for child in children}, exists=True)
        for child in children if found else ():
            for key, row, *values in self._reads[child.path].rows(connection, list(found)):
                read = dict(zip(child.fields, map(_read, values), strict=True))
                found[_read(key)].rows[child.path].append(Row(_read(row), read))
        return found

    def write(self, connection: Connection, records: Iterable[Local]) -> None:
        """Write what changed; raises SQLAlchemy's errors."""
        changed = [each for each in records if each.touched]
        self._write_root(connection, changed)
        for child in self.definition.children:
            self._write_rows(connection, child, changed)
        gone = [{_KEY: each.key} for each in changed if each.is_gone and each.exists]
        if gone:
            own = delete(self._root).where(self._root.c[self.definition.key] == _named(_KEY))
            connection.execute(own, gone)

    def _write_root(self, connection: Connection, changed: list[Local]) -> None:
        columns, inserts, updates = self.definition.fields, _Groups(), _Groups()
        for each in changed:
            if each.is_new and not each.is_gone:
                filled = {columns[name]: value for name, value in each.values.items()}
                inserts.add({self.definition.key: each.key} | filled)
            elif each.dirty and not each.is_gone:
                updates.add({_KEY: each.key} | {columns[name]: each.values[name] for name in sorted(each.dirty)})
        for names, parameters in inserts:
            self._insert(self._root, names).run(connection, parameters)
        for names, parameters in updates:
            self._update(self._root, (self.definition.key,), names).run(connection, parameters)

    def _write_rows(self, connection: Connection, child: Child, changed: list[Local]) -> None:
        own, inserts, updates, gone = self._children[child.path], _Groups(), _Groups(), []
        for each in changed:
            for row in each.rows[child.path]:
                address = {_KEY: each.key, _ROW: row.name}
                if row.is_gone or each.is_gone:
                    gone += [] if row.is_new else [address]
                elif row.is_new:
                    filled = {child.fields[name]: value for name, value in row.values.items()}
                    inserts.add({child.key: each.key} | filled)
                elif row.dirty:
                    updates.add(address | {child.fields[name]: row.values[name] for name in sorted(row.dirty)})
        if gone:
            connection.execute(delete(own).where(*_at(own, (child.key, child.row))), gone)
        for names, parameters in updates:
            self._update(own, (child.key, child.row), names).run(connection, parameters)
        for names, parameters in inserts:
            self._insert(own, names).run(connection, parameters)

    def _insert(self, own: TableClause, names: frozenset[str]) -> Many:
        """Statements are kept: to make one costs as much as to run it."""
        found = self._inserts.get((own.name, names))
        if found is None:
            found = self._inserts[own.name, names] = Many(insert(own).values(_bound(names)))
        return found

    def _update(self, own: TableClause, address: tuple[str, ...], names: frozenset[str]) -> Many:
        found = self._updates.get((own.name, names))
        if found is None:
            made = update(own).where(*_at(own, address)).values(_bound(names - set(_ADDRESS)))
            found = self._updates[own.name, names] = Many(made)
        return found


class _Groups:
    """Parameters by the set of their names: each set is one statement."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], list[Values]] = {}

    def add(self, parameters: Values) -> None:
        self._found.setdefault(tuple(parameters), []).append(parameters)

    def __iter__(self) -> Iterator[tuple[frozenset[str], list[Values]]]:
        return ((frozenset(names), parameters) for names, parameters in self._found.items())


def _table(name: str, columns: Iterable[str]) -> TableClause:
    schema, _dot, own = name.rpartition(".")
    return table(own, *(column(each) for each in sorted(columns)), schema=schema or None)


def _named(name: str) -> Any:  # noqa: ANN401  # a bound parameter
    """Untyped, so that the database takes a value as what its column is."""
    return bindparam(name, type_=NULLTYPE)


def _at(own: TableClause, address: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [own.c[name] == _named(parameter) for name, parameter in zip(address, _ADDRESS, strict=False)]


def _bound(names: Iterable[str]) -> Mapping[str, Any]:
    return {each: _named(each) for each in sorted(names)}


def _reading(name: str, key: str, columns: Iterable[str]) -> _Query:
    wanted: Select[Any] = select(*_columns(columns)).select_from(table_of(name)).with_for_update()
    return lambda values: wanted.where(column(key).in_(values))


def _columns(names: Iterable[str]) -> list[ColumnElement[Any]]:
    return [column(each) for each in names]


def _finding(find: Find) -> _Query:
    wanted: Select[Any] = select(*_columns((find.column, find.key))).select_from(table_of(find.table))
    return lambda values: wanted.where(column(find.column).in_(values))


def _read(value: Any) -> Any:  # noqa: ANN401  # a column's value
    """As JSON has it; a time as databases write one, which is what ``write_time`` makes."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else plain(value)
