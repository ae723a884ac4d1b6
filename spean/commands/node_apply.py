"""``spean node apply``: makes the node's clients, services and access rights those of a file.

It refuses to merge: what the file does not name is gone afterwards. A running node sees the change within a second.
"""

import argparse

from securityserver.commands import apply_services
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS


def run(arguments: argparse.Namespace) -> int:
    """Apply one SERVICES.toml."""
    services = arguments.services
    config = arguments.config or services.with_name("NODE.toml")
    with told(*NODE_ERRORS):
        changes = apply_services(config, services, remove_all=arguments.remove_all)
    print(changes or "Nothing changed: the node has these clients, services and access rights already.")
    return 0
