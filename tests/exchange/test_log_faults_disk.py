"""A full disk stops new messages before anything is sent, and traffic goes on by itself; a damaged database is told.

The disk is a small file system of its own where the system lets us mount one, and a limit on file sizes everywhere.
"""

import gc
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from bench import records as made
from bench.bus import Bus
from securityserver.migrations import open_node_database
from spean.sandbox.plan import MOP, NSAF, Institution
from tests.support.anchors import an_anchor
from tests.support.killing import Seen, faulty_bus
from tests.support.messagelog import database_url
from tests.support.sandboxes import done_here, environment, spean

BODY = b"x" * 1000
DISK_BYTES = 32 * 1024 * 1024


async def post(bus: Bus, session: aiohttp.ClientSession, body: bytes = BODY) -> tuple[int, str]:
    async with session.post(bus.url, headers=bus.headers, data=body) as answer:
        await answer.read()
        return answer.status, answer.headers.get("X-Road-Error", "")


async def until_it_passes(bus: Bus, session: aiohttp.ClientSession) -> None:
    """Ask until an answer comes, as a backend does; nobody restarts or tells the server anything."""
    for _ in range(50):
        if (await post(bus, session))[0] == 200:
            return
    raise AssertionError("traffic did not go on by itself")


async def until_it_is_refused(bus: Bus, session: aiohttp.ClientSession) -> None:
    for _ in range(500):
        if (await post(bus, session))[0] != 200:
            return
    raise AssertionError("nothing was refused")


def log_bytes(bus: Bus, each: Institution) -> int:
    return (bus.data(each) / "node.db-wal").stat().st_size


@contextmanager
def no_file_grows(bus: Bus, each: Institution) -> Iterator[None]:
    """Let a node write no file beyond the size that its log has now."""
    pid = bus.process(each).pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (log_bytes(bus, each), resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def disk_is_full(bus: Bus, each: Institution) -> Iterator[None]:
    """Fill the node's disk with something else, to the last byte."""
    filler = bus.data(each) / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(filler).free == 0
    try:
        yield
    finally:
        filler.unlink()


@asynccontextmanager
async def on_small_disk(bus: Bus, each: Institution) -> AsyncIterator[None]:
    """Move a node's data onto a small file system."""
    data, aside = bus.data(each), bus.data(each).with_name("aside")
    await bus.kill(each)
    data.rename(aside)
    data.mkdir()
    mount(data)
    try:
        shutil.copytree(aside, data, dirs_exist_ok=True)
        await bus.start(each)
        yield
    finally:
        await bus.kill(each)
        unmount(data)
        data.rmdir()
        aside.rename(data)
        await bus.start(each)


@asynccontextmanager
async def on_its_disk(_bus: Bus, _each: Institution) -> AsyncIterator[None]:
    yield


def mount(folder: Path) -> None:
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    subprocess.run(words, check=True, capture_output=True)


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


def mountable(folder: Path) -> bool:
    """Whether this system lets us mount a file system."""
    try:
        mount(folder)
    except (OSError, subprocess.CalledProcessError):
        return False
    unmount(folder)
    return True


def ways(folder: Path) -> tuple[str, ...]:
    """How a disk becomes full; what cannot be mounted here is limited only, so that something is always held."""
    return ("file sizes", "file system") if mountable(folder) else ("file sizes",)


@pytest.mark.timeout(180)
async def test_a_full_disk_refuses_before_sending_and_heals(tmp_path: Path) -> None:
    async with faulty_bus(tmp_path / "bus") as (bus, seen), aiohttp.ClientSession() as session:
        for way in ways(tmp_path):
            await _fill_and_heal(bus, seen, session, way, NSAF, "Server.ClientProxy.LoggingFailed")
            await _fill_and_heal(bus, seen, session, way, MOP, "Server.ServerProxy.LoggingFailed")


async def _fill_and_heal(
    bus: Bus, seen: Seen, session: aiohttp.ClientSession, way: str, victim: Institution, code: str
) -> None:
    moved, full = (on_small_disk, disk_is_full) if way == "file system" else (on_its_disk, no_file_grows)
    async with moved(bus, victim):
        for _ in range(5):
            await until_it_passes(bus, session)
        with full(bus, victim):
            # What the intake still takes in is durable there; then it waits for the database, and all else is refused.
            await until_it_is_refused(bus, session)
            reached = _reached(seen)
            refusals = [await post(bus, session) for _ in range(10)]
            await post(bus, session, BODY * 600)  # a large one, which goes by way of the spool
        assert [answer for answer in refusals if answer != (500, code)] == [], refusals
        assert _reached(seen) == reached
        await until_it_passes(bus, session)
        assert _reached(seen) == reached + 1


def _reached(seen: Seen) -> int:
    return seen.by_service.total()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with records in its database."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "given.xml").write_bytes(an_anchor())
    config = folder / "node" / "NODE.toml"
    words = ("--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", str(folder / "given.xml"))
    assert done_here("node", "init", str(config), *words).returncode == 0
    url = database_url(config.with_name("data"))
    with closing(open_node_database(url)) as database, database.transaction() as connection:
        made.fill(connection, 0, 2000, 2000)
    return config


@pytest.fixture
def node(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template.parent, tmp_path / "node")
    return tmp_path / "node" / template.name


def overwritten(at: float) -> Callable[[bytes], bytes]:
    """Damage a page somewhere in the file."""

    def damage(content: bytes) -> bytes:
        start = int(len(content) * at) // 4096 * 4096
        return content[:start] + b"\xa5" * 4096 + content[start + 4096 :]

    return damage


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "cut to a piece": lambda content: content[:50],
    "first page overwritten": overwritten(0),
    "early page overwritten": overwritten(0.3),
    "late page overwritten": overwritten(0.7),
    "another kind of file": lambda content: b"PK\x03\x04" + content[4:],
}


@pytest.fixture
def _interpreter_as_before() -> Iterator[None]:
    """A node sets what is the whole process's."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("_interpreter_as_before")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_told_at_start_and_left_as_it_is(node: Path, damage: Callable[[bytes], bytes]) -> None:
    _check_refused(node, damage, done_here)


def test_a_process_of_its_own_ends_when_its_database_is_damaged(node: Path) -> None:
    def done(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(spean(*words), env=environment(), capture_output=True, text=True, timeout=30, check=False)

    _check_refused(node, DAMAGES["early page overwritten"], done)


def _check_refused(
    node: Path, damage: Callable[[bytes], bytes], run: "Callable[..., subprocess.CompletedProcess[str]]"
) -> None:
    file = node.with_name("data") / "node.db"
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    done = run("node", "run", str(node))
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "backup" in done.stderr or "another program's" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == damaged
