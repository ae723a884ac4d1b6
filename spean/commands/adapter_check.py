"""``spean adapter check``: says all that is open in an adapter's files, and on demand in its data.

It refuses to change anything, and shows codes but no other value of a record.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from adapters.checking import look
from adapters.datacheck import look_at_data, plan
from adapters.mapping.review import Finding, Level
from spean.commands.progress import Bar
from spean.errors import UsageError

_HINT: Final = "Add --against-data to look at the source as well."


def run(arguments: argparse.Namespace) -> int:
    """Print what is found; 1 when there is an error."""
    if arguments.limit is not None and (not arguments.against_data or arguments.limit < 1):
        raise UsageError("--limit is a number of records, and goes with --against-data.")
    found = list(look(arguments.config))
    if arguments.against_data:
        found += _data(arguments)
    for each in sorted(found, key=lambda finding: list(Level).index(finding.level)):
        print(f"{each.level.value:8} {each.file}: {each.place}\n         {each.problem}\n         → {each.remedy}")
    print(_ending(found, looked=arguments.against_data))
    return 1 if _errors(found) else 0


def _data(arguments: argparse.Namespace) -> list[Finding]:
    planned = plan(arguments.config)
    found = list(planned.skipped)
    for service in planned.services:
        with Bar(f"{service.code}: records read") as bar:
            looking = look_at_data(service, limit=arguments.limit, tell=bar.show)
            found += asyncio.run(looking)
    return found


def _errors(found: Iterable[Finding]) -> bool:
    return any(each.level is Level.ERROR for each in found)


def _ending(found: list[Finding], *, looked: bool) -> str:
    count = Counter(each.level for each in found)
    said = f"Errors: {count[Level.ERROR]}, warnings: {count[Level.WARNING]}, notes: {count[Level.NOTE]}."
    khmer = f"កំហុស {count[Level.ERROR]} ការព្រមាន {count[Level.WARNING]} កំណត់សម្គាល់ {count[Level.NOTE]}។"
    return f"{said} {khmer}" if looked else f"{said} {_HINT} {khmer}"
