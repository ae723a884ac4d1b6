"""``spean adapter check``: says all that is open in an adapter's files, and on demand in its data.

It refuses to change anything, and shows codes but no other value of a record.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from adapters.checking import look, look_at_data
from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.mapping.review import Finding, Level
from spean.commands.common import told
from spean.commands.progress import Bar
from spean.errors import UsageError

_HINT: Final = "Add --against-data to look at the source as well."


def run(arguments: argparse.Namespace) -> int:
    """Print what is found; 1 when there is an error."""
    if arguments.limit is not None and (not arguments.against_data or arguments.limit < 1):
        raise UsageError("--limit is a number of records, and goes with --against-data.")
    found, looked = list(look(arguments.config)), False
    if arguments.against_data and not _errors(found):
        found += _data(arguments)
        looked = True
    for each in sorted(found, key=lambda finding: list(Level).index(finding.level)):
        print(f"{each.level.value:8} {each.file}: {each.place}\n         {each.problem}\n         → {each.remedy}")
    print(_ending(found, wanted=arguments.against_data, looked=looked))
    return 1 if _errors(found) else 0


def _data(arguments: argparse.Namespace) -> list[Finding]:
    with told(ConfigError):
        config = load_config(arguments.config)
        found: list[Finding] = []
        for service in config.services:
            with Bar(f"{service.code}: records read") as bar:
                found += asyncio.run(look_at_data(service, config.connection, limit=arguments.limit, tell=bar.show))
    return found


def _errors(found: Iterable[Finding]) -> bool:
    return any(each.level is Level.ERROR for each in found)


def _ending(found: list[Finding], *, wanted: bool, looked: bool) -> str:
    count = Counter(each.level for each in found)
    said = f"Errors: {count[Level.ERROR]}, warnings: {count[Level.WARNING]}, notes: {count[Level.NOTE]}."
    khmer = f"កំហុស {count[Level.ERROR]} ការព្រមាន {count[Level.WARNING]} កំណត់សម្គាល់ {count[Level.NOTE]}។"
    if looked:
        return f"{said} {khmer}"
    hint = "The source was not looked at: correct the files first." if wanted else _HINT
    return f"{said} {hint} {khmer}"
