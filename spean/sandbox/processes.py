"""Starts the sandbox's servers as processes, waits until they answer, and stops them again.

It refuses to know what the servers do: it gets a command, a log file and an address to ask for health. Each server is
started as an institution would start it, with the same command line.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Container, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from spean.errors import CommandError

START_SECONDS: Final = 60.0  # a slow machine with one core starts all seven within this
STOP_SECONDS: Final = 15.0  # exchanges in flight finish within this; then the process is killed
_POLL_SECONDS: Final = 0.05
_LAST_LINES: Final = 12
_LAST_BYTES: Final = 8192

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """One server process: its name, the words after ``spean``, and where it tells whether it is well.

    Measurements run servers that are not as they are delivered, out of a module of their own; so are the systems that
    are stood in for. A process of several servers tells ``also`` on which further ports they say that they are well.
    """

    name: str
    words: tuple[str, ...]
    host: str
    port: int
    health: str
    log: Path
    module: str = "spean"
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started."""

    server: Server
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid


class Crew:
    """The running servers of one sandbox."""

    def __init__(self) -> None:
        self.running: list[Running] = []

    async def spawn(self, servers: Iterable[Server]) -> None:
        """Start servers without waiting for them."""
        for server in servers:
            self.running.append(await _spawn(server))

    async def ready(self, names: Container[str] | None = None) -> None:
        """Wait until every server that was started, or is named, is healthy.

        Raises:
            CommandError: one ended or did not answer in time; the sentence has its last log lines.
        """
        deadline = time.monotonic() + START_SECONDS
        waiting = [each for each in self.running if names is None or each.server.name in names]
        while waiting := [each for each in waiting if not await _is_ready(each)]:
            if time.monotonic() > deadline:
                raise CommandError(_late(waiting[0]))
            await asyncio.sleep(_POLL_SECONDS)

    async def report_deaths(self, tell: Callable[[str], None]) -> None:
        """Tell each server's death with its last log lines; return when all are dead."""
        async with asyncio.TaskGroup() as group:
            for each in self.running:
                group.create_task(_report_death(each, tell))

    async def stop(self) -> None:
        """Ask all to end, wait while they finish their exchanges, and kill who has not ended by then."""
        living = [each for each in self.running if each.process.returncode is None]
        try:
            for each in living:
                _signal(each, signal.SIGTERM)
            async with asyncio.timeout(STOP_SECONDS):
                for each in living:
                    await each.process.wait()
        except TimeoutError:
            pass  # told by the signal below: nothing waits longer for them
        finally:
            for each in living:
                _signal(each, signal.SIGKILL)


@asynccontextmanager
async def crew() -> AsyncIterator[Crew]:
    """Give an empty crew, and stop everyone in it at the end, however it ends."""
    members = Crew()
    try:
        yield members
    finally:
        await members.stop()


def run_until_signal(main: Coroutine[object, object, T]) -> T | None:
    """Run a coroutine; Ctrl-C, SIGTERM and a closed terminal cancel it, so that it stops its servers, and give None."""
    try:
        return asyncio.run(_cancelled_by_signals(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None


async def _cancelled_by_signals(main: Coroutine[object, object, T]) -> T:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a coroutine of asyncio.run is always in a task")
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await main


async def _spawn(server: Server) -> Running:
    server.log.parent.mkdir(parents=True, exist_ok=True)
    with server.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *_leash(),
            sys.executable,
            "-m",
            server.module,
            *server.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # A session of its own: Ctrl-C in the terminal reaches the sandbox only, which then stops all in order.
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    return Running(server, process)


def _leash() -> tuple[str, ...]:
    """Have the servers end when the sandbox is killed; on a system that has no means for that, they go on."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()


async def _is_ready(each: Running) -> bool:
    if each.process.returncode is not None:
        raise CommandError(_death(each))
    for port in (each.server.port, *each.server.also):
        if not await _healthy(each.server, port):
            return False
    return True


async def _healthy(server: Server, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(server.host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {server.health} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


async def _report_death(each: Running, tell: Callable[[str], None]) -> None:
    await each.process.wait()
    tell(_death(each))


def _death(each: Running) -> str:
    return (
        f"{each.server.name} ended with code {each.process.returncode}. {_shown_log(each.server)}\n"
        f"  Start it again with: {_command(each.server)} {' '.join(each.server.words)}"
    )


def _command(server: Server) -> str:
    return "spean" if server.module == "spean" else f"python -m {server.module}"


def _late(each: Running) -> str:
    return f"{each.server.name} did not become healthy in {START_SECONDS:.0f} s. {_shown_log(each.server)}"


def _shown_log(server: Server) -> str:
    shown = "\n".join(f"    {line}" for line in last_lines(server.log)) or "    (it wrote nothing)"
    return f"Its last log lines ({server.log}):\n{shown}"


def last_lines(log: Path) -> list[str]:
    """Read the end of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        return file.read().decode(errors="replace").splitlines()[-_LAST_LINES:]


def _signal(each: Running, number: signal.Signals) -> None:
    if each.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            each.process.send_signal(number)
