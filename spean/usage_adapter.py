"""The arguments of the commands that check, try, start and export an adapter.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path


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
    _service(parser)


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
