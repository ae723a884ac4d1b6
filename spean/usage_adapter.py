"""The arguments of the commands that check, try, start and export an adapter.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

_PAGE: Final = 50


def check_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter, and whether to look at its data."""
    _config(parser)
    parser.add_argument(
        "--against-data", action="store_true", help="also read the source: count codes and records that do not fit"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="look at the first N records only; with --against-data")


def try_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter and one record: from a file, or from the source."""
    _config(parser)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a record as the source gives it (JSON)")
    parser.add_argument("--id", metavar="TYPE:VALUE", help="take the record from the source, such as EQUITY_CARD:123")
    parser.add_argument("--id-file", type=Path, metavar="FILE", help="as --id, from a file: nobody sees it in `ps`")
    write_arguments(parser)
    _service(parser)


def write_arguments(parser: argparse.ArgumentParser) -> None:
    """What a record would do that another institution sends."""
    parser.add_argument(
        "--write", type=Path, metavar="RECORD.json", help="a record of the standard: show what it would change here"
    )
    parser.add_argument("--sender", metavar="CLIENT", help="who sends it; with --write (default: the first that may)")


def conflicts_arguments(parser: argparse.ArgumentParser) -> None:
    """Which conflicts, or which one to decide."""
    _config(parser)
    parser.add_argument("--all", action="store_true", help="also those that were decided")
    parser.add_argument("--values", action="store_true", help="show both values, which are personal data")
    parser.add_argument("--after", type=int, default=0, metavar="NUMBER", help="continue after this one")
    parser.add_argument("--limit", type=int, default=_PAGE, metavar="N", help="at most so many (default: %(default)s)")
    parser.add_argument("--decide", nargs=2, metavar=("NUMBER", "SIDE"), help="decide one: SIDE is sent or local")


def new_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder to start, and what the source's own schema is read from."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder; its name becomes the adapter's")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--from-sql", type=Path, metavar="URL_FILE", help="a file with the database's URL (it may hold a password)"
    )
    source.add_argument("--from-json", type=Path, metavar="SAMPLE", help="an answer of the REST service (JSON)")
    source.add_argument("--from-xlsx", type=Path, metavar="FILE", help="a workbook or CSV file with headers")
    parser.add_argument("--table", metavar="NAME", help="the table with one row per record; with --from-sql")
    parser.add_argument(
        "--contract",
        default="cambodia/person",
        metavar="NAME",
        help="the record of the standard (default: %(default)s)",
    )


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter, which service, and where to."""
    _config(parser)
    _service(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.jsonl", help="one record a line; FILE.jsonl.refused: the rest"
    )


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="ADAPTER.yaml", help="the adapter's configuration")


def _service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service", metavar="CODE", help="which of its services (needed where there are several)")
