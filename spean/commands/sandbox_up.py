"""``spean sandbox up``: runs an instance in a folder until it is stopped.

It refuses to throw the folder away: keys, logs and data are there for the next start.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.sandbox.processes import run_until_signal
from spean.sandbox.up import up

DEFAULT_FOLDER: Final = Path("sandbox")
DEFAULT_FULL_FOLDER: Final = Path("sandbox-full")


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM, which is a good end."""
    folder = (arguments.dir or (DEFAULT_FULL_FOLDER if arguments.full else DEFAULT_FOLDER)).resolve()
    code = run_until_signal(up(folder, arguments.base_port, full=arguments.full, households=arguments.households))
    if code is None:
        print("\nThe instance has stopped.")
        return 0
    return code
