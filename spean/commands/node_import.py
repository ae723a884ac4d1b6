"""``spean node import``: puts an issued certificate beside the key that it belongs to.

It refuses a certificate that was asked for by another token or for another usage. A running node uses it at its next
start.
"""

import argparse

from spean.commands.common import told
from spean.commands.node import NODE_ERRORS, opened


def run(arguments: argparse.Namespace) -> int:
    """Import one certificate, with the intermediates that stand after it."""
    with told(*NODE_ERRORS):
        _, token = opened(arguments.config)
        key = token.import_certificate(arguments.certificate.read_bytes())
    print(f"Imported the certificate of key '{key.label}' ({key.usage.value}).")
    return 0
