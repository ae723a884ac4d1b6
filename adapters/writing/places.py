"""Where the rows of a register are, while one transaction of events runs: beside the tables of events, or elsewhere.

It refuses to open or to commit anything. A writer's parts ask it for the connection of the rows, and for savepoints
that bind both databases; :mod:`adapters.writing.elsewhere` says that there are two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

_NOTE: Final = "spean rows elsewhere"  # in the notes of the connection of the events
# What MariaDB's driver does not tell from a database that is away: a wrong date, a column without a value, a trigger
# that refuses, and rules of a table (as MySQL and as MariaDB number them).
_BY_THE_RECORD: Final = frozenset({1292, 1364, 1644, 3819, 4025})


@dataclass(frozen=True, slots=True)
class There:
    """The transaction in which rows are written elsewhere, and what is to be remembered of it beside the events."""

    rows: Connection
    written: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)


@contextmanager
def bound(connection: Connection, there: There) -> Iterator[None]:
    """Let a transaction of the events have its rows elsewhere, until the block ends."""
    connection.info[_NOTE] = there
    try:
        yield
    finally:
        del connection.info[_NOTE]


def rows_of(connection: Connection) -> Connection:
    """Return the connection of the register's rows that belongs to a transaction of the events."""
    there: There | None = connection.info.get(_NOTE)
    return connection if there is None else there.rows


def note(connection: Connection, what: str, rows: list[dict[str, Any]]) -> None:
    """Keep what is remembered of rows that are elsewhere, for their database to keep it too."""
    there: There | None = connection.info.get(_NOTE)
    if there is not None:
        there.written.append((what, rows))


@contextmanager
def nested(connection: Connection) -> Iterator[None]:
    """Set a savepoint, in both databases where there are two."""
    there: There | None = connection.info.get(_NOTE)
    if there is None:
        with connection.begin_nested():
            yield
        return
    before = len(there.written)
    try:
        with connection.begin_nested(), there.rows.begin_nested():
            yield
    except BaseException as error:
        del there.written[before:]
        if isinstance(error, OperationalError) and _number(error) in _BY_THE_RECORD:
            raise IntegrityError(error.statement, error.params, error.orig or error, hide_parameters=True) from None
        raise


def _number(error: OperationalError) -> object:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None
