"""Opens the databases that a source may be: SQLite, PostgreSQL and MariaDB, each read only and under a time limit.

It refuses any other, a password in a URL, and driver settings that are not named here: one could lift a limit.
:mod:`adapters.source.sql` runs its statements inside :func:`reading`.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from adapters.errors import ConfigError, SourceError

_STEPS: Final = 2_000  # SQLite asks after so many of its instructions whether time is up: about every 0.1 ms
CONNECT_SECONDS: Final = 5
_POOL: Final = MappingProxyType({"max_overflow": 0, "pool_timeout": CONNECT_SECONDS})
# Messages are written one after the other, or a few at once where the events are in PostgreSQL. One connection stays,
# since to make one the driver reads the machine's authorities, which takes as long as to write dozens of rows.
_WRITING_POOL: Final = MappingProxyType({"pool_size": 1, "max_overflow": 7, "pool_timeout": CONNECT_SECONDS})
_DRIVERS: Final = MappingProxyType({
    "sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql", "mariadb+pymysql": "mariadb+pymysql",
})  # fmt: skip
_SETTINGS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "sqlite": frozenset(),
    "postgresql+psycopg": frozenset({"host", "sslmode", "sslrootcert"}),
    "mariadb+pymysql": frozenset({"unix_socket", "ssl_ca"}),
})  # fmt: skip
_WANTED: Final = "sqlite:////var/lib/registry.sqlite, postgresql://user@host/database or mariadb://user@host/database"
PG_CANCELLED: Final = "57014"  # query_canceled: what statement_timeout raises
MARIADB_TIMEOUT: Final = 1969  # ER_STATEMENT_TIMEOUT


def read_url(file: str, url: str) -> URL:
    """Return a database URL with its driver; raises :class:`ConfigError`, which never repeats the URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        # `from None`: the library's message repeats the URL, which may hold a password.
        raise ConfigError(file, "source.url", f"is not a database URL such as {_WANTED}") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None or not parsed.database:
        raise ConfigError(file, "source.url", f"can be {_WANTED}: these can be opened read only")
    if parsed.password is not None:
        raise ConfigError(file, "source.url", "has a password in it: put it in a file and name that by password_file")
    unknown = sorted(set(parsed.query) - _SETTINGS[driver])
    if unknown:
        raise ConfigError(
            file, "source.url", f"the settings {', '.join(unknown)} are not among those that can be given"
        )
    return parsed.set(drivername=driver)


def open_engine(file: str, url: URL, *, password: str | None, connections: int, timeout_ms: int) -> Engine:
    """Make an engine whose connections can only read; nothing is opened yet."""
    if url.drivername == "sqlite":
        return _sqlite(url, connections, timeout_ms)
    try:
        if url.drivername.startswith("postgresql"):
            return _postgresql(url.set(password=password), connections, timeout_ms)
        return _mariadb(url.set(password=password), connections, timeout_ms)
    except ModuleNotFoundError as error:
        raise ConfigError(file, "source.url", f"needs {error.name}: install spean[adapters]") from error


def _sqlite(url: URL, connections: int, timeout_ms: int) -> Engine:
    path = Path(str(url.database)).resolve()

    def connect() -> sqlite3.Connection:
        if not path.is_file():
            raise SourceError(f"the database file {path} is not there")
        opened = sqlite3.connect(
            f"{path.as_uri()}?mode=ro",
            timeout=timeout_ms / 1000,  # for a lock too, nobody waits longer than for a statement
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        opened.execute("PRAGMA query_only = ON")
        return opened

    # Named, because SQLAlchemy keeps one connection per thread for a database without a file in its URL.
    return create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=connections, **_POOL)


def _postgresql(url: URL, connections: int, timeout_ms: int) -> Engine:
    options = f"-c default_transaction_read_only=on -c statement_timeout={timeout_ms} -c DateStyle=ISO"
    engine = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS, "options": options},
        isolation_level="REPEATABLE READ",  # the count, the page and its parts are of one moment
        pool_size=connections,
        pool_pre_ping=True,
        **_POOL,
    )
    return engine.execution_options(postgresql_readonly=True)


def _mariadb(url: URL, connections: int, timeout_ms: int) -> Engine:
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": timeout_ms / 1000 + CONNECT_SECONDS,  # a server that stopped answering cannot stop itself
        "charset": "utf8mb4",
        "local_infile": False,
    }
    engine = create_engine(
        url,
        connect_args=arguments,
        isolation_level="REPEATABLE READ",
        pool_size=connections,
        pool_pre_ping=True,
        **_POOL,
    )

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute("SET SESSION max_statement_time = %s", (timeout_ms / 1000,))

    return engine


def open_writing_engine(file: str, url: URL, *, password: str | None, timeout_ms: int) -> Engine:
    """Make an engine for MariaDB whose connections write: each value whole or refused."""
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": timeout_ms / 1000 + CONNECT_SECONDS,
        "charset": "utf8mb4",
        "local_infile": False,
    }
    try:
        engine = create_engine(
            url.set(password=password),
            connect_args=arguments,
            isolation_level="READ COMMITTED",  # what is read to be changed is as it is now, and locked
            pool_pre_ping=True,  # the server may have closed it meanwhile
            **_WRITING_POOL,
            hide_parameters=True,  # an error would else quote the record
        )
    except ModuleNotFoundError as error:
        raise ConfigError(file, "source.url", f"needs {error.name}: install spean[adapters]") from error

    @event.listens_for(engine, "connect")
    def be_strict(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", (max(timeout_ms // 1000, 1),))
            cursor.execute("SET SESSION max_statement_time = %s", (timeout_ms / 1000,))

    return engine


@contextmanager
def reading(engine: Engine, deadline: float) -> Iterator[Connection]:
    """Give a connection in one read transaction; ``deadline`` is on the monotonic clock and binds SQLite."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection
            return
        with _limited(connection, deadline):
            connection.exec_driver_sql("BEGIN")
            yield connection


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


def timed_out(error: BaseException | None, deadline: float) -> bool:
    """Tell whether a driver's error says that the time for a statement was up."""
    number = error.args[0] if error is not None and error.args else None
    return getattr(error, "sqlstate", None) == PG_CANCELLED or number == MARIADB_TIMEOUT or time.monotonic() > deadline
