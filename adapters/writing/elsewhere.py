"""Rows in a database that cannot hold the tables of events: what was applied stands there in one small table.

It refuses to let the two databases part: rows and the note of what was done are one transaction there, and the tables
of events follow the note, now or, after a kill between the two commits, before anything else is written. A
:class:`adapters.writing.Writer` opens it for each message.
"""

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, String, Table, delete, inspect, select, text
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from adapters.capture import positions
from adapters.errors import ConfigError
from adapters.events import EventsKey
from adapters.events.store import milliseconds
from adapters.writing.memory import carry_out
from adapters.writing.places import There, bound

Told = list[tuple[str | None, str]]  # service (None: the writer's own) and key of a record that others are to hear of
_META: Final = MetaData()
APPLIED: Final = Table(
    "spean_applied",
    _META,
    Column("number", BigInteger, primary_key=True, autoincrement=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("writer", VARBINARY(32), nullable=False, index=True),  # of events key and service: others may write here too
    Column("at", BigInteger, nullable=False),
    Column("sealed", LONGBLOB, nullable=False),  # what the tables of events are to hold, and who is to hear of it
    mysql_engine="InnoDB",
)
_FOLLOWED: Final = "spean notes followed"  # in the notes of a connection of the events, with its transaction
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_DURABLE: Final = text("SELECT @@innodb_flush_log_at_trx_commit")
_log = structlog.get_logger(__name__)


class Elsewhere:
    """The rows of one writer.

    Args:
        engine: connections that write there.
        key: of the adapter's events.
        service: whose writer it is.
    """

    def __init__(self, engine: Engine, key: EventsKey, service: str) -> None:
        self._engine, self._key = engine, key
        self._word, self._position = key.word("writing", service), f"writing:{service}"

    @contextmanager
    def open(self, connection: Connection, told: Told, at: datetime) -> Iterator[None]:
        """Write rows in the block, inside a transaction of the events; they are durable when it ends.

        Args:
            connection: of the events: it commits later, or never.
            told: who is to hear of what; what is put in here in the block is kept with the rows, and what was kept and
                never followed is put in too.
            at: now.
        """
        if connection.dialect.name == "postgresql":  # SQLite lets one transaction write at a time anyway
            connection.execute(_LOCK, {"name": f"{self._position} {self._word.hex()}"})
        with self._engine.begin() as rows:
            known, own = self._known(connection), _own(connection)
            names = self._follow((connection, rows), known, own, told)
            there, before = There(rows), len(told)
            with bound(connection, there):
                yield
            if there.written or told[before:]:
                names.append(self._keep(rows, there, told[before:], at))
            own |= set(names) - set(known)
            if names != known:
                positions.write(connection, self._key, self._position, {"followed": names}, at)

    def _known(self, connection: Connection) -> list[str]:
        """Return the notes that the tables of events have followed already."""
        found = positions.read(connection, self._key, self._position)
        return [] if found is None else found["followed"]

    def _follow(
        self, connections: tuple[Connection, Connection], known: list[str], own: set[str], told: Told
    ) -> list[str]:
        """Do what was noted and never followed, forget what was followed, and return the names of what stays.

        What was followed in this very transaction of the events is not durable there: it may still be undone.
        """
        connection, rows = connections
        wanted = select(APPLIED.c.name, APPLIED.c.sealed).where(APPLIED.c.writer == self._word)
        found = rows.execute(wanted.order_by(APPLIED.c.number)).all()
        done = [row.name for row in found if row.name in known and row.name not in own]
        if done:
            rows.execute(delete(APPLIED).where(APPLIED.c.name.in_(done)))
        left = [row for row in found if row.name not in known]
        for row in left:
            noted = self._key.unseal(row.sealed)
            for what, each in noted["written"]:
                carry_out(connection, what, [_opened(one) for one in each])
            told += [(service, record) for service, record in noted["told"]]
        return [row.name for row in found if row.name not in done]

    def _keep(self, rows: Connection, there: There, told: Told, at: datetime) -> str:
        name = uuid.uuid4().hex
        written = [(what, [_closed(one) for one in each]) for what, each in there.written]
        sealed = self._key.seal({"written": written, "told": told})
        row = {"name": name, "writer": self._word, "at": milliseconds(at), "sealed": sealed}
        rows.execute(APPLIED.insert(), row)
        return name


def _own(connection: Connection) -> set[str]:
    """Return the notes that this transaction of the events has followed; another one begins with none."""
    transaction = connection.get_transaction()
    found = connection.info.get(_FOLLOWED)
    if found is None or found[0] is not transaction:
        found = connection.info[_FOLLOWED] = transaction, set()
    own: set[str] = found[1]
    return own


def make_table(engine: Engine, *, file: str) -> None:
    """Make the small table where it is missing, and look whether a commit lasts there; blocks.

    Raises:
        ConfigError: the database cannot be used, or the table can neither be found nor made.
    """
    try:
        with engine.begin() as connection:
            is_there = inspect(connection).has_table(APPLIED.name)
            if connection.execute(_DURABLE).scalar_one() != 1:
                _log.warning(
                    "writing_may_be_lost",
                    problem="a power failure may undo what was written: set innodb_flush_log_at_trx_commit to 1",
                )
    except SQLAlchemyError as error:
        raise ConfigError(file, "source", f"the database cannot be written: {_cause(error)}") from None
    if is_there:
        return
    try:
        _META.create_all(engine)
    except SQLAlchemyError as error:
        statement = " ".join(str(CreateTable(APPLIED).compile(engine)).split())
        problem = f"the table {APPLIED.name} cannot be made ({_cause(error)}): let its administrator run: {statement}"
        raise ConfigError(file, "source", problem) from None


def _cause(error: SQLAlchemyError) -> str:
    return type(getattr(error, "orig", None) or error).__name__


def _closed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    return {name: base64.b64decode(value["bytes"]) if isinstance(value, dict) else value for name, value in row.items()}
