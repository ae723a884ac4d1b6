"""What libraries raise, alone or out of a group of tasks, becomes one sentence; anything else stays what it is."""

from pathlib import Path

import pytest

from spean.commands.common import told, write_new
from spean.errors import CommandError


def group(*problems: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("tasks", [ExceptionGroup("inner", problems)])


@pytest.mark.parametrize(
    "problem", [ValueError("the port is odd"), group(ValueError("the port is odd"), ValueError("x"))]
)
def test_a_known_error_is_told(problem: Exception) -> None:
    with pytest.raises(CommandError, match="the port is odd"), told(ValueError):
        raise problem


def test_an_error_of_the_system_in_a_task_is_left_to_the_command_line() -> None:
    with pytest.raises(OSError, match="in use"), told(ValueError):
        raise group(OSError(98, "in use"))


@pytest.mark.parametrize("problem", [KeyError("a mistake"), group(ValueError("told"), KeyError("a mistake"))])
def test_a_programming_mistake_is_not_hidden(problem: Exception) -> None:
    with pytest.raises((KeyError, ExceptionGroup)), told(ValueError):
        raise problem


def test_a_new_file_is_private_when_it_has_to_be(tmp_path: Path) -> None:
    write_new(tmp_path / "deep" / "pin", b"secret", mode=0o600)
    assert (tmp_path / "deep" / "pin").stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="exists already"):
        write_new(tmp_path / "deep" / "pin", b"other")
    assert (tmp_path / "deep" / "pin").read_bytes() == b"secret"
