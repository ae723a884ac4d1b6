"""The command line has help for everything, names its work rightly, and shows no traceback for a user's mistake."""

import argparse
import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spean import cli, usage
from spean.errors import CommandError, UsageError

KHMER = range(0x1780, 0x1800)


def has_khmer(text: str) -> bool:
    return any(ord(letter) in KHMER for letter in text)


def words(command: usage.Command) -> str:
    return " ".join(command.words)


@pytest.mark.parametrize("command", usage.COMMANDS, ids=words)
def test_each_command_has_help_in_both_languages_with_an_example(
    command: usage.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.words, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert command.khmer in text
    assert has_khmer(command.khmer)
    assert f"spean {words(command)}" in text.split("examples:")[1]


@pytest.mark.parametrize("command", usage.COMMANDS, ids=words)
def test_each_command_names_work_that_exists(command: usage.Command) -> None:
    module, _, function = command.handler.partition(":")
    assert importlib.util.find_spec(module) is not None
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("example", [example for command in usage.COMMANDS for example in command.examples])
def test_each_example_is_accepted(example: str) -> None:

    usage.build_parser().parse_args(shlex.split(example)[1:])


def test_no_command_at_all_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == cli.EXIT_USAGE
    assert "GROUP" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("problem", "code", "told"),
    [
        (CommandError("The token is locked. Give its PIN."), 1, "spean: The token is locked. Give its PIN.\n"),
        (UsageError("Port 1 is too low."), 2, "spean: Port 1 is too low.\n"),
        (FileNotFoundError(2, "No such file or directory", "a.toml"), 1, "spean: a.toml: No such file or directory."),
        (KeyboardInterrupt(), cli.EXIT_INTERRUPTED, ""),
    ],
)
def test_a_failure_is_one_sentence_and_an_exit_code(
    problem: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_arguments: argparse.Namespace) -> int:
        raise problem

    monkeypatch.setattr(cli, "_handler", lambda _target: fail)
    assert cli.main(["node", "run", "NODE.toml"]) == code
    assert capsys.readouterr().err.startswith(told)


def test_help_loads_none_of_the_servers() -> None:
    script = (
        "import sys\nfrom spean.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'aiohttp', 'cryptography', 'lxml', 'sqlalchemy', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[3])


def test_a_terminal_without_khmer_gets_question_marks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spean", "--help"],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[3],
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    assert b"????" in done.stdout
