"""The small registry of families, on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.writing import Registry, open_registry


@pytest.fixture
def registry(any_database: str, tmp_path: Path) -> Iterator[Registry]:
    """Give it on SQLite and on PostgreSQL."""
    found = open_registry(tmp_path, any_database)
    yield found
    found.store.database.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Registry]:
    """Give it on SQLite only, for what no database decides."""
    found = open_registry(tmp_path, f"sqlite:///{tmp_path / 'registry.sqlite'}")
    yield found
    found.store.database.close()
