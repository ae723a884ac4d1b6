"""Estimates what each level should weigh from pairs that were compared, by expectation and maximisation.

It refuses to change anything: what it finds is a proposal beside what is declared, and levels that were seen too seldom
have none. :mod:`adapters.crosswalk.sampling` counts the pairs; ``spean crosswalk weights`` shows the proposal.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.crosswalk.comparing import LEVELS, MISSING
from adapters.crosswalk.definition import Definition

SELDOM: Final = 10.0  # pairs of a kind; from fewer, chance alone moves a weight by more than half a bit
FIELDS: Final = tuple(LEVELS)
_ROUNDS: Final = 200
_STILL: Final = 1e-6  # of the share of pairs that are one person: another round changes nothing that is shown
_HARDLY: Final = 1e-6  # what was never seen is not impossible
_STEP: Final = 2  # proposals are in half bits, as people write them
# A household card that is not shared is most often none that is known: it counts among the pairs, and weighs nothing.
_COUNTED_WHEN_MISSING: Final = frozenset({"household"})
Pattern = tuple[str, ...]  # the levels of a pair, in the order of FIELDS
Shares = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one level weighs as declared, and as seen.

    Args:
        field: of the comparison.
        level: of the field.
        declared: bits that are declared.
        proposed: bits that are seen, in halves; None where too few pairs have the level.
        same: share among pairs that are one person (m).
        other: share among pairs that are two (u).
        seen: expected number of pairs of one person, and of two, that have the level.
    """

    field: str
    level: str
    declared: float
    proposed: float | None
    same: float
    other: float
    seen: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimated:
    """All levels, and what they were estimated from.

    Args:
        levels: in the order of the declaration.
        near: pairs that share a number or a block.
        far: pairs by chance.
        one_person: the share of the near ones that are one person.
        passing: near pairs whose weight reaches ``match``, as declared and as proposed.
    """

    levels: tuple[Estimate, ...]
    near: int
    far: int
    one_person: float
    passing: tuple[int, int]


def estimate(definition: Definition, near: Counter[Pattern], far: Counter[Pattern]) -> Estimated:
    """Estimate weights.

    Args:
        definition: what is declared: where the search begins.
        near: the levels of pairs that share a number or a block, with how many pairs have them: they hold nearly all
            that are one person, and of those that are two, the ones that are alike.
        far: of pairs by chance: nearly all are two persons, as unlike as two persons are.
    """
    weights = {field: {level: each.bits for level, each in definition.weights[field].items()} for field in FIELDS}
    likely = {each: _first(definition, _weight(weights, each)) for each in near}
    share, same, other = 0.0, _shares(near, likely), _shares(near, _others(likely))
    for _ in range(_ROUNDS):
        before, share = share, _share(near, likely)
        likely = {each: _likely(each, share, same, other) for each in near}
        same, other = _shares(near, likely), _shares(near, _others(likely))
        if abs(share - before) < _STILL:
            break
    # By chance a pair is one person about as often as the register is large; those are not what two persons look like.
    strangers = {each: 1 - _likely(each, share, same, other) for each in far}
    levels = tuple(_levels(weights, (near, likely), (far, strangers)))
    proposed = {field: dict(weights[field]) for field in FIELDS}
    for each in levels:
        if each.proposed is not None:
            proposed[each.field][each.level] = each.proposed
    passing = tuple(
        sum(count for pattern, count in near.items() if _weight(bits, pattern) >= definition.match)
        for bits in (weights, proposed)
    )
    return Estimated(levels, near.total(), far.total(), _share(near, likely), (passing[0], passing[1]))


def _first(definition: Definition, weight: float) -> float:
    """Begin with what the declared weights say, unsure between the two thresholds."""
    if definition.review <= weight < definition.match:
        return 0.5
    return 1.0 if weight >= definition.match else 0.0


def _weight(weights: Shares, pattern: Pattern) -> float:
    return sum(weights[field][level] for field, level in zip(FIELDS, pattern, strict=True))


def _others(likely: Mapping[Pattern, float]) -> dict[Pattern, float]:
    return {each: 1 - chance for each, chance in likely.items()}


def _share(pairs: Counter[Pattern], likely: Mapping[Pattern, float]) -> float:
    return sum(count * likely[each] for each, count in pairs.items()) / max(pairs.total(), 1)


def _likely(pattern: Pattern, share: float, same: Shares, other: Shares) -> float:
    """How likely a pair is one person: Bayes, with fields taken as independent, and without those that are missing."""
    bits = math.log2(max(share, _HARDLY) / max(1 - share, _HARDLY))
    for field, level in zip(FIELDS, pattern, strict=True):
        if _counts(field, level):
            bits += math.log2(same[field].get(level, _HARDLY) / other[field].get(level, _HARDLY))
    return 1.0 / (1.0 + math.exp2(-min(max(bits, -500.0), 500.0)))


def _counts(field: str, level: str) -> bool:
    return level != MISSING or field in _COUNTED_WHEN_MISSING


def _shares(pairs: Counter[Pattern], likely: Mapping[Pattern, float]) -> dict[str, dict[str, float]]:
    seen = _seen(pairs, likely)
    return {
        field: {level: max(count / max(sum(levels.values()), _HARDLY), _HARDLY) for level, count in levels.items()}
        for field, levels in seen.items()
    }


def _seen(pairs: Counter[Pattern], likely: Mapping[Pattern, float]) -> dict[str, dict[str, float]]:
    """Return how many pairs have each level, by their likelihood."""
    seen: dict[str, dict[str, float]] = {field: {} for field in FIELDS}
    for pattern, count in pairs.items():
        for field, level in zip(FIELDS, pattern, strict=True):
            if _counts(field, level):
                seen[field][level] = seen[field].get(level, 0.0) + count * likely[pattern]
    return seen


def _levels(
    weights: Shares,
    one: tuple[Counter[Pattern], Mapping[Pattern, float]],
    two: tuple[Counter[Pattern], Mapping[Pattern, float]],
) -> Iterable[Estimate]:
    same, other = _seen(*one), _seen(*two)
    for field, levels in weights.items():
        sums = _sum(same[field].values()), _sum(other[field].values())
        for level, declared in levels.items():
            seen = same[field].get(level, 0.0), other[field].get(level, 0.0)
            shares = seen[0] / sums[0], seen[1] / sums[1]
            enough = level != MISSING and min(seen) >= SELDOM
            proposed = round(math.log2(shares[0] / shares[1]) * _STEP) / _STEP if enough else None
            yield Estimate(field, level, declared, proposed, *shares, seen)


def _sum(counts: Iterable[float]) -> float:
    return max(sum(counts), _HARDLY)


def pattern_of(levels: Mapping[str, str]) -> Pattern:
    """Return the levels of a pair in their order."""
    return tuple(levels[field] for field in FIELDS)


def evenly(count: int, most: int) -> Sequence[int]:
    """Return at most ``most`` places out of ``count``, spread over all."""
    return range(0, count, max(1, -(-count // most)))
