"""The arguments of the commands that publish changes, load a registry to a subscriber, and compare with a publisher.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.usage_model import Command


def capture_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter, and which records or all of them."""
    _config(parser)
    _service(parser)
    parser.add_argument(
        "--key", action="append", default=[], metavar="KEY", help="a record that changed, as the source has its key"
    )
    parser.add_argument("--whole", action="store_true", help="compare the whole registry with what was told of it")
    parser.add_argument(
        "--accept-gone", action="store_true", help="with --whole: believe that a large part of it is gone"
    )


def load_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter, and which subscription."""
    _config(parser)
    _service(parser)
    parser.add_argument(
        "--subscription", required=True, metavar="CODE", help="whose, as `spean subscription list` has it"
    )
    parser.add_argument("--again", action="store_true", help="send all once more, though it was sent before")


def reconcile_arguments(parser: argparse.ArgumentParser) -> None:
    """The adapter, which of its subscriptions, and what to do."""
    _config(parser)
    parser.add_argument(
        "--subscription", required=True, metavar="NAME", help="which, as the adapter file names it under subscriptions"
    )
    parser.add_argument("--dry-run", action="store_true", help="compare only: nothing is asked for, nothing changed")
    parser.add_argument("--list", action="store_true", help="show one line a record, without personal values")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write what was done with keys and records; only you can read it"
    )
    parser.add_argument(
        "--accept-gone", action="store_true", help="believe that a large part of what is here is gone there"
    )


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="ADAPTER.yaml", help="the adapter's configuration")


def _service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service", metavar="CODE", help="which of its services (needed where several publish)")


COMMANDS: Final = (
    Command(
        ("adapter", "capture"),
        "spean.commands.adapter_capture:run",
        "look for changes now, and tell those who may know",
        "រកការផ្លាស់ប្ដូរឥឡូវនេះ ហើយជូនដំណឹងដល់អ្នកដែលអាចដឹង",
        (
            "spean adapter capture ADAPTER.yaml --service registration --key 017-000123",
            "spean adapter capture ADAPTER.yaml --whole",
        ),
        capture_arguments,
    ),
    Command(
        ("adapter", "load"),
        "spean.commands.adapter_load:run",
        "send a subscriber all that it may have, in chunks; it may be killed and goes on",
        "ផ្ញើទិន្នន័យទាំងអស់ដែលអ្នកជាវអាចទទួល ម្ដងមួយដុំ ហើយអាចបន្តពេលដាច់",
        ("spean adapter load ADAPTER.yaml --service registration --subscription 5f0c",),
        load_arguments,
    ),
    Command(
        ("adapter", "reconcile"),
        "spean.commands.adapter_reconcile:run",
        "find and repair what differs from the registry that is subscribed to",
        "រក និងជួសជុលអ្វីដែលខុសពីបញ្ជីដែលបានជាវ",
        (
            "spean adapter reconcile ADAPTER.yaml --subscription families --dry-run",
            "spean adapter reconcile ADAPTER.yaml --subscription families --list --report difference.json",
        ),
        reconcile_arguments,
    ),
)
