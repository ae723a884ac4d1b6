"""Runs ``spean`` as a user does: ``sandbox up`` in a process of its own, and single commands also in this one."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final

from spean.cli import main

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 40.0


def spean(*words: str) -> list[str]:
    """The words of a command line that runs from anywhere."""
    return [sys.executable, "-m", "spean", *words]


def environment() -> dict[str, str]:
    """What a process needs to find the project from any folder."""
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def done_here(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process; what it needs of a process is not seen, and a second is saved."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            code = main(words)
        except SystemExit as left:  # how the parser ends
            code = left.code if isinstance(left.code, int) else 1
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


class Sandbox:
    """A running ``sandbox up``; its output goes to a file beside its folder."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], output: Path) -> None:
        self.folder, self.process, self._output = folder, process, output

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def report(self) -> Any:
        return json.loads((self.folder / "sandbox.json").read_text())

    def server(self, member: str) -> Any:
        return next(each for each in self.report["security_servers"] if each["id"].split("/")[2] == member)

    def curl_lines(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith("curl ")]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def sandbox(folder: Path, *options: str) -> Iterator[Sandbox]:
    """Start an instance in a folder and wait until it says that it runs; stop it at the end."""
    output = folder.with_suffix(".out")
    with (
        output.open("wb") as file,
        subprocess.Popen(
            spean("sandbox", "up", "--dir", str(folder), *options),
            stdout=file,
            stderr=file,
            env=environment(),
            cwd=ROOT,
        ) as process,
    ):
        running = Sandbox(folder, process, output)
        try:
            wait_until(lambda: "Ask which" in running.output or process.poll() is not None, START_SECONDS)
            assert process.poll() is None, running.output
            yield running
        finally:
            running.stop()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
