"""Counts what a mapping makes of many records: codes that its lists do not cover, records that it cannot turn, and why.

It refuses to keep any record or value: what is counted are codes, rules and reasons.
``spean adapter check --against-data`` feeds it a whole registry; ``spean adapter export`` asks it record by record.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import contracts
from adapters.errors import RecordError, shown_code
from adapters.mapping.engine import CompiledMapping, watched
from adapters.mapping.model import ConstantRule, Mapping, ValueRule, walk
from adapters.mapping.paths import Record
from adapters.mapping.review import Finding, Level
from adapters.mapping.transforms import code_list_of


@dataclass(slots=True)
class _Codes:
    """A watch that counts codes and lets a record go on after an unknown one, so that all of its codes are seen."""

    unknown: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def ran(self, rule: ValueRule | ConstantRule, source: str, scope: Any, target: Record) -> None:  # noqa: ANN401  # a part of a record
        """See nothing: only codes count here."""

    def coded(self, rule: ValueRule, source: str, code_list: str, code: object, *, known: bool) -> bool:
        """Count a code."""
        if known:
            self.seen.add((code_list, str(code)))
        else:
            self.unknown[rule.label, source, code_list, shown_code(code)] += 1
        return True


class Counting:
    """What a mapping makes of the records that it is given, one after another.

    Args:
        compiled: the mapping.
        judged: whether what it makes is held to the contract; not while the mapping is known to lack something.
    """

    def __init__(self, compiled: CompiledMapping, *, judged: bool = True) -> None:
        self._codes = _Codes()
        self._compiled = watched(compiled, self._codes)
        self._make = standard if judged else _turned
        self.records = 0
        self.refused: Counter[str] = Counter()

    def take(self, record: Record) -> None:
        """Map one record and count what came of it."""
        self.records += 1
        try:
            self._make(self._compiled, record)
        except RefusedRecord as reason:
            self.refused[str(reason)] += 1

    def findings(self) -> Iterator[Finding]:
        """Yield what was counted, most frequent first."""
        mapping = self._compiled.mapping
        for (label, path, code_list, code), count in self._codes.unknown.most_common():
            problem = (
                f"the code {code} at {path} is not in the code list {code_list}: {count} of {self.records} records"
            )
            yield Finding(Level.ERROR, mapping.file, label, problem, "add it to the list, or correct the source")
        for reason, count in self.refused.most_common():
            problem = f"{reason}: {count} of {self.records} records"
            yield Finding(Level.ERROR, mapping.file, "rules", problem, "correct the rule, or the source")
        yield from self._never_seen(mapping)

    def _never_seen(self, mapping: Mapping) -> Iterator[Finding]:
        used = {
            name
            for rule, _source, _target in walk(mapping.rules)
            for step in (rule.transforms if isinstance(rule, ValueRule) else ())
            if (name := code_list_of(step.name, step.argument)) is not None and step.name != "lookup"
        }
        for name in sorted(used) if self.records else ():
            unseen = sorted(code for code in mapping.code_lists[name] if (name, code) not in self._codes.seen)
            if unseen:
                problem = f"the source has none of the codes {', '.join(unseen)}"
                yield Finding(
                    Level.NOTE, mapping.file, f"code_lists.{name}", problem, "nothing, if they can still come"
                )


class RefusedRecord(Exception):  # noqa: N818  # what became of one record
    """A record cannot be given in the standard; says why, and names no value."""


def standard(compiled: CompiledMapping, record: Record) -> Record:
    """Return a record in the standard, judged by its contract; raises :class:`RefusedRecord`."""
    turned = _turned(compiled, record)
    try:
        contracts.validate(compiled.mapping.contract, compiled.mapping.contract_version, turned)
    except contracts.ContractViolation as error:
        raise RefusedRecord(f"breaks the contract: {without_positions(error)}") from None
    return turned


def _turned(compiled: CompiledMapping, record: Record) -> Record:
    try:
        return compiled.apply(record)
    except RecordError as error:
        raise RefusedRecord(f"{error.rule}, source path {error.source_path or '.'}: {error.problem}") from None


def without_positions(error: contracts.ContractViolation) -> str:
    """Tell what a violation is, the same for every element of a list."""
    pointer = "/".join("*" if part.isdigit() else part for part in error.pointer.split("/")) or "/"
    return f"at {pointer} the {error.value_type} breaks the rule {error.rule}: expected {error.expected}"
