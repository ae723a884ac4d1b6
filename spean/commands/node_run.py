"""``spean node run``: runs a security server, or several in one process, until told to stop.

It refuses to do anything itself: the nodes do. This is what the systemd unit starts.
"""

import argparse

from securityserver.commands import run_node
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Run the nodes; SIGTERM and Ctrl-C let exchanges in flight finish."""
    with told(*NODE_ERRORS):
        run_node(*arguments.configs)
    return 0
