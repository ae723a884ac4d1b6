"""The arguments of the commands about the crosswalk.

It refuses to import what the commands do; `spean.usage` puts them into its table.
"""

import argparse
from pathlib import Path


def build_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which registries are read."""
    _crosswalk(parser)
    parser.add_argument("adapters", type=Path, nargs="*", metavar="ADAPTER.yaml", help="whose registries are read")
    parser.add_argument(
        "--from",
        dest="exports",
        action="append",
        default=[],
        metavar="REGISTRY=FILE.jsonl",
        help="a registry that was exported (spean adapter export), by its name in the crosswalk's declaration",
    )
    parser.add_argument("--gone", action="store_true", help="end the records that these registries have no more")
    parser.add_argument("--accept-gone", action="store_true", help="with --gone, also when many are missing")


def review_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what is decided, or nothing to look through what waits."""
    _crosswalk(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--decide", nargs=2, metavar=("ID", "VERDICT"), help="a pair's ID as shown, and same or different"
    )
    what.add_argument(
        "--decisions", type=Path, metavar="FILE.csv", help="many decisions: columns id, verdict, reason; - is not taken"
    )
    what.add_argument("--list", action="store_true", help="show what waits and ask nothing")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept with the decision")
    parser.add_argument("--by", default="", metavar="NAME", help="who decides (default: the user of this computer)")
    parser.add_argument("--limit", type=int, default=20, metavar="NUMBER", help="pairs shown (default: %(default)s)")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Say whose numbers are shown."""
    _crosswalk(parser)
    parser.add_argument(
        "--id", required=True, metavar="TYPE:VALUE", help="a number, such as SPID:-; a VALUE of - asks for it"
    )
    parser.add_argument("--registry", default="", metavar="CODE", help="whose number a LOCAL_ID is, such as PMRS")


def duplicates_arguments(parser: argparse.ArgumentParser) -> None:
    """Say in which form, or that the owners are told."""
    _crosswalk(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="one report a line, as its owner would be told")
    what.add_argument("--tell", action="store_true", help="tell the owners, through the outbox; nothing is told twice")


def _crosswalk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CROSSWALK.yaml", help="the crosswalk's adapter file")
