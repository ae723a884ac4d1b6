"""The arguments of the commands about the shared standard.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

_JSON: Final = "for programs"


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """What to list."""
    parser.add_argument("family", nargs="?", metavar="FAMILY", help="only this family, such as dci or cambodia")
    parser.add_argument("--codes", action="store_true", help="the code lists instead of the records")
    parser.add_argument("--json", action="store_true", help=_JSON)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """One contract or code list."""
    parser.add_argument("name", metavar="NAME[@VERSION]", help="a contract or code list, such as cambodia/person")
    parser.add_argument("version", nargs="?", metavar="VERSION", help="such as 1.0.0 (default: the newest)")
    parser.add_argument("--schema", action="store_true", help="the JSON Schema itself, as it is published")
    parser.add_argument("--examples", action="store_true", help="documents that it accepts and refuses, as JSON")


def validate_arguments(parser: argparse.ArgumentParser) -> None:
    """A contract and a document."""
    parser.add_argument("contract", metavar="NAME[@VERSION]", help="such as cambodia/person (default: the newest)")
    parser.add_argument("file", type=Path, metavar="FILE", help="a JSON document, or - for the standard input")
    parser.add_argument("--partial", action="store_true", help="fields may lack: an answer of which some were withheld")
    parser.add_argument("--json", action="store_true", help=_JSON)


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    """Two versions."""
    for which in ("old", "new"):
        parser.add_argument(which, metavar=which.upper(), help="NAME@VERSION, a JSON file, or a folder of contracts")
    parser.add_argument(
        "--as",
        dest="role",
        choices=("answer", "request", "both"),
        default="both",
        help="answer: providers write it, consumers read it; request: the other way round (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help=_JSON)


def docs_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the pages go."""
    parser.add_argument("folder", type=Path, metavar="OUT", help="the folder of the pages; made when it is not there")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when the folder is out of step")
