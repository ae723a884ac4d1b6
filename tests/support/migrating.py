"""Has Alembic make the tables of each kind of database once a process, and repeats its statements for every other one.

It refuses to bring a database up that has a history already, and to change a statement: what Alembic said to the first
empty database is said to the next, so that both have the same tables. A test that is about migrations asks for
``true_migrations``. Alembic reads its scripts anew at each upgrade, some hundred times a suite.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import Connection, event, inspect

from serverkit import upgrades

Statement = tuple[str, Any]
_ASKING: Final = ("SELECT", "PRAGMA", "SHOW")

_truly: Final = upgrades.upgrade
_said: Final[dict[tuple[str, str, str], list[Statement]]] = {}


def _upgrade(connection: Connection, package: str, version_table: str) -> None:
    kind = (connection.dialect.name, package, version_table)
    if inspect(connection).has_table(version_table):
        _truly(connection, package, version_table)
    elif kind not in _said:
        with _listening(connection) as heard:
            _truly(connection, package, version_table)
        _said[kind] = heard
    else:
        for words, values in _said[kind]:
            connection.exec_driver_sql(words, values)


@contextmanager
def _listening(connection: Connection) -> Iterator[list[Statement]]:
    heard: list[Statement] = []

    def hear(_connection: Any, _cursor: Any, words: str, values: Any, _context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's listener
        if not words.lstrip().startswith(_ASKING):
            heard.append((words, values))

    event.listen(connection, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(connection, "before_cursor_execute", hear)


@pytest.fixture(autouse=True, scope="session")
def _migrated_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upgrades, "upgrade", _upgrade)
        yield


@pytest.fixture
def true_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrades, "upgrade", _truly)
