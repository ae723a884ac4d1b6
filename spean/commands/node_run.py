"""``spean node run``: runs a security server until it is told to stop.

It refuses to do anything itself: the node does. This is what the systemd unit starts.
"""

import argparse

from securityserver.commands import run_node
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Run the node; SIGTERM and Ctrl-C let exchanges in flight finish."""
    with told(*NODE_ERRORS):
        run_node(arguments.config)
    return 0
