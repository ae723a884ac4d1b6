"""Fixtures that every test may use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import any_database, postgresql_server, postgresql_url
from tests.support.shared import need_shared

__all__ = ["any_database", "postgresql_server", "postgresql_url"]  # fixtures: found here by every test


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Give the finder of reference data: ``shared("vectors/xroad/asic")``."""
    return need_shared
