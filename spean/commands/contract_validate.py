"""``spean contract validate``: says everything that is wrong with a document, and never what stands in it.

It refuses to print values: what is validated is people's data, and what is printed ends in mails and tickets.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import contracts
from spean.commands.columns import columns
from spean.commands.contract_names import contract_version
from spean.errors import CommandError

MAX_BYTES: Final = 64 * 1024 * 1024  # a page of a thousand households has 4 MB


class _TwiceError(Exception):
    """An object has one name twice."""


def run(arguments: argparse.Namespace) -> int:
    """Print the violations, or that there are none; 1 when there are."""
    name, _at, named = arguments.contract.partition("@")
    version = contract_version(name, named or None)
    found = contracts.violations(name, version, _document(arguments.file), partial=arguments.partial)
    if arguments.json:
        print(json.dumps([_told(each) for each in found], indent=1))
    elif found:
        rows = [(each.pointer or "/", each.rule, each.value_type, f"expected {each.expected}") for each in found]
        for line in columns([("AT", "RULE", "IS", ""), *rows]):
            print(line)
        print(f"{len(found)} rules of {name} {version} are broken. មានកំហុសចំនួន {len(found)}។")
    else:
        print(f"The document is a valid {name} {version}. ឯកសារត្រឹមត្រូវ។")
    return int(bool(found))


def _told(violation: contracts.ContractViolation) -> dict[str, str]:
    keys = ("pointer", "rule", "value_type", "expected", "schema_location")
    return {key: getattr(violation, key) for key in keys}


def _document(path: Path) -> object:
    data = sys.stdin.buffer.read(MAX_BYTES + 1) if str(path) == "-" else _read(path)
    if len(data) > MAX_BYTES:
        raise CommandError(f"{path} is larger than {MAX_BYTES >> 20} MiB. Split it.")
    try:
        return json.loads(data, parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError as problem:
        raise CommandError(f"{path} is nested too deeply to be a record of the standard.") from problem
    except _TwiceError:
        raise CommandError(f"{path} names a field twice in one object. Write it once.") from None
    except ValueError as problem:
        # The parser's own message can quote the text: only the place is told.
        place = f" (line {problem.lineno}, column {problem.colno})" if isinstance(problem, json.JSONDecodeError) else ""
        raise CommandError(f"{path} is not JSON{place}. Write UTF-8, double quotes, no comments.") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two programs read a name that stands twice differently: it is not one document."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no Infinity")
