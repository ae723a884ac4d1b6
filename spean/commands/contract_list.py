"""``spean contract list``: the records and code lists of the shared standard, with their versions.

It refuses to show what is in them; ``spean contract show`` does.
"""

import argparse
import json

import contracts
from spean.commands.columns import columns
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Print one line each."""
    rows = _code_lists() if arguments.codes else _records()
    prefix = f"{arguments.family}/" if arguments.family else ""
    found = [row for row in rows if row["name"].startswith(prefix)]
    if not found:
        families = sorted({row["name"].partition("/")[0] for row in rows})
        raise UsageError(f"There is no family {arguments.family!r}; there are {' and '.join(families)}.")
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return 0
    for line in columns([(row["name"], row["versions"], row["title"], row["title_km"]) for row in found]):
        print(line)
    return 0


def _records() -> list[dict[str, str]]:
    found = []
    for name in contracts.names():
        known = contracts.versions(name)
        newest = contracts.schema(name, known[-1])
        found.append(_row(name, known, newest["title"], newest["x-title-km"]))
    return found


def _code_lists() -> list[dict[str, str]]:
    found = []
    for name in contracts.code_list_names():
        known = contracts.code_list_versions(name)
        title = contracts.code_list(name, known[-1]).title
        found.append(_row(name, known, title.en, title.km))
    return found


def _row(name: str, known: tuple[str, ...], title: str, khmer: str) -> dict[str, str]:
    return {"name": name, "versions": ", ".join(known), "title": title, "title_km": khmer}
