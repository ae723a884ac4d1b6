"""The little registry, beside the tables of events, on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.publishing import Little, little


@pytest.fixture
def registry(tmp_path: Path, any_database: str) -> Iterator[Little]:
    with little(tmp_path, any_database, {"capture": {"kind": "writes"}}) as found:
        yield found


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Little]:
    with little(tmp_path, f"sqlite:///{tmp_path / 'registry.sqlite'}", {"capture": {"kind": "writes"}}) as found:
        yield found
