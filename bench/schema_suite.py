"""Both validators against the official JSON Schema Test Suite, as far as contracts use JSON Schema.

It refuses to bring the suite along: it reads the folder of one draft, such as ``tests/draft2020-12``, from wherever the
suite was put. Schemas with keywords or patterns that the standard does not allow are counted as left out.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from contracts.compiled import Judge, for_compiler
from contracts.patterns import UnportablePattern, portable
from contracts.reference import reference_validator
from tests.support.contract_rules import KNOWN, walk

ANNOTATIONS: Final = frozenset({"$comment", "default", "examples", "$schema"})  # say nothing about validity
ALIKE: Final = "right by both"
LEFT_OUT: Final = "left out"


def main(folder: Path) -> int:
    """Run all files of a folder; 1 when a validator judged otherwise than the suite."""
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            for told, what in judged(group):
                counts[told] += 1
                if told not in {ALIKE, LEFT_OUT}:
                    print(f"{path.name}: {group['description']}: {what}: {told}")
    print(", ".join(f"{count} {told}" for told, count in counts.items()))
    return int(set(counts) - {ALIKE, LEFT_OUT} != set())


def judged(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield for each case of a group how the two validators judged it, and what it is."""
    schema = group["schema"]
    if not _relevant(schema):
        yield from ((LEFT_OUT, each["description"]) for each in group["tests"])
        return
    compiled, reference = Judge(for_compiler(schema)), reference_validator(schema)
    for each in group["tests"]:
        wrong = [
            name
            for name, verdict in (
                ("compiled", compiled.accepts(each["data"])),
                ("reference", reference.is_valid(each["data"])),
            )
            if verdict is not each["valid"]
        ]
        yield (f"wrong by {' and '.join(wrong)}" if wrong else ALIKE), each["description"]


def _relevant(schema: Any) -> bool:  # noqa: ANN401  # the suite's schemas may be anything
    return isinstance(schema, dict) and all(
        _known(node) for _where, node, _narrowing in walk(schema, "", narrowing=False)
    )


def _known(node: Mapping[str, Any]) -> bool:
    if set(node) - KNOWN - ANNOTATIONS or not str(node.get("$ref", "#")).startswith("#"):
        return False
    try:
        portable(node.get("pattern", ""), "rust")
    except UnportablePattern:
        return False
    return "$id" not in node and "format" not in node


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
