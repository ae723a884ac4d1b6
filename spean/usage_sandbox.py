"""The arguments of the sandbox's commands.

It refuses to know what the commands do. The table of commands names these functions.
"""

import argparse
from pathlib import Path

_FEWEST = 100
_STORIES = {
    "once-only": "a family is enrolled by one number",
    "no-spid": "people without any card are served",
    "register": "a family registers once, and every operator hears of it",
    "change": "a changed address reaches everybody, with old and new value",
    "duplicates": "one person under two numbers is found and told to both owners",
    "grievance": "a complaint finds its programme, and its answer the person",
    "reconcile": "an operator restored from a backup repairs what it lacks",
}
STORIES = tuple(_STORIES)


def up_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``sandbox up`` takes."""
    _common(parser)
    parser.add_argument(
        "--full", action="store_true", help="every programme of the plan: nine institutions in place of three"
    )


def demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``sandbox demo`` takes."""
    _common(parser)
    parser.add_argument(
        "--story",
        choices=STORIES,
        help="; ".join(f"{name}: {what}" for name, what in _STORIES.items()),
    )


def _households(text: str) -> int:
    count = int(text)
    if count < _FEWEST:
        raise argparse.ArgumentTypeError(f"the stories need {_FEWEST} households")
    return count


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, metavar="DIR", help="folder to keep the instance in")
    parser.add_argument(
        "--households", type=_households, metavar="N", help="how many to make up in a new folder (default: 10000)"
    )
    parser.add_argument("--base-port", type=int, metavar="N", help="first of the ports to use (default: a free range)")
