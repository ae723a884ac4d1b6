"""``spean adapter serve``: answers the shared standard's searches from a programme's own data.

It refuses to know the bus: the institution's security server calls it like any other service.
"""

import argparse
import asyncio
import sys

from adapters.errors import ConfigError
from adapters.serve import serve
from serverkit import memory
from serverkit.logs import configure_logs
from spean.commands.common import serve_until_stopped, told


def run(arguments: argparse.Namespace) -> int:
    """Serve adapters, one or several in this process, until SIGTERM or Ctrl-C."""
    configure_logs()
    memory.calm()

    async def adapters(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as together:
            for each in arguments.configs:
                together.create_task(serve(each, stop=stop, ready=_tell))

    with told(ConfigError):
        serve_until_stopped(adapters)
    return 0


def _tell(url: str) -> None:
    """Tell a person; a service's log has the same in its first line, and holds nothing but lines of JSON."""
    if sys.stdout.isatty():
        print(f"The adapter answers at {url}. Stop it with Ctrl-C.", flush=True)
