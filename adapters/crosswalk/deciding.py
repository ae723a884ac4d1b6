"""Decides which person a record is about: rules first, then the score, below the threshold a human; and says why.

It refuses to touch tables and to show values: a decision names rules, levels and weights. The same record and
candidates give the same decision, whatever order they come in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from adapters.crosswalk.comparing import Features, levels
from adapters.crosswalk.definition import Definition

SCORE: Final = "score"
MOST_FOR_REVIEW: Final = 5  # candidates that a human is shown; more are no help


class Finding(StrEnum):
    """What does not fit, and is told to the owners of the records."""

    TWO_NUMBERS = "two-numbers"  # one person, two numbers of a type of which a person has one
    TWO_SPIDS = "two-spids"  # one person, two entries of the registry
    CONTRADICTED = "contradicted-number"  # one number, two persons
    TWICE = "twice-in-registry"  # two records of a registry that promises to have nobody twice


class Outcome(StrEnum):
    """What becomes of a record."""

    LINKED = "linked"
    REVIEW = "review"
    OPEN = "open"  # nobody is like it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person who may be the record's, and which rules' numbers the two share."""

    person: int
    features: Features
    rules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pair:
    """How a record and a candidate compare.

    ``basis`` is the rule that holds, or ``score``; ``sure`` says whether it decides without a human.
    """

    person: int
    basis: str
    weight: float
    levels: Mapping[str, str]
    sure: bool
    findings: frozenset[Finding] = frozenset()

    def explanation(self, definition: Definition) -> dict[str, Any]:
        """Say why, without values."""
        return {
            "definition": f"{definition.name} {definition.version}",
            "basis": self.basis,
            "levels": dict(self.levels),
            "weights": {field: definition.weights[field][level].bits for field, level in self.levels.items()},
            "weight": self.weight,
            "match": definition.match,
            "review": definition.review,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a record; ``pairs`` are the one that it is linked with, or those for review, best first."""

    outcome: Outcome
    pairs: tuple[Pair, ...] = ()


def decide(definition: Definition, record: Features, candidates: Sequence[Candidate]) -> Decision:
    """Decide about one record."""
    # 1. Compare with every candidate.
    pairs = [compare(definition, record, each) for each in candidates]
    # 2. A number that both have, when nothing speaks against it; two numbers of two persons decide nothing.
    ruled = [each for each in pairs if each.basis != SCORE]
    if len(ruled) == 1 and not any(Finding.CONTRADICTED in each.findings for each in pairs):
        return Decision(Outcome.LINKED, (ruled[0],))
    if ruled:
        return _review(pairs, definition)
    # 3. The score, when it is high, alone, and no number contradicts.
    return _scored(definition, pairs)


def compare(definition: Definition, record: Features, candidate: Candidate) -> Pair:
    """Compare a record with one person."""
    found = levels(record, candidate.features, definition.household)
    weight = definition.weight(found)
    rule = next((each.code for each in definition.rules if each.code in candidate.rules), None)
    bears = all(found[field] in good for field, good in definition.bears.items())
    findings: set[Finding] = set()
    if rule is not None and not bears:
        findings.add(Finding.CONTRADICTED)
    enough = _needed(definition, found)
    if found["number"] == "different":
        beside = weight - definition.weights["number"]["different"].bits
        if (rule is not None and bears) or (enough and beside >= definition.match):
            findings.add(Finding.TWO_NUMBERS)
    ruled = rule is not None and bears
    sure = ruled or (enough and weight >= definition.match and found["number"] != "different" and not findings)
    basis = rule if rule is not None and bears else SCORE
    return Pair(candidate.person, basis, round(weight, 2), found, sure, frozenset(findings))


def _needed(definition: Definition, found: Mapping[str, str]) -> bool:
    return all(found[field] in good for field, good in definition.needs.items())


def _scored(definition: Definition, pairs: Sequence[Pair]) -> Decision:
    if any(Finding.CONTRADICTED in each.findings for each in pairs):
        return _review(pairs, definition)
    sure = sorted((each for each in pairs if each.sure), key=_rank)
    if sure:
        best = sure[0]
        others = [each.weight for each in pairs if each is not best and _likely(definition, each)]
        if best.weight - max(others, default=-definition.match) >= definition.margin:
            return Decision(Outcome.LINKED, (best,))
    return _review(pairs, definition)


def _likely(definition: Definition, pair: Pair) -> bool:
    """Whether it could be the one: whoever has another name, sex or age is told apart, however much else is equal."""
    return _needed(definition, pair.levels)


def _review(pairs: Sequence[Pair], definition: Definition) -> Decision:
    worth = [each for each in pairs if each.weight >= definition.review or each.findings or each.basis != SCORE]
    found = tuple(sorted(worth, key=_rank)[:MOST_FOR_REVIEW])
    return Decision(Outcome.REVIEW if found else Outcome.OPEN, found)


def _rank(pair: Pair) -> tuple[bool, float, int]:
    return (pair.basis == SCORE, -pair.weight, pair.person)
