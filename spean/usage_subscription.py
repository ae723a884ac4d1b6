"""The arguments of the commands about subscriptions, and about questions that are answered later.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path
from typing import Final

from spean.usage_model import Command


def list_arguments(parser: argparse.ArgumentParser) -> None:
    """Which ones, and in which form."""
    _config(parser)
    parser.add_argument("--all", action="store_true", help="also those that have ended")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def end_arguments(parser: argparse.ArgumentParser) -> None:
    """Which subscription."""
    _config(parser)
    parser.add_argument("code", metavar="CODE", help="of a subscription of others, as `spean subscription list` has it")


def ask_arguments(parser: argparse.ArgumentParser) -> None:
    """Who is asked, about whom, and why."""
    _config(parser)
    parser.add_argument("--at", required=True, metavar="ADDRESS", help="INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE to ask")
    parser.add_argument(
        "--id", required=True, metavar="TYPE:VALUE", help="about whom; a VALUE of - asks for it, hidden from `ps`"
    )
    parser.add_argument("--purpose", required=True, metavar="CODE", help="as the asked institution declares it")
    parser.add_argument("--ref-uri", metavar="URI", help="the legal ground, where the purpose needs one")
    parser.add_argument("--service", metavar="CODE", help="own service that takes the answer (needed where several)")


def answer_arguments(parser: argparse.ArgumentParser) -> None:
    """Which question, and where to."""
    _config(parser)
    parser.add_argument("message_id", metavar="MESSAGE", help="of the question, as `spean subscription ask` said it")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="new file for the answer, which is personal data; - is the screen"
    )


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="ADAPTER.yaml", help="the adapter's configuration")


COMMANDS: Final = (
    Command(
        ("subscription", "list"),
        "spean.commands.subscription_list:run",
        "show who has subscribed here, and what this adapter keeps up at others",
        "បង្ហាញអ្នកដែលបានជាវនៅទីនេះ និងអ្វីដែលអាដាប់ទ័រនេះជាវពីគេ",
        ("spean subscription list ADAPTER.yaml", "spean subscription list ADAPTER.yaml --all --json"),
        list_arguments,
    ),
    Command(
        ("subscription", "end"),
        "spean.commands.subscription_end:run",
        "end a subscription that somebody has here",
        "បញ្ឈប់ការជាវដែលគេមាននៅទីនេះ",
        ("spean subscription end ADAPTER.yaml 2f6c9c1e-8b1f-4c52-9d7e-5a1f0f3f4c11",),
        end_arguments,
    ),
    Command(
        ("subscription", "ask"),
        "spean.commands.subscription_ask:run",
        "put a question into the outbox whose answer comes later",
        "ដាក់សំណួរដែលចម្លើយមកតាមក្រោយ",
        ("spean subscription ask ADAPTER.yaml --at KH-PILOT/GOV/MOP/IDPOOR/household --id SPID:- --purpose ENROLMENT",),
        ask_arguments,
    ),
    Command(
        ("subscription", "answer"),
        "spean.commands.subscription_answer:run",
        "show what came back to such a question",
        "បង្ហាញចម្លើយចំពោះសំណួរនោះ",
        ("spean subscription answer ADAPTER.yaml 7c0e…-message --out answer.json",),
        answer_arguments,
    ),
)
