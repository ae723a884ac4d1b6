"""The tests' own short cut: tables that are made by repeating what Alembic said are those that Alembic makes."""

from collections.abc import Callable
from contextlib import closing

import pytest
import sqlalchemy as sa

from adapters.events.migrations import EVENTS
from securityserver.migrations import NODE
from serverkit import upgrades
from serverkit.database import Database, open_database, open_guest
from serverkit.migrations import Migrations
from tests.support import migrating

TABLES = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    "postgresql": """
        SELECT table_name, column_name, ordinal_position::text, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT tablename, indexname, '', indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass::text, conname, '', pg_get_constraintdef(oid), '', '' FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT relname, pg_get_partkeydef(oid), '', relkind::text, '', '' FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3, 4""",
}


def open_as(migrations: Migrations, url: str) -> Database:
    return open_database(url, NODE) if migrations is NODE else open_guest(sa.make_url(url), migrations)


def tables(database: Database, migrations: Migrations) -> list[object]:
    with closing(database), database.reading() as connection:
        version = connection.execute(sa.text(f"SELECT * FROM {migrations.version_table}")).all()  # noqa: S608 - our own
        return [*version, *connection.execute(sa.text(TABLES[connection.dialect.name])).all()]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'one.db'}"
    of_the_server: Callable[[], str] = request.getfixturevalue("postgresql_server").new_database
    return of_the_server


@pytest.mark.parametrize("migrations", [NODE, EVENTS], ids=["node", "events"])
def test_repeated_statements_make_the_same_tables(
    migrations: Migrations, new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_said", {})
    heard, repeated = (tables(open_as(migrations, new_url()), migrations) for _ in range(2))
    monkeypatch.setattr(upgrades, "upgrade", migrating._truly)
    assert tables(open_as(migrations, new_url()), migrations) == heard == repeated
    assert len(heard) > 30
