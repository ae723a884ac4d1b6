"""``spean log export``: writes all records that fit, as JSON lines or CSV.

It refuses to change anything, and writes no bodies. Records go out as they are read, so that any number fits in memory.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from securityserver.config import load_config
from securityserver.messagelog import search
from securityserver.messagelog.recovery import open_log
from spean.commands.common import PRIVATE, told
from spean.commands.log_filters import place, wanted
from spean.commands.log_list import LINES
from spean.commands.node import NODE_ERRORS
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Write to a new file or to the screen."""
    filters, after = wanted(arguments), place(arguments)
    with told(*NODE_ERRORS), closing(open_log(load_config(arguments.config).database)) as database:
        lines = LINES[arguments.format](search.find_all(database, filters, after=after))
        with _opened(arguments.out) as out:
            _write(out, lines)
    return 0


def _write(out: TextIO, lines: Iterable[str]) -> None:
    out.writelines(f"{line}\n" for line in lines)


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        # Who asked whom about what is for the auditor's eyes only.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as problem:
        raise CommandError(f"{path} exists already. Remove it, or choose another name.") from problem
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield file
