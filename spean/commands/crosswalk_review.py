"""``spean crosswalk review``: shows pairs that wait side by side, and takes what a human decides.

It shows personal values on the screen, because that is what is decided about; it refuses to log them. Each decision is
written by itself: one that is refused stops no other.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from adapters.crosswalk.opening import Opened
from adapters.crosswalk.reviewing import DIFFERENT, SAME, ReviewError, Shown, decide_pair, waiting
from spean.commands.crosswalk_lines import side_by_side
from spean.commands.crosswalk_open import opened, whoever
from spean.errors import CommandError, UsageError

_COLUMNS = ("id", "verdict", "reason")


def run(arguments: argparse.Namespace) -> int:
    """Decide what is given, or show what waits and ask."""
    by = whoever(arguments.by)
    with opened(arguments.config) as crosswalk:
        if arguments.decide:
            pair, verdict = arguments.decide
            _decide(crosswalk, pair, verdict, by, _reasoned(arguments.reason))
            return 0
        if arguments.decisions:
            return _decide_many(crosswalk, arguments.decisions, by)
        found = crosswalk.store.read_now(lambda c: waiting(c, crosswalk.crosswalk, limit=arguments.limit))
        ask = sys.stdin.isatty() and not arguments.list
        for each in found:
            print("\n".join(side_by_side(crosswalk.crosswalk.definition, each)))
            if ask and not _ask(crosswalk, each, by):
                return 0
        print("Nothing waits. គ្មានអ្វីរង់ចាំទេ។" if not found else "")
    return 0


def _ask(crosswalk: Opened, shown: Shown, by: str) -> bool:
    """Ask until there is an answer; False when the human stops."""
    answers = {"s": SAME, "d": DIFFERENT}
    while True:
        answer = input("[s]ame ដូចគ្នា  [d]ifferent ខុសគ្នា  [n]ext បន្ទាប់  [q]uit ចេញ: ").strip().casefold()[:1]
        if answer in {"n", "q"}:
            return answer == "n"
        if answer in answers:
            _decide(crosswalk, shown.id, answers[answer], by, _reasoned(input("Why? ហេតុអ្វី? ")))
            return True


def _decide(crosswalk: Opened, pair: str, verdict: str, by: str, reason: str) -> None:
    if verdict not in {SAME, DIFFERENT}:
        raise UsageError(f"A verdict is {SAME} or {DIFFERENT}.")
    decide = partial(
        decide_pair, crosswalk=crosswalk.crosswalk, pair=pair, verdict=verdict, by=by, reason=reason,
        at=datetime.now(UTC),
    )  # fmt: skip
    crosswalk.store.write_now(decide)
    print(f"{pair}: {verdict}")


def _decide_many(crosswalk: Opened, path: Path, by: str) -> int:
    refused = 0
    for line, (pair, verdict, reason) in enumerate(_rows(path), start=2):
        try:
            _decide(crosswalk, pair, verdict, by, _reasoned(reason))
        except (ReviewError, CommandError) as error:
            refused += 1
            print(f"line {line}: {error}", file=sys.stderr)
    return 1 if refused else 0


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not set(_COLUMNS) <= set(reader.fieldnames or ()):
            raise CommandError(f"{path} needs the columns {', '.join(_COLUMNS)}.")
        for row in reader:
            yield tuple((row[name] or "").strip() for name in _COLUMNS)  # type: ignore[misc]  # three names


def _reasoned(reason: str) -> str:
    if not reason.strip():
        raise UsageError("Say why with --reason: whoever looks at this later must understand it.")
    return reason.strip()
