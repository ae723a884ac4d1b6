"""Brings a whole instance up: makes its folder, or resumes it, and starts the servers in the order of their needs.

It refuses to tell anything: ``up`` and the demonstration do. The folder is locked while a sandbox runs in it.
"""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.synthetic import ExampleHousehold, example_household
from spean.errors import CommandError, UsageError
from spean.sandbox import files, report
from spean.sandbox.plan import INSTITUTIONS, LOOPBACK, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Server, crew

_STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Instance:
    """A running sandbox: where it is, its ports, its servers, and a household to ask for."""

    layout: Layout
    ports: Ports
    crew: Crew
    example: ExampleHousehold


@asynccontextmanager
async def running(root: Path, base_port: int | None, *, wired: Institution | None = None) -> AsyncIterator[Instance]:
    """Run the instance of a folder, and stop it at the end.

    Args:
        root: absolute; a folder that an earlier sandbox made, or that does not exist or is empty.
        base_port: first port, or None for the folder's own or any free range.
        wired: an institution whose registered message address is left to somebody else.

    Raises:
        CommandError: the folder is another's or in use, ports are taken, or a server does not start.
    """
    layout = Layout(root)
    with _locked(layout), reserved(_base_port(layout, base_port)) as ports:
        layout.report.unlink(missing_ok=True)
        async with crew() as members:
            await _start(layout, ports, members, wired)
            instance = Instance(layout, ports, members, _example(layout))
            pids = {each.server.name: each.pid for each in members.running}
            report.write(layout, ports, pids, instance.example)
            yield instance


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """Make the folder, readable by its owner only: it holds PINs. Let one sandbox at a time in."""
    if layout.root.exists() and not layout.root.is_dir():
        raise CommandError(f"{layout.root} is no folder. Choose another one with --dir.")
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as problem:
        raise CommandError(f"A sandbox is running in {layout.root}. Stop it, or choose another folder.") from problem
    finally:
        os.close(descriptor)


def _base_port(layout: Layout, requested: int | None) -> int | None:
    """Take a folder's own ports: they are in its certificates and its global configuration."""
    if not layout.state.exists():
        if any(layout.root.iterdir()):
            raise CommandError(
                f"{layout.root} holds something that is not a whole sandbox. Give --dir an empty folder."
            )
        return requested
    own = int(json.loads(layout.state.read_text())["base_port"])
    if requested not in {None, own}:
        raise UsageError(f"The sandbox in {layout.root} was made with --base-port {own}. Give that one, or none.")
    return own


async def _start(layout: Layout, ports: Ports, members: Crew, wired: Institution | None) -> None:
    """Make what is missing and start those whom others need first; both sides at once, so that the cores have work."""
    new = not layout.state.exists()
    sides = (_authority_side(layout, ports, members, new=new), _programme_side(layout, ports, members, new=new))
    for problem in await asyncio.gather(*sides, return_exceptions=True):
        if problem:
            raise problem
    await members.ready()
    layout.state.write_text(json.dumps({"version": _STATE_VERSION, "base_port": ports.base}) + "\n")
    await members.spawn(_nodes(layout, ports, wired))
    await members.ready()


async def _authority_side(layout: Layout, ports: Ports, members: Crew, *, new: bool) -> None:
    if new:
        await asyncio.to_thread(_bootstrap, layout, ports)
    await members.spawn(_authorities(layout, ports))


async def _programme_side(layout: Layout, ports: Ports, members: Crew, *, new: bool) -> None:
    if new:
        await _make_programmes(layout, ports)
    await members.spawn(_adapters(layout, ports))


async def _make_programmes(layout: Layout, ports: Ports) -> None:
    words = ("-m", "spean.sandbox.programmes", str(layout.root), str(ports.base))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=asyncio.subprocess.DEVNULL)
    try:
        if await process.wait():
            raise CommandError("The made-up registries could not be written; the lines above say why.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _bootstrap(layout: Layout, ports: Ports) -> None:
    from spean.sandbox import bootstrap  # noqa: PLC0415 - takes a second to load, in which the people are being made

    bootstrap.make(layout, ports)


def _authorities(layout: Layout, ports: Ports) -> Iterator[Server]:
    listen = f"{LOOPBACK}:{ports.authority}"
    authority = ("authority", "run", str(layout.authority), "--listen", listen)
    central = ("central", "run", str(layout.central))
    yield Server("authority", authority, LOOPBACK, ports.authority, "/healthz", layout.log("authority"))
    yield Server("central", central, LOOPBACK, ports.central, "/healthz", layout.log("central"))


def _nodes(layout: Layout, ports: Ports, wired: Institution | None) -> Iterator[Server]:
    for each in INSTITUTIONS:
        config = layout.node(each)
        if each is wired:
            config = config.with_name("NODE-wired.toml")
            config.write_text(files.node_file(each, ports, behind_wire=True))
        name = report.node_name(each)
        words = ("node", "run", str(config))
        yield Server(name, words, LOOPBACK, ports.node(each).metrics, "/healthz", layout.log(name))


def _adapters(layout: Layout, ports: Ports) -> Iterator[Server]:
    for each in INSTITUTIONS:
        if each.service:
            name = report.adapter_name(each.service.programme)
            words = ("adapter", "serve", str(layout.adapter(each.service.programme)))
            yield Server(name, words, LOOPBACK, ports.adapter(each), "/health", layout.log(name))


def _example(layout: Layout) -> ExampleHousehold:
    return example_household(layout.registries / "idpoor.sqlite", layout.registries / "nssf.sqlite")
