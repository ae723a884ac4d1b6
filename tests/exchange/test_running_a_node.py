"""docs/running-a-node.md works as it stands: a test runs its commands with real processes, up to the first answer."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.sandboxes import ROOT, environment, free_ports, wait_until
from tests.support.tools import need_tool

PAGE: Final = ROOT / "docs" / "running-a-node.md"
LISTENS_ON: Final = {"authority run": 8888, "central run": 8090, "adapter serve": 7001, "node run": 9600}
"""The port that tells that a command which goes on has begun."""


def commands() -> Iterator[str]:
    """The commands of the page's console blocks; a here-document belongs to the line that begins it."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        lines = iter(block.splitlines())
        for line in lines:
            if "<<" not in line:
                yield line
                continue
            end = re.findall(r"<<'?(\w+)'?$", line)[0]
            document = [line]
            while document[-1] != end:
                document.append(next(lines))
            yield "\n".join(document)


class Terminal:
    """A folder, a path with ``spean`` and ``python`` on it, and the page's ports replaced by free ones."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._ports = dict(zip(ports_of_the_page(), free_ports(len(ports_of_the_page())), strict=True))
        self._environment = environment() | {"PATH": f"{self._tools()}:{os.environ['PATH']}"}
        self._variables = ""
        self.last = ""

    def type(self, command: str) -> None:
        command = self._moved(command)
        if re.fullmatch(r"[A-Z]+=\$\(.*\)", command):
            self._variables += f"{command}\n"
        elif goes_on(command):
            self._start(command)
        else:
            self._run(command)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-eu", "-c", self._variables + command],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        self.last = done.stdout

    def _start(self, command: str) -> None:
        port = self._ports[next(port for words, port in LISTENS_ON.items() if words in command)]
        log = self._folder / f"{port}.log"
        file = self._stack.enter_context(log.open("wb"))
        # `exec`, so that the signal at the end reaches the server and not a shell around it.
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self._folder, env=self._environment, stdout=file, stderr=file
        )
        self._stack.callback(ended, process)
        wait_until(lambda: answers(port) or process.poll() is not None, 30)
        assert process.poll() is None, log.read_text()

    def _moved(self, command: str) -> str:
        for port, free in self._ports.items():
            command = re.sub(rf"\b{port}\b", str(free), command)
        return command

    def _tools(self) -> Path:
        tools = self._folder / ".tools"
        tools.mkdir()
        for name, words in {"spean": f"{sys.executable} -m spean", "python": sys.executable}.items():
            (tools / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (tools / name).chmod(0o755)
        return tools


def goes_on(command: str) -> bool:
    return any(words in command for words in LISTENS_ON)


def ports_of_the_page() -> list[int]:
    text = "\n".join(commands())
    return sorted({int(port) for port in re.findall(r"(?:127\.0\.0\.1:|-port )(\d{4})\b", text)})


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ended(process: subprocess.Popen[bytes]) -> None:
    """Stop a server as systemd does; each ends by itself, without a complaint."""
    process.terminate()
    assert process.wait(30) == 0


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    with ExitStack() as stack:
        yield Terminal(folder, stack)


def test_the_page_leads_from_nothing_to_the_first_answer(tmp_path: Path) -> None:
    need_tool("curl")
    with terminal(tmp_path) as shell:
        for command in commands():
            shell.type(command)
        answer = json.loads(shell.last)
    [item] = answer["message"]["search_response"]
    [group] = item["data"]["reg_records"]
    assert group["poverty_level"] in {"POOR_1", "POOR_2", "NEAR_POOR", "NOT_POOR"}


@pytest.mark.parametrize("word", ["authority", "central", "node", "adapter"])
def test_the_page_uses_every_group_of_commands_that_a_node_needs(word: str) -> None:
    assert any(command.startswith(f"spean {word} ") for command in commands())
