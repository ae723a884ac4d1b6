"""Statements for hundreds of rows: compiled once for each kind of database, and run without SQLAlchemy's work per row.

It refuses to know tables and values: both are handed in, and a value is always a parameter. Writers read and write a
chunk of events with these, where SQLAlchemy's own processing cost a record more than the database did.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Dialect, bindparam
from sqlalchemy.dialects.mysql import pymysql
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.sql.expression import ClauseElement, Insert
from sqlalchemy.types import NULLTYPE

from serverkit import manyrows

MOST: Final = 512  # values of one IN: above a chunk of events, far below what a database takes
_VALUE: Final = "spean_value_"  # names of parameters, which no column may have
_BY_PLACE: Final[Mapping[str, Dialect]] = {  # these drivers take parameters by their place
    "sqlite": pysqlite.dialect(paramstyle="qmark"),
    "postgresql": psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
    "mariadb": pymysql.dialect(paramstyle="format"),
}
_Ready = tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]


class Many:
    """A statement that runs for many rows of parameters."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each row; raises SQLAlchemy's errors."""
        if not rows:
            return
        kind = connection.dialect.name
        ready = self._ready.get(kind)
        if ready is None:
            ready = self._ready[kind] = _compiled(connection, self._statement)
        text, pick = ready
        given = [pick(each) for each in rows]
        if kind == "sqlite" and isinstance(self._statement, Insert):
            for several, parameters in manyrows.statements(text, given):
                connection.exec_driver_sql(several, parameters)
        else:
            connection.exec_driver_sql(text, given)


class Among:
    """A query for rows with one of some values.

    Args:
        query: makes it of the values; what else varies is a parameter of its own.
    """

    def __init__(self, query: Callable[[Sequence[BindParameter[Any]]], ClauseElement]) -> None:
        self._query = query
        self._ready: dict[tuple[str, int], _Ready] = {}

    def rows(self, connection: Connection, values: Sequence[Any], **more: Any) -> list[Any]:  # noqa: ANN401  # columns' values
        """Return what is found; raises SQLAlchemy's errors."""
        found: list[Any] = []
        for start in range(0, len(values), MOST):
            found += self._some(connection, values[start : start + MOST], more)
        return found

    def _some(self, connection: Connection, values: Sequence[Any], more: Mapping[str, Any]) -> Sequence[Any]:
        """Ask with as many values as a power of two, the last one repeated: few texts, which databases remember."""
        size = 1 << (len(values) - 1).bit_length()
        names = [f"{_VALUE}{place}" for place in range(size)]
        known = connection.dialect.name, size
        ready = self._ready.get(known)
        if ready is None:
            made = self._query([bindparam(each, type_=NULLTYPE) for each in names])
            ready = self._ready[known] = _compiled(connection, made)
        text, pick = ready
        given = dict(zip(names, [*values, *[values[-1]] * (size - len(values))], strict=True))
        return connection.exec_driver_sql(text, pick({**given, **more})).all()


def _compiled(connection: Connection, statement: ClauseElement) -> _Ready:
    """Return the text for the driver, and what puts parameters into the places that it has for them."""
    made = statement.compile(dialect=_BY_PLACE[connection.dialect.name])
    names = tuple(getattr(made, "positiontup", None) or ())
    if len(names) > 1:
        return str(made), itemgetter(*names)
    return str(made), lambda row: tuple(row[each] for each in names)
