"""Weights are estimated from pairs without the truth, come near it, and are a proposal only."""

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from adapters.crosswalk import load_definition
from adapters.crosswalk.comparing import MISSING
from adapters.crosswalk.estimating import FIELDS, SELDOM, Pattern, estimate
from tests.support.crosswalk import DECLARATION

DEFINITION = load_definition(DECLARATION)
# What of one person, of two persons who are near each other, and of two by chance has each level.
TRUTH: dict[str, dict[str, tuple[float, float, float]]] = {
    "given": {"exact": (0.9, 0.05, 0.01), "different": (0.1, 0.95, 0.99)},
    "surname": {"exact": (0.94, 0.5, 0.02), "different": (0.06, 0.5, 0.98)},
    "sex": {"same": (0.98, 0.5, 0.5), "different": (0.02, 0.5, 0.5)},
    "birth": {"day": (0.8, 0.02, 0.005), "different": (0.1, 0.9, 0.9), MISSING: (0.1, 0.08, 0.095)},
    "village": {"village": (0.7, 0.6, 0.01), "different": (0.3, 0.4, 0.99)},
    "household": {"same": (0.2, 0.01, 0.0), MISSING: (0.8, 0.99, 1.0)},
    "number": {MISSING: (1.0, 1.0, 1.0)},
}


def drawn(kind: int, count: int, chance: random.Random) -> Counter[Pattern]:
    levels = {field: list(TRUTH[field]) for field in FIELDS}
    shares = {field: [each[kind] for each in TRUTH[field].values()] for field in FIELDS}
    columns = [chance.choices(levels[field], shares[field], k=count) for field in FIELDS]
    return Counter(zip(*columns, strict=True))


@pytest.fixture(scope="module")
def pairs() -> tuple[Counter[Pattern], Counter[Pattern]]:
    chance = random.Random(5)  # noqa: S311  # a test that can be repeated
    return drawn(0, 6_000, chance) + drawn(1, 14_000, chance), drawn(2, 60_000, chance) + drawn(0, 60, chance)


def test_what_is_found_comes_near_the_truth_that_nobody_told(pairs: tuple[Counter[Pattern], Counter[Pattern]]) -> None:
    found = estimate(DEFINITION, *pairs)
    assert found.one_person == pytest.approx(0.3, abs=0.02)
    for each in found.levels:
        if each.proposed is not None:
            same, _near, other = TRUTH[each.field][each.level]
            known = 1 - TRUTH[each.field].get(MISSING, (0.0, 0.0, 0.0))[0] if each.field == "birth" else 1.0
            strangers = 1 - 0.095 if each.field == "birth" else 1.0
            assert each.proposed == pytest.approx(math.log2(same / known / (other / strangers)), abs=0.6), each


def test_what_was_seen_too_seldom_or_is_missing_has_no_proposal(
    pairs: tuple[Counter[Pattern], Counter[Pattern]],
) -> None:
    for each in estimate(DEFINITION, *pairs).levels:
        if each.level == MISSING or each.level not in TRUTH[each.field] or min(each.seen) < SELDOM:
            assert each.proposed is None, each


def test_all_levels_are_shown_with_what_is_declared(pairs: tuple[Counter[Pattern], Counter[Pattern]]) -> None:
    shown = [(each.field, each.level, each.declared) for each in estimate(DEFINITION, *pairs).levels]
    assert shown == [
        (field, level, weight.bits) for field, levels in DEFINITION.weights.items() for level, weight in levels.items()
    ]


def test_where_no_pair_passes_nothing_breaks(pairs: tuple[Counter[Pattern], Counter[Pattern]]) -> None:
    nobody = Counter({tuple("different" if f not in {"household", "number"} else MISSING for f in FIELDS): 50})
    found = estimate(replace(DEFINITION, match=90.0, review=80.0), nobody, pairs[1])
    assert found.one_person == pytest.approx(0.0, abs=1e-9)
    assert found.passing == (0, 0)
    assert all(each.proposed is None for each in found.levels)
