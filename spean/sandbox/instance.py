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

from adapters.synthetic import DEFAULT_HOUSEHOLDS, ExampleHousehold, example_household
from spean.errors import CommandError, UsageError
from spean.sandbox import files, report
from spean.sandbox.casts import CASTS, SMALL, SOURCES, Cast
from spean.sandbox.plan import LOOPBACK, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Server, crew

_STATE_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Instance:
    """A running sandbox: who plays, where it is, its ports, its servers, and a household to ask for."""

    cast: Cast
    layout: Layout
    ports: Ports
    crew: Crew
    example: ExampleHousehold


@dataclass(frozen=True, slots=True)
class _Start:
    """What the parts of a start share."""

    cast: Cast
    layout: Layout
    ports: Ports
    members: Crew
    wired: Institution | None
    households: int
    new: bool


@asynccontextmanager
async def running(
    root: Path,
    base_port: int | None,
    *,
    wired: Institution | None = None,
    cast: Cast | None = None,
    households: int | None = None,
) -> AsyncIterator[Instance]:
    """Run the instance of a folder, and stop it at the end.

    Args:
        root: absolute; a folder that an earlier sandbox made, or that does not exist or is empty.
        base_port: first port, or None for the folder's own or any free range.
        wired: an institution whose registered message address is left to somebody else.
        cast: who plays; None for the folder's own, or the small one.
        households: how many to make up in a new folder; None for as many as a district has.

    Raises:
        CommandError: the folder is another's or in use, ports are taken, or a server does not start.
    """
    layout = Layout(root)
    with _locked(layout):
        cast = _cast(layout, cast)
        with reserved(_base_port(layout, base_port), cast) as ports:
            layout.report.unlink(missing_ok=True)
            async with crew() as members:
                size, new = households or DEFAULT_HOUSEHOLDS, not layout.state.exists()
                await _start(_Start(cast, layout, ports, members, wired, size, new))
                instance = Instance(cast, layout, ports, members, _example(layout))
                pids = {each.server.name: each.pid for each in members.running}
                report.write(layout, ports, pids, instance.example, cast)
                yield instance


def attached(root: Path, cast: Cast) -> Instance | None:
    """Give the sandbox that runs in a folder, started by somebody else, or None when none does.

    Raises:
        UsageError: its cast is another one.
    """
    layout = Layout(root)
    if not layout.report.exists():
        return None
    try:
        with _locked(layout):
            return None
    except CommandError:
        told = json.loads(layout.report.read_text())
        _cast(layout, cast)
        return Instance(cast, layout, cast.ports(told["base_port"]), Crew(), _example(layout))


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


def _cast(layout: Layout, wanted: Cast | None) -> Cast:
    """Take the cast of the folder; its certificates are of no other."""
    if not layout.state.exists():
        return wanted or SMALL
    own = CASTS[json.loads(layout.state.read_text()).get("cast", SMALL.name)]
    if wanted is not None and wanted is not own:
        raise UsageError(f"The sandbox in {layout.root} is the {own.name} one. Choose another folder with --dir.")
    return own


async def _start(start: _Start) -> None:
    """Make what is missing and start everyone; the two sides at once, so that the cores have work."""
    sides = (_authority_side(start), _programme_side(start))
    for problem in await asyncio.gather(*sides, return_exceptions=True):
        if problem:
            raise problem
    state = {"version": _STATE_VERSION, "base_port": start.ports.base, "cast": start.cast.name}
    start.layout.state.write_text(json.dumps(state) + "\n")
    await start.members.ready()


async def _authority_side(start: _Start) -> None:
    """Start those first whom the nodes need."""
    if start.new:
        await asyncio.to_thread(_bootstrap, start)
    authorities = list(_authorities(start.layout, start.ports))
    await start.members.spawn(authorities)
    await start.members.ready({each.name for each in authorities})
    await start.members.spawn(_nodes(start))


async def _programme_side(start: _Start) -> None:
    if start.new:
        await _make_programmes(start)
    if start.cast.sources:
        await start.members.spawn([_sources(start)])
        await start.members.ready({SOURCES})
    await start.members.spawn(_adapters(start))


async def _make_programmes(start: _Start) -> None:
    what = (str(start.layout.root), str(start.ports.base), start.cast.name, str(start.households))
    words = ("-m", "spean.sandbox.programmes", *what)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=asyncio.subprocess.DEVNULL)
    try:
        if await process.wait():
            raise CommandError("The made-up registries could not be written; the lines above say why.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _bootstrap(start: _Start) -> None:
    from spean.sandbox import bootstrap  # noqa: PLC0415 - takes a second to load, in which the people are being made

    bootstrap.make(start.layout, start.ports)


def _authorities(layout: Layout, ports: Ports) -> Iterator[Server]:
    listen = f"{LOOPBACK}:{ports.authority}"
    authority = ("authority", "run", str(layout.authority), "--listen", listen)
    central = ("central", "run", str(layout.central))
    yield Server("authority", authority, LOOPBACK, ports.authority, "/healthz", layout.log("authority"))
    yield Server("central", central, LOOPBACK, ports.central, "/healthz", layout.log("central"))


def _nodes(start: _Start) -> Iterator[Server]:
    for name, keys in start.cast.nodes.items():
        institutions = [start.cast.institution(key) for key in keys]
        configs = [str(_node_file(start, each)) for each in institutions]
        first, *others = (start.ports.node(each).metrics for each in institutions)
        words = ("node", "run", *configs)
        yield Server(name, words, LOOPBACK, first, "/healthz", start.layout.log(name), also=tuple(others))


def _node_file(start: _Start, each: Institution) -> Path:
    config = start.layout.node(each)
    if each is start.wired:
        config = config.with_name("NODE-wired.toml")
        config.write_text(files.node_file(each, start.ports, behind_wire=True))
    return config


def _adapters(start: _Start) -> Iterator[Server]:
    for name, programmes in start.cast.adapters.items():
        first, *others = map(start.ports.adapter, programmes)
        words = ("adapter", "serve", *(str(start.layout.adapter(each)) for each in programmes))
        yield Server(name, words, LOOPBACK, first, "/health", start.layout.log(name), also=tuple(others))


def _sources(start: _Start) -> Server:
    """The systems that are stood in for: what their adapters call."""
    words: list[str] = []
    for programme in start.cast.sources:
        database = start.layout.registries / report.registry_of(programme)
        listen = f"{LOOPBACK}:{start.ports.source(programme)}"
        words += [programme, str(database), str(start.layout.secret(programme)), listen]
    first, *others = map(start.ports.source, start.cast.sources)
    log = start.layout.log(SOURCES)
    module = "adapters.synthetic.servers"
    return Server(SOURCES, tuple(words), LOOPBACK, first, "/health", log, module, tuple(others))


def _example(layout: Layout) -> ExampleHousehold:
    return example_household(layout.registries / "idpoor.sqlite", layout.registries / "nssf.sqlite")
