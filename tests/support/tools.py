"""Finds programmes that verify what Spean makes; without one a test fails in CI and skips elsewhere."""

import os
import shutil
import subprocess

import pytest


def need_tool(name: str) -> str:
    """Return the path of a programme."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: install it")
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str, fails: bool = False) -> str:
    """Run a programme, expect its success or failure, and return all that it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    said = done.stdout + done.stderr
    assert (done.returncode != 0) is fails, said
    return said
