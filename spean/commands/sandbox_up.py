"""``spean sandbox up``: runs an instance in a folder until it is stopped.

It refuses to throw the folder away: keys, logs and data are there for the next start.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.sandbox.processes import run_until_signal
from spean.sandbox.up import up

DEFAULT_FOLDER: Final = Path("sandbox")


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM, which is a good end."""
    code = run_until_signal(up((arguments.dir or DEFAULT_FOLDER).resolve(), arguments.base_port))
    if code is None:
        print("\nThe instance has stopped.")
        return 0
    return code
