"""The arguments of ``spean archive``.

It refuses to import what the commands do, as the table of commands does.
"""

import argparse
import re
from pathlib import Path

_DIGEST = re.compile(r"[0-9a-f]{128}")


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``spean archive verify``."""
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE|DIR",
        help="archives, the oldest first; a directory stands for all in it, in the order of their links",
    )
    parser.add_argument(
        "--after", type=_digest, metavar="DIGEST", help="last digest of the archive before the first one given"
    )


def open_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``spean archive open``."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="archives")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the signed documents")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--key", type=Path, metavar="KEY.pem", help="an auditor's private key, to open bodies")
    keys.add_argument("--node", type=Path, metavar="NODE.toml", help="the node whose log key opens bodies")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the key's password, if it has one"
    )


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise argparse.ArgumentTypeError("a digest has 128 lower-case hexadecimal digits")
    return text
