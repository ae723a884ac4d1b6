"""Fixtures that every test may use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shared import need_shared


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Give the finder of reference data: ``shared("vectors/xroad/asic")``."""
    return need_shared
