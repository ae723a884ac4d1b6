"""Runs the archiver again and again, each time until it is killed at a later line of its own code; a program.

Arguments: a directory, and how many places to be killed at. Prints how many times it was killed.
"""

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.archives import archiver, node_database, seed, some

_CODE = str(Path("securityserver") / "archiving")
MANY = {"max_records": 2, "retention_days": 0}


class Countdown:
    """Kills this process at the n-th line of the archiver's code; counts only when n is 0."""

    def __init__(self, lines: int) -> None:
        self.lines, self.seen = lines, 0

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if _CODE not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.lines:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace

    def watch(self, work: Callable[[], None]) -> int:
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            work()
        finally:
            sys.settrace(None)
            threading.settrace(None)
        return self.seen


def archive(directory: Path) -> None:
    with node_database(directory) as database:
        asyncio.run(archiver(database, directory, settings=MANY, now=lambda: datetime.now(UTC)).run())


def prepare(directory: Path) -> None:
    directory.mkdir()
    with node_database(directory) as database:
        seed(database, *some(5))


def killed(directory: Path, lines: int) -> bool:
    """Archive in a child that dies at a line; tell whether it died."""
    child = os.fork()
    if child == 0:
        Countdown(lines).watch(lambda: archive(directory))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(directory: Path, places: int) -> None:
    prepare(directory / "template")
    shutil.copytree(directory / "template", directory / "whole")
    lines = Countdown(0).watch(lambda: archive(directory / "whole"))
    deaths = 0
    for place in range(places):
        target = directory / f"killed-{place:03}"
        shutil.copytree(directory / "template", target)
        deaths += killed(target, 1 + place * lines // places)
        deaths += killed(target, 1 + (place * 7919) % lines)  # and once more, while it makes good
        archive(target)
        archive(target)  # a moment later, when the time of each record is over
    sys.stdout.write(f"{deaths}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
