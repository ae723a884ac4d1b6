"""``spean central run``: signs and distributes the global configuration until it is told to stop.

It refuses to change CENTRAL.toml: the governing authority does, and a running server takes it over.
"""

import argparse
import asyncio

from centralserver.server import Running
from centralserver.server import run as run_central
from pki.errors import PkiError
from serverkit.config import ConfigError
from serverkit.logs import configure_logs
from spean.commands.common import serve_until_stopped, told


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    configure_logs()

    async def central(stop: asyncio.Event) -> None:
        await run_central(arguments.config, stop=stop, ready=_tell)

    with told(ConfigError, PkiError):
        serve_until_stopped(central)
    return 0


def _tell(running: Running) -> None:
    print(f"The central server answers at {running.base_url}; its anchor is {running.anchors.internal}.", flush=True)
