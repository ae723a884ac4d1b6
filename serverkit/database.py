"""Opens a server's database by its URL: SQLite with write-ahead log, or PostgreSQL.

It refuses to know tables: packages that own some bring their migrations.
What only SQLite knows is here, what only PostgreSQL knows in `postgresql`; whoever holds a `Database` sees transactions
and snapshots, the same on both.
"""

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from serverkit import postgresql
from serverkit.claims import Claim, Claimed, FileClaim
from serverkit.migrations import Migrations, NewerSchema, is_newest, migrate
from serverkit.postgresql import AdvisoryClaim

# Long enough for another process's `apply` or checkpoint, short enough that a caller still gets an answer.
BUSY_TIMEOUT_SECONDS = 10
# 16 MiB of 4 KiB pages: measured twice as fast under load as SQLite's 1000, since hot index pages are copied once.
WAL_CHECKPOINT_PAGES = 4096
# A first load of a million writes hashes, which have no neighbours: with SQLite's 2 MiB each page was read again for
# each row. Taken as it is needed, by the one connection that writes.
GUEST_CACHE_KIB = 32 * 1024
# After a checkpoint the write-ahead log is cut back to this.
WAL_KEPT_BYTES = 32 * 1024 * 1024
# A full check reads the whole file; above this it would break the promise of a start within 2 seconds.
FULL_CHECK_BYTES = 128 * 1024 * 1024
POSTGRESQL = "postgresql"
_URLS = "use sqlite:////absolute/path or postgresql+psycopg://user@host/name"
_POSTGRESQL_ADVICE = "see that the server runs, and that the URL, the user and its password are right."
# Bodies of messages are in the file: nobody but the server's own account reads them.
_OWNER_ONLY = 0o600


class DatabaseUnusable(Exception):  # noqa: N818 - says what the administrator meets
    """The database cannot be opened; the message says what to do."""


class Database:
    """An open database; safe to share between threads.

    Args:
        url: where it is.
        writer: connections that write.
        reader: connections that can only read.
    """

    def __init__(self, url: URL, writer: Engine, reader: Engine) -> None:
        self.url = url.render_as_string(hide_password=True)
        self._path = url.database
        self.is_postgresql = url.get_backend_name() == POSTGRESQL
        self._writer, self._reader = writer, reader

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database."""
        return None if self.is_postgresql or self._path is None else Path(self._path)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Write: all of it or nothing, durable when the block has ended."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one consistent snapshot; writing through it fails. Keep it short: it holds back checkpoints."""
        with self._reader.begin() as connection:
            yield connection

    def autocommit_connection(self) -> sqlite3.Connection:
        """Give the driver's own connection, on which each statement is a durable transaction; the caller closes it.

        For the one hot path that cannot pay for a transaction of three statements; see `messagelog.writer`.
        """
        pooled = self._writer.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        if not isinstance(connection, sqlite3.Connection):
            raise TypeError("only SQLite is supported")
        return connection

    def claim(self, name: str) -> Claim:
        """Keep other processes from what only one may do, until the claim is released or this process ends.

        Raises:
            DatabaseUnusable: another process does it.
        """
        if self.is_postgresql:
            return self._advisory_claim(name)
        path = Path(f"{self._path}-{name.replace(' ', '-')}.lock")
        try:
            return FileClaim(path)
        except Claimed as error:
            raise DatabaseUnusable(f"{self._path}: another process writes its {name}; stop that one first.") from error
        except OSError as error:
            raise DatabaseUnusable(f"{path}: cannot be made ({error.strerror}).") from error

    def _advisory_claim(self, name: str) -> AdvisoryClaim:
        try:
            return AdvisoryClaim(self._writer, name)
        except Claimed as error:
            raise DatabaseUnusable(f"{self.url}: another process writes its {name}; stop that one first.") from error
        except SQLAlchemyError as error:
            raise DatabaseUnusable(f"{self.url}: cannot be reached; {_POSTGRESQL_ADVICE}") from error

    def driver_connection(self) -> Any:  # noqa: ANN401 - the type is that of a driver which need not be installed
        """Give PostgreSQL's own connection, on which each statement is a durable transaction; the caller closes it.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the server is out of reach.
        """
        pooled = self._writer.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.autocommit = True
        return connection

    def wal_bytes(self) -> int:
        """Give the size of the write-ahead log now."""
        try:
            return os.stat(f"{self._path}-wal").st_size  # noqa: PTH116 - called per commit: no Path is built
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Close all connections; the last one out checkpoints the write-ahead log."""
        self._reader.dispose()
        self._writer.dispose()


def open_database(url: str, migrations: Migrations) -> Database:
    """Open, check and migrate; blocks.

    Args:
        url: ``sqlite:////absolute/path``, or ``postgresql+psycopg://user@host/name``.
        migrations: the tables that the code expects.

    Raises:
        DatabaseUnusable: not a supported URL, damaged, another program's, newer than the code, locked or unreadable.
    """
    parsed = _parsed(url)
    return _open_postgresql(parsed, migrations) if parsed.host else _open_sqlite(parsed, migrations)


def open_guest(url: URL, migrations: Migrations) -> Database:
    """Open a database that another program may own, and keep tables of our own beside that program's; blocks.

    A guest changes nothing of its host: neither the file's mark nor its journal. A file that is not there is made.

    Args:
        url: with the password in it, if one is needed.
        migrations: the guest's tables, with a version table of their own.

    Raises:
        DatabaseUnusable: not a supported URL, newer than the code, locked or unreadable.
    """
    shown = url.render_as_string(hide_password=True)
    try:
        if url.get_backend_name() == "sqlite":
            database = _guest_file(url)
        else:
            database = Database(url, *(postgresql.engine(url, read_only=read_only) for read_only in (False, True)))
        with database.reading() as connection:
            current = is_newest(connection, migrations)
        if not current:  # only then: a command must open what another process has been writing into for minutes
            _migrate_guest(database, migrations)
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(f"{shown}: PostgreSQL's driver is missing; install spean[postgresql].") from error
    except NewerSchema as error:
        raise DatabaseUnusable(f"{shown}: {error}") from error
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise DatabaseUnusable(f"{shown}: cannot be opened ({_cause(error)}).") from error
    return database


def _migrate_guest(database: Database, migrations: Migrations) -> None:
    with database.transaction() as connection:
        if database.is_postgresql:
            postgresql.lock_migrations(connection)
        migrate(connection, migrations)


def _guest_file(url: URL) -> Database:
    path = Path(url.database or "")
    if not path.exists():
        os.close(os.open(path, os.O_CREAT, _OWNER_ONLY))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    return Database(url, *(_engine(url, begin, _on_connect_as_guest) for begin in (_on_begin_write, _on_begin_read)))


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnusable(f"The database's URL cannot be read; {_URLS}.") from error
    kind, name = parsed.get_backend_name(), parsed.database
    if kind == POSTGRESQL and parsed.drivername == "postgresql+psycopg" and parsed.host and name:
        return parsed
    if kind != "sqlite" or parsed.host or not name or name == ":memory:":
        raise DatabaseUnusable(f"{parsed!r}: {_URLS}; others are not supported.")
    return parsed


def _open_postgresql(parsed: URL, migrations: Migrations) -> Database:
    shown = parsed.render_as_string(hide_password=True)
    mark = f"spean {migrations.application_id:08x}"
    try:
        engines = [postgresql.engine(parsed, read_only=read_only) for read_only in (False, True)]
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(f"{shown}: PostgreSQL's driver is missing; install spean[postgresql].") from error
    database = Database(parsed, *engines)
    try:
        with database.transaction() as connection:
            postgresql.lock_migrations(connection)
            postgresql.check_owner(connection, mark)
            migrate(connection, migrations)
            postgresql.mark_owner(connection, mark)
    except (NewerSchema, Claimed) as error:
        database.close()
        raise DatabaseUnusable(f"{shown}: {error}") from error
    except SQLAlchemyError as error:
        database.close()
        raise DatabaseUnusable(f"{shown}: cannot be opened ({_cause(error)}); {_POSTGRESQL_ADVICE}") from error
    return database


def _open_sqlite(parsed: URL, migrations: Migrations) -> Database:
    if not parsed.database:
        raise AssertionError("the URL has been checked")
    path = Path(parsed.database)
    try:
        _create_whole(path, migrations.application_id)
        _check_file(path, migrations.application_id)
        database = Database(parsed, _engine(parsed, _on_begin_write), _engine(parsed, _on_begin_read))
        with database.transaction() as connection:
            migrate(connection, migrations)
    except NewerSchema as error:
        raise DatabaseUnusable(f"{path}: {error}") from error
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise DatabaseUnusable(f"{path}: cannot be opened ({_cause(error)}); {_advice(error)}") from error
    return database


def _create_whole(path: Path, application_id: int) -> None:
    """Make a new file complete before it gets its name, so that an empty one can only be a damaged one."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
    try:
        _write_header(draft, application_id)
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was faster: its file is as good
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _write_header(draft: Path, application_id: int) -> None:
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA application_id={application_id:d}")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_file(path: Path, application_id: int) -> None:
    size = path.stat().st_size
    if not size:
        raise DatabaseUnusable(
            f"{path}: the file is empty, so its content was lost; restore it from a backup, "
            "or remove it if this server shall start with nothing."
        )
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        found = connection.execute("PRAGMA application_id").fetchone()[0]
        if found != application_id:
            raise DatabaseUnusable(f"{path}: this is another program's database; give the path of this server's own.")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if size <= FULL_CHECK_BYTES else "ok"
    finally:
        connection.close()
    if verdict != "ok":
        raise DatabaseUnusable(f"{path}: the file is damaged ({verdict}); keep it, and restore a backup in its place.")


def _engine(url: URL, on_begin: Any, on_connect: Any = None) -> Engine:  # noqa: ANN401 - SQLAlchemy's event listeners
    # An error would else quote what was being written: messages, with all that is in them.
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "cached_statements": 512}, hide_parameters=True
    )
    event.listen(engine, "connect", on_connect or _on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _on_connect_as_guest(connection: sqlite3.Connection, _record: object) -> None:
    """All of these end with the connection."""
    connection.isolation_level = None
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        f"cache_size={-GUEST_CACHE_KIB}",
        "temp_store=MEMORY",  # else each page that a savepoint may have to bring back goes into a file of its own
        f"wal_autocheckpoint={WAL_CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: it would leave schema changes outside of them.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # a commit returns after the write-ahead log was synced
        "foreign_keys=ON",
        f"wal_autocheckpoint={WAL_CHECKPOINT_PAGES}",
        f"journal_size_limit={WAL_KEPT_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin_write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # take the lock now: an upgrade later could not wait for it


def _on_begin_read(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA query_only=ON")
    connection.exec_driver_sql("BEGIN")


def _cause(error: Exception) -> object:
    if isinstance(error, DBAPIError):
        return error.orig
    return error.strerror if isinstance(error, OSError) else error


def _advice(error: Exception) -> str:
    text = str(_cause(error))
    if "malformed" in text or "not a database" in text:
        return "it is damaged: keep it, and restore a backup in its place."
    if "locked" in text:
        return "another process holds it: stop that process, or try again."
    if "full" in text or "No space" in text:
        return "make room on the disk."
    return "see that the directory exists and that this server's account may write there."
