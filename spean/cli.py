"""The command line: finds the command that was typed, runs it, and tells how it failed.

It refuses to do any command's work and imports none of it before the command is known, so that ``--help`` is quick and
each server process loads only what it runs. A process is this module and the command module that the table names.
"""

import argparse
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, cast

from spean.errors import CommandError, UsageError
from spean.usage import build_parser

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130  # what a shell reports for Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 used wrongly."""
    _never_fail_to_print()
    arguments = build_parser().parse_args(argv)
    try:
        code = _handler(arguments.handler)(arguments)
        sys.stdout.flush()
    except UsageError as problem:
        return _complain(problem, EXIT_USAGE)
    except CommandError as problem:
        return _complain(problem, EXIT_FAILURE)
    except BrokenPipeError:
        return _reader_left()
    except OSError as problem:
        return _complain(_sentence(problem), EXIT_FAILURE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _handler(target: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = target.partition(":")
    # What is loaded stays: to look through it for garbage, now and in every later collection, is wasted time.
    gc.disable()
    loaded = importlib.import_module(module)
    gc.freeze()
    gc.enable()
    return cast("Callable[[argparse.Namespace], int]", getattr(loaded, function))


def _never_fail_to_print() -> None:
    """Show a question mark for Khmer on a terminal that cannot show it, instead of ending in the middle."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _complain(problem: object, code: int) -> int:
    print(f"spean: {problem}", file=sys.stderr)
    return code


def _reader_left() -> int:
    """Stop quietly when the output went to a ``head`` that has seen enough; the interpreter must not flush again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILURE


def _sentence(problem: OSError) -> str:
    reason = problem.strerror or str(problem)
    if problem.errno == errno.EADDRINUSE:
        return f"{reason}. Stop the program that uses it, or choose another port."
    if problem.filename is None:
        return f"{reason}."
    return f"{problem.filename}: {reason}. Check the path and that you may read and write it."
