"""``spean node export``: writes the node's clients, services and access rights as a file that ``node apply`` takes.

It refuses to write keys or PINs. It is the backup and the starting point of every change.
"""

import argparse
import sys

from securityserver.commands import export_services
from spean.commands.common import told, write_new
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Write SERVICES.toml to a new file or to the screen."""
    with told(*NODE_ERRORS):
        text = export_services(arguments.config)
    if arguments.out:
        write_new(arguments.out, text.encode())
    else:
        sys.stdout.write(text)
    return 0
