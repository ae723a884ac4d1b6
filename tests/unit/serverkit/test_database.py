import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from securityserver.messagelog.tables import METADATA as LOG
from securityserver.migrations import NODE, open_node_database
from securityserver.serverconf.tables import METADATA as CONF
from serverkit.database import Database, DatabaseUnusable, open_database
from serverkit.migrations import Migrations

pytestmark = pytest.mark.usefixtures("true_migrations")


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def make(path: Path) -> None:
    open_node_database(url(path)).close()


def count(database: Database) -> int:
    with database.reading() as connection:
        return len(connection.execute(sa.text("SELECT * FROM conf_client")).all())


def insert(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.text("INSERT INTO conf_client (identifier, connection) VALUES (:n, 'http')"), {"n": name})


def with_sql(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


def spoil_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 3] = os.urandom(4096)
    path.write_bytes(content)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_node_database(url(tmp_path / "deep" / "node.db"))


def test_tables_are_those_of_the_code(database: Database) -> None:
    both = sa.MetaData()
    for table in (*LOG.sorted_tables, *CONF.sorted_tables):
        table.to_metadata(both)
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert not compare_metadata(context, both)
    database.close()


def test_file_is_for_its_owner_only(database: Database, tmp_path: Path) -> None:
    for path in (tmp_path / "deep").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database.close()


def test_settings_that_durability_rests_on(database: Database) -> None:
    connection = database.autocommit_connection()
    pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == 10_000
    connection.close()
    database.close()


def test_transaction_is_all_or_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            insert(connection, "a")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert count(database) == 0
    with database.transaction() as connection:
        insert(connection, "a")
    assert count(database) == 1
    database.close()


def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(sa.exc.OperationalError, match="readonly"), database.reading() as connection:
        insert(connection, "a")
    database.close()


def test_reopening_keeps_everything(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        insert(connection, "a")
    database.close()
    again = open_node_database(url(tmp_path / "deep" / "node.db"))
    assert count(again) == 1
    again.close()


def test_processes_may_start_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    starters = [context.Process(target=make, args=(tmp_path / "node.db",)) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0, 0, 0]
    assert not list(tmp_path.glob(".node.db*"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"not a database at all" * 100), "damaged: keep it"),
        (spoil_pages, "damaged"),
        (lambda path: with_sql(path, "PRAGMA application_id=7"), "another program's"),
        (lambda path: with_sql(path, "UPDATE alembic_version SET version_num='v9999'"), "newer version"),
        (lambda path: path.unlink() or path.mkdir(), "cannot be opened"),
    ],
)
def test_says_what_to_do_and_replaces_nothing(spoil: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    make(path)
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(DatabaseUnusable, match=words) as caught:
        make(path)
    assert str(path) in str(caught.value)
    assert not path.is_file() or path.read_bytes() == before


@pytest.mark.parametrize(
    "bad",
    [
        "mysql+pymysql://u:secret@host/db",
        "postgresql+psycopg2://u:secret@host/db",
        "postgresql+psycopg://u:secret@host",
        "sqlite://",
        "sqlite:///:memory:",
        "secret",
    ],
)
def test_refuses_other_urls_without_showing_passwords(bad: str) -> None:
    with pytest.raises(DatabaseUnusable, match="use sqlite:////") as caught:
        open_node_database(bad)
    assert "secret" not in str(caught.value)


def test_a_start_is_quick(tmp_path: Path) -> None:
    make(tmp_path / "node.db")
    began = time.monotonic()
    make(tmp_path / "node.db")
    assert time.monotonic() - began < 2


def test_other_application_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "node.db")
    with pytest.raises(DatabaseUnusable, match="another program's"):
        open_database(url(tmp_path / "node.db"), Migrations(NODE.package, NODE.application_id + 1))


def test_a_database_that_is_up_to_date_opens_without_the_migration_tool(tmp_path: Path) -> None:
    open_node_database(url(tmp_path / "node.db")).close()
    script = (
        "import sys; from securityserver.migrations import open_node_database;"
        f" open_node_database({url(tmp_path / 'node.db')!r}).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_newest_script_is_the_head_of_the_history(tmp_path: Path) -> None:
    open_node_database(url(tmp_path / "node.db")).close()
    connection = sqlite3.connect(tmp_path / "node.db")
    with closing(connection):
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NODE.newest,)]


def test_an_error_never_quotes_what_was_being_written(database: Database) -> None:
    statement = sa.text("INSERT INTO nowhere VALUES (:card)")
    with pytest.raises(sa.exc.OperationalError) as error, database.transaction() as connection:
        connection.execute(statement, {"card": "010201-0004221"})
    assert "nowhere" in str(error.value)
    assert "010201" not in str(error.value)


def test_servers_of_one_process_make_their_databases_at_the_same_time(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(6)]
    with ThreadPoolExecutor(len(paths)) as threads:
        list(threads.map(make, paths))
    for path in paths:
        with closing(open_node_database(url(path))) as database:
            assert count(database) == 0
