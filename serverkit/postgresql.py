"""Everything that only PostgreSQL knows: how connections are opened, and what one process claims for itself.

It refuses to know tables. `serverkit.database` opens a database with it when the URL says so; the driver (psycopg) is
an extra that only those nodes need.
"""

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from serverkit.claims import Claimed

CONNECT_SECONDS = 10
# As SQLite's wait for a lock: long enough for another's short transaction, short enough that a caller gets an answer.
LOCK_WAIT_MILLISECONDS = 10_000
# Advisory locks are numbers: those of this software have one first half, so that no other program's meets them.
_LOCK_SPACE = 0x53504E
_MIGRATION_LOCK = 0
_CLAIM = text(f"SELECT pg_try_advisory_lock({_LOCK_SPACE}, hashtext(:name))")
_RELEASE = text(f"SELECT pg_advisory_unlock({_LOCK_SPACE}, hashtext(:name))")


def engine(url: URL, *, read_only: bool) -> Engine:
    """Make the pool of connections that read, or that write."""
    made = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "spean"},
        hide_parameters=True,  # an error would else quote what was being written: messages, with all that is in them
        pool_pre_ping=True,  # after the server was restarted, nobody gets a connection that it has cut
    )
    event.listen(made, "connect", _on_connect)
    if read_only:
        event.listen(made, "connect", _on_connect_to_read)
        event.listen(made, "begin", _on_begin_read)
    return made


def lock_migrations(connection: Connection) -> None:
    """Let one process at a time change the tables, until the transaction ends."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, {_MIGRATION_LOCK})"))


def check_owner(connection: Connection, mark: str) -> None:
    """Refuse a database that holds other tables than this program's.

    Raises:
        Claimed: it does.
    """
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return
    found = connection.execute(text("SELECT obj_description('alembic_version'::regclass)")).scalar_one()
    if found != mark:
        raise Claimed("this is another program's database; give the name of this server's own")


def mark_owner(connection: Connection, mark: str) -> None:
    """Write into the database whose it is."""
    connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{mark}'"))


class AdvisoryClaim:
    """A lock that the server gives back when the connection ends, however the process does.

    Args:
        writer: the pool.
        name: of what is claimed.

    Raises:
        Claimed: another process has it.
    """

    def __init__(self, writer: Engine, name: str) -> None:
        self._connection = writer.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()
        self._name = {"name": name}
        try:
            taken = self._connection.execute(_CLAIM, self._name).scalar_one()
        except SQLAlchemyError:
            self._connection.close()
            raise
        if not taken:
            self._connection.close()
            raise Claimed(name)

    def release(self) -> None:
        """Let others do it."""
        # The server may have cut the connection, and with it the lock. Of one that is closed here it hears a little
        # later: who claims at once would still meet the lock.
        with suppress(SQLAlchemyError):
            self._connection.execute(_RELEASE, self._name)
        with suppress(SQLAlchemyError):
            self._connection.close()

    def held(self) -> bool:
        """Ask over the connection that holds it."""
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


def _on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.autocommit = True
    # A commit returns after it is on the disk, whatever the server's own settings say.
    connection.execute("SET synchronous_commit = on")
    connection.execute(f"SET lock_timeout = {LOCK_WAIT_MILLISECONDS:d}")
    connection.autocommit = False


def _on_connect_to_read(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    # After some runs of a statement PostgreSQL tries a plan for any values, which looks into all partitions: among the
    # ten million records of a month that took 40 ms once, where a search takes 15.
    connection.autocommit = True
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.autocommit = False


def _on_begin_read(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
