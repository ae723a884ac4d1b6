"""The arguments of the commands that find records in the message log.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

_TIME: Final = "YYYY-MM-DD[THH:MM:SS[+07:00]]"
_SERVICE: Final = "INSTANCE/CLASS/MEMBER[/SUBSYSTEM]/SERVICE"


def record_number(text: str) -> int:
    """Read a record's number; no database counts further."""
    return _number(text, 2**63 - 1, "a record's number")


def _page(text: str) -> int:
    return _number(text, 1000, "1 to 1000 records")


def _number(text: str, most: int, what: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text[:30]!r} is not {what}")
    return int(text)


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Filters, and one page of what fits."""
    _filters(parser)
    parser.add_argument("--limit", type=_page, default=50, metavar="N", help="records on a page (default: %(default)s)")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="(default: %(default)s)")


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Filters, and all of what fits."""
    _filters(parser)
    parser.add_argument("--format", choices=("json", "csv"), default="csv", help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: the screen)")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """One record."""
    _config(parser)
    parser.add_argument("record", type=record_number, metavar="ID", help="the record's number, as `log list` shows it")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--body", type=Path, metavar="FILE", help="write the body to a new file; it is personal data")
    parser.add_argument(
        "--document",
        type=Path,
        metavar="FILE.asice",
        help="write the signed document, with its body, for `spean verify`",
    )
    parser.add_argument(
        "--key", type=Path, metavar="KEY.pem", help="an auditor's private key to open it (default: the node's log key)"
    )
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="file with the password of that key")


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="NODE.toml", help="the node's configuration; the node may run")


def _filters(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    found = parser.add_argument_group("what to find (all that is given must fit)")
    found.add_argument("--from", dest="since", metavar="TIME", help=f"not before; {_TIME}, UTC without a zone")
    found.add_argument("--to", dest="until", metavar="TIME", help="before; as --from")
    found.add_argument("--client", metavar="INSTANCE/CLASS/MEMBER[/SUBSYSTEM]", help="who asked")
    found.add_argument("--service", metavar=_SERVICE, help="what was asked for")
    found.add_argument("--message", metavar="ID", help="the message id (X-Road-Id)")
    found.add_argument("--request", metavar="ID", help="the request id (X-Road-Request-Id)")
    found.add_argument("--user", metavar="ID", help="who asked on the client's side (X-Road-UserId)")
    found.add_argument("--issue", metavar="ID", help="the case that it was for (X-Road-Issue)")
    found.add_argument("--direction", choices=("request", "response"), help="which half of an exchange")
    found.add_argument("--side", choices=("consumer", "producer"), help="on whose behalf this server logged it")
    found.add_argument("--outcome", metavar="OUTCOME", help="ok, failed, unanswered, or a status such as 404")
    found.add_argument("--after", metavar="PLACE", help="go on where a page ended, as it said")
