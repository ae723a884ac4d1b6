"""The arguments of the commands that prove, check and unlock the message log.

It refuses to import what the commands do. ``usage`` names them in its table.
"""

import argparse
from pathlib import Path

from spean.usage_log import record_number


def prove_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which record, and where the proof goes."""
    _node(parser)
    parser.add_argument(
        "record", type=record_number, metavar="ID", help="the record's number, as `spean log list` shows it"
    )
    parser.add_argument("--out", type=Path, metavar="PROOF.json", help="where to write (default: the screen)")


def check_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which log, and which proofs were kept elsewhere."""
    _node(parser)
    parser.add_argument(
        "heads",
        type=Path,
        nargs="*",
        metavar="PROOF.json",
        help="proofs kept elsewhere: the log must still hold all that their signed heads cover",
    )


def key_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what to do with which key."""
    _node(parser)
    parser.add_argument("action", choices=("show", "export", "add-auditor"), help="what to do")
    parser.add_argument("--out", type=Path, metavar="FILE.p12", help="where export writes the log key (PKCS #12)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password of that copy")
    parser.add_argument("--key", type=Path, metavar="PUBLIC.pem", help="the auditor's public key")


def _node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="NODE.toml", help="the node's configuration")
