"""The arguments of ``spean verify``.

It refuses to import what the command does, as the table of commands does.
"""

import argparse
from pathlib import Path


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``spean verify``."""
    parser.add_argument(
        "containers",
        type=Path,
        nargs="+",
        metavar="CONTAINER",
        help="signed documents (.asice); a folder, an archive or a ZIP of /asic stands for all in it",
    )
    parser.add_argument(
        "--conf",
        type=Path,
        required=True,
        metavar="DIR|ZIP",
        help="what to trust, and all that is trusted: the answer of a security server's /verificationconf",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--extract", type=Path, metavar="DIR", help="write messages and bodies that hold below DIR")
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="when to judge documents without a time-stamp, such as 2026-11-22T09:30:00Z; others keep their own time",
    )
