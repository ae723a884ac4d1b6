"""``spean authority run``: serves OCSP answers and time-stamps.

It refuses to issue certificates over the network: an operator does, with ``authority sign``. Every server of the
instance asks this process whether certificates are good.
"""

import argparse
import asyncio

from pki.authority import run as run_authority
from pki.errors import PkiError
from pki.pin import Pin
from serverkit.logs import configure_logs
from spean.commands.common import serve_until_stopped, told
from spean.commands.paths import authority_pin


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    configure_logs()
    folder = arguments.folder
    with told(PkiError):
        pin = Pin.from_file(arguments.pin_file or authority_pin(folder))

        async def serve(stop: asyncio.Event) -> None:
            await run_authority(folder, arguments.listen, pin=pin, stop=stop, ready=_tell)

        serve_until_stopped(serve)
    return 0


def _tell(url: str) -> None:
    print(f"The authority answers at {url}. Stop it with Ctrl-C.", flush=True)
