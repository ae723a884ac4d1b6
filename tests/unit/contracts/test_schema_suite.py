"""Both validators against the official JSON Schema Test Suite: each file of draft 2020-12 is applied, or named here."""

from collections.abc import Iterator
from typing import Final

import pytest

from contracts.compiled import Judge, for_compiler
from contracts.reference import reference_validator
from tests.support.schema_suite import Case, cases, need_suite

# No case of these is applied: contracts do not use the keyword, and test_contract_rules.py refuses it in them.
LEFT_OUT: Final = {
    "anchor.json": "$anchor: contracts refer to each other by their URN",
    "boolean_schema.json": "a contract is an object",
    "contains.json": "contains",
    "content.json": "contentEncoding and contentMediaType",
    "defs.json": "refers to the metaschema over the network",
    "dependentSchemas.json": "dependentSchemas",
    "dynamicRef.json": "$dynamicRef",
    "format.json": "formats as annotations: those of contracts are rules, below",
    "maxContains.json": "maxContains",
    "minContains.json": "minContains",
    "patternProperties.json": "patternProperties",
    "prefixItems.json": "prefixItems",
    "refRemote.json": "references over the network",
    "unevaluatedItems.json": "unevaluatedItems",
    "unevaluatedProperties.json": "unevaluatedProperties",
}
# Some cases of these are not: how many, and what they use beside the file's own keyword.
PARTLY: Final = {
    "additionalProperties.json": (11, "patternProperties, dependentSchemas"),
    "items.json": (17, "prefixItems, items as a boolean"),
    "not.json": (2, "unevaluatedProperties"),
    "properties.json": (8, "patternProperties"),
    "ref.json": (47, "$id, $anchor, and references to other documents"),
    "uniqueItems.json": (26, "prefixItems"),
    "vocabulary.json": (3, "a dialect of its own"),
}
# What the draft leaves to implementations, as far as contracts use it, and how many cases; the other files there are
# about keywords that contracts do not have.
OPTIONAL: Final = {
    "bignum.json": 9,
    "ecmascript-regex.json": 46,
    "float-overflow.json": 1,
    "format/date-time.json": 25,
    "format/uri.json": 26,
    "non-bmp-regex.json": 7,
}
# Where the standard is narrower by decision: second 60 can be held by neither Python nor SQL, so nobody could keep it.
NARROWER: Final = {
    "validation of date-time strings: a valid date-time with a leap second, UTC",
    "validation of date-time strings: a valid date-time with a leap second, with minus offset",
}
# As many as there were when this was written: a walk that no longer finds them would let anything pass.
APPLIED_AT_LEAST: Final = 586


def wrong(found: list[Case]) -> Iterator[str]:
    """Tell each case that a validator judges otherwise than the suite."""
    for case in found:
        compiled, reference = Judge(for_compiler(case.schema)), reference_validator(case.schema)
        judged = {"compiled": compiled.accepts(case.document), "reference": reference.is_valid(case.document)}
        yield from (
            f"{case.file}: {case.title}: {name} says {verdict}"
            for name, verdict in judged.items()
            if verdict is not case.valid
        )


def test_both_validators_judge_as_the_suite_does() -> None:
    read = {path.name: cases(path) for path in sorted(need_suite().glob("*.json"))}
    applied = [case for found, _others in read.values() for case in found]
    assert list(wrong(applied)) == []
    assert len(applied) >= APPLIED_AT_LEAST


def test_what_is_not_applied_is_named_with_its_reason() -> None:
    read = {path.name: cases(path) for path in need_suite().glob("*.json")}
    assert {name for name, (found, _others) in read.items() if not found} == set(LEFT_OUT)
    partly = {name: others for name, (found, others) in read.items() if found and others}
    assert partly == {name: count for name, (count, _why) in PARTLY.items()}


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_optional_parts_that_contracts_use(name: str) -> None:
    found, _others = cases(need_suite() / "optional" / name, formats=True)
    assert list(wrong([case for case in found if case.title not in NARROWER])) == []
    assert len(found) >= OPTIONAL[name]


def test_where_the_standard_is_narrower_both_refuse() -> None:
    found, _others = cases(need_suite() / "optional/format/date-time.json", formats=True)
    narrower = [case for case in found if case.title in NARROWER]
    assert {case.title for case in narrower} == NARROWER
    assert len(list(wrong(narrower))) == 2 * len(NARROWER)
