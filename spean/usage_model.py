"""What a command of the command line is, and what a group of them: words, work, help in two languages, arguments.

It refuses to know any command. The table in ``usage`` is made of these; long tables stand beside their arguments.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

Adder = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its one or two words, where its work is (``module:function``), its help, and its arguments."""

    words: tuple[str, ...]
    handler: str
    summary: str
    khmer: str
    examples: tuple[str, ...]
    add: Adder


@dataclass(frozen=True, slots=True)
class Group:
    """The commands that share a first word, and for whom they are."""

    word: str
    summary: str
    khmer: str
