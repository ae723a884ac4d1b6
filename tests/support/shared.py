"""Finds the reference data that lies beside the project and is never committed."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def need_shared(relative: str) -> Path:
    """Return the path of a piece of reference data; without it a test fails in CI and skips elsewhere."""
    path = SHARED / relative
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"reference data is missing: shared/{relative}")
        pytest.skip(f"reference data is not here: shared/{relative}")
    return path
