"""The official JSON Schema Test Suite: finds it, reads its cases, and tells which are about what contracts may use.

It refuses to judge: the test asks both validators. ``make test`` fetches the suite; without it a test skips, CI fails.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from contracts.patterns import UnportablePattern, portable
from tests.support.contract_rules import KNOWN, walk

SUITE: Final = Path(__file__).resolve().parents[2] / ".venv/schema-suite/tests/draft2020-12"
_ANNOTATIONS: Final = frozenset({"$comment", "default", "examples"})  # say nothing about validity


@dataclass(frozen=True, slots=True)
class Case:
    """One document, the schema that it is put before, and the suite's verdict."""

    file: str
    title: str
    schema: Mapping[str, Any]
    document: Any
    valid: bool


def need_suite() -> Path:
    """Return the suite's folder of the draft; without it a test fails in CI and skips elsewhere."""
    if not SUITE.is_dir():
        said = "the JSON Schema Test Suite is missing: make .venv/schema-suite"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return SUITE


def cases(path: Path, *, formats: bool = False) -> tuple[list[Case], int]:
    """Read one file: the cases that only use what contracts may use, and how many others there are.

    Args:
        path: a file of the suite.
        formats: formats are rules in this file; elsewhere in the suite they only annotate, as none does in a contract.
    """
    applied, others = [], 0
    for group in json.loads(path.read_text(encoding="utf-8")):
        if _relevant(group["schema"], formats=formats):
            applied += list(_cases(path.name, group))
        else:
            others += len(group["tests"])
    return applied, others


def _cases(file: str, group: Mapping[str, Any]) -> Iterator[Case]:
    for each in group["tests"]:
        title = f"{group['description']}: {each['description']}"
        yield Case(file, title, group["schema"], each["data"], each["valid"])


def _relevant(schema: Any, *, formats: bool) -> bool:  # the suite's schemas may be anything
    return isinstance(schema, dict) and all(
        _known(node, formats=formats) for _where, node, _narrowing in walk(schema, "", narrowing=False)
    )


def _known(node: Mapping[str, Any], *, formats: bool) -> bool:
    if set(node) - KNOWN - _ANNOTATIONS or not str(node.get("$ref", "#")).startswith("#"):
        return False
    try:
        portable(node.get("pattern", ""), "rust")
    except UnportablePattern:
        return False
    return "$id" not in node and (formats or "format" not in node)
