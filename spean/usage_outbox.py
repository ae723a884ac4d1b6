"""The arguments of the commands about an adapter's outbox: what waits, what could not be delivered, and what to do.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.usage_model import Command

STATES: Final = ("waiting", "sent", "rejected", "dead", "dropped")
_PAGE: Final = 50


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rows, and in which form."""
    _config(parser)
    parser.add_argument(
        "--state",
        action="append",
        choices=STATES,
        default=[],
        help="only these; may be repeated (default: waiting, rejected and dead)",
    )
    _receiver(parser)
    parser.add_argument("--older-than", type=int, metavar="MINUTES", help="only what was put before that")
    parser.add_argument("--after", type=int, default=0, metavar="NUMBER", help="continue after this row")
    parser.add_argument("--limit", type=int, default=_PAGE, metavar="N", help="at most so many (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    """Which row, and whether to show what is sealed."""
    _config(parser)
    _number(parser)
    parser.add_argument(
        "--document",
        metavar="FILE",
        help="also write what is sealed, personal data among it, into a new file; - is the screen",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def retry_arguments(parser: argparse.ArgumentParser) -> None:
    """One row, or all dead ones."""
    _config(parser)
    parser.add_argument("number", type=int, nargs="*", metavar="NUMBER", help="rows, as `spean outbox list` has them")
    parser.add_argument("--dead", action="store_true", help="all dead rows, or with --receiver those of one receiver")
    _receiver(parser)


def drop_arguments(parser: argparse.ArgumentParser) -> None:
    """One row, and why."""
    _config(parser)
    _number(parser)
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="why it is given up: it is kept, with your name"
    )


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="ADAPTER.yaml", help="the adapter's configuration")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, metavar="NUMBER", help="of a row, as `spean outbox list` has it")


def _receiver(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--receiver", metavar="ADDRESS", help="a subsystem, or a service of one, that is told")


COMMANDS: Final = (
    Command(
        ("outbox", "list"),
        "spean.commands.outbox_list:run",
        "show what waits to be sent, was rejected, or was given up",
        "បង្ហាញអ្វីដែលរង់ចាំផ្ញើ ត្រូវបានបដិសេធ ឬផ្ញើមិនបាន",
        (
            "spean outbox list ADAPTER.yaml",
            "spean outbox list ADAPTER.yaml --state dead --receiver KH-PILOT/GOV/NSAF/FAMILY-PACKAGE --json",
        ),
        list_arguments,
    ),
    Command(
        ("outbox", "show"),
        "spean.commands.outbox_show:run",
        "show one of them: why it failed, what the receiver said",
        "បង្ហាញមួយជួរ៖ ហេតុអ្វីផ្ញើមិនបាន និងអ្វីដែលអ្នកទទួលឆ្លើយ",
        ("spean outbox show ADAPTER.yaml 42", "spean outbox show ADAPTER.yaml 42 --document event.json"),
        show_arguments,
    ),
    Command(
        ("outbox", "retry"),
        "spean.commands.outbox_retry:run",
        "send again what was given up",
        "ផ្ញើឡើងវិញនូវអ្វីដែលផ្ញើមិនបាន",
        ("spean outbox retry ADAPTER.yaml 42", "spean outbox retry ADAPTER.yaml --dead"),
        retry_arguments,
    ),
    Command(
        ("outbox", "drop"),
        "spean.commands.outbox_drop:run",
        "give one up for good, and say why",
        "បោះបង់ចោលមួយជួរ ដោយបញ្ជាក់មូលហេតុ",
        ("spean outbox drop ADAPTER.yaml 42 --reason 'The family was registered twice; the other record was sent.'",),
        drop_arguments,
    ),
)
