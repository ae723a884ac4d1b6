"""What an administrator does with a node, as functions for the command line: make it, run it, change its services.

It refuses to know arguments, terminals and languages. ``spean`` calls it; the node itself is in ``app``.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pki.clock import SystemClock
from pki.token import SoftwareToken
from securityserver.app import Node
from securityserver.config import NodeConfig, load_config
from securityserver.internaltls import InternalKey
from securityserver.logkey import recipients
from securityserver.migrations import open_node_database
from securityserver.serverconf import apply, export, load_services
from securityserver.serverconf.store import read
from serverkit import memory
from serverkit.config import ConfigError
from serverkit.database import Database
from serverkit.http import stop_signal
from serverkit.logs import bound, configure_logs

# A thread that commits waits for the interpreter behind a busy event loop, before and after each commit: 5 ms, Python's
# default, is felt in every exchange under load.
SWITCH_SECONDS: Final = 0.0002
PRIVATE: Final = 0o700


def init_node(config_file: Path) -> None:
    """Make what NODE.toml names: token, data directory, database, and the key for the institution's own systems.

    What is there already stays as it is.

    Raises:
        ConfigError, PkiError, DatabaseUnusable: the file says something that cannot be made.
    """
    config = load_config(config_file)
    config.server.data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    if not config.token.directory.exists():
        SoftwareToken.create(config.token.directory, config.token.pin())
    InternalKey(config.internal_tls_directory).create(str(config.server.id), SystemClock().now())
    recipients(config)
    open_node_database(config.database).close()


def run_node(*config_files: Path, ready: Callable[[Node], None] = lambda _node: None) -> None:
    """Run a node, or several in this process, until SIGTERM or SIGINT, then let exchanges in flight finish.

    Args:
        config_files: one NODE.toml for each security server identity, with keys, data and ports of its own.
        ready: called with each node when all its ports are open.

    Raises:
        ConfigError, PkiError, DatabaseUnusable, SpoolUnusable, OSError: one cannot start, and then none runs; in a
            group when there are several.
    """
    configure_logs()
    sys.setswitchinterval(SWITCH_SECONDS)
    memory.calm()
    configs = [load_config(each) for each in config_files]
    asyncio.run(_run(configs[0], ready) if len(configs) == 1 else _run_together(configs, ready))


async def _run(config: NodeConfig, ready: Callable[[Node], None]) -> None:
    async with Node.running(config) as node:
        ready(node)
        await stop_signal()


async def _run_together(configs: Sequence[NodeConfig], ready: Callable[[Node], None]) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as nodes:
        for config in configs:
            nodes.create_task(_run_one_of(config, ready, stop))
        await stop_signal()
        stop.set()


async def _run_one_of(config: NodeConfig, ready: Callable[[Node], None], stop: asyncio.Event) -> None:
    with bound(server=str(config.server.id)):  # the nodes' lines share one stream
        async with Node.running(config) as node:
            ready(node)
            await stop.wait()


def apply_services(config_file: Path, services: Path, *, remove_all: bool = False) -> str:
    """Make clients, services and access rights those of SERVICES.toml; a running node sees it within a second.

    Args:
        config_file: NODE.toml.
        services: SERVICES.toml.
        remove_all: a file without clients is meant so.

    Returns:
        What changed, one line each.

    Raises:
        ConfigError, DatabaseUnusable: one of the files or the database cannot be used; then nothing changed.
    """
    declaration = load_services(services)
    database = open_node_database(load_config(config_file).database)
    try:
        if not (declaration.clients or remove_all):
            _require_none(database, services)
        return "\n".join(apply(database, declaration).lines())
    finally:
        database.close()


def _require_none(database: Database, services: Path) -> None:
    # An empty file is what an editor or a full disk leaves: it would silently take every service off the bus.
    clients = len(read(database)[0].clients)
    if clients:
        rule = f"declares no client, and the node has {clients}: if all are to go, say so with --remove-all"
        raise ConfigError(str(services), "", None, rule)


def export_services(config_file: Path) -> str:
    """Write clients, services and access rights as SERVICES.toml says them.

    Raises:
        ConfigError, DatabaseUnusable: the file or the database cannot be used.
    """
    database = open_node_database(load_config(config_file).database)
    try:
        return export(database)
    finally:
        database.close()
