from collections.abc import Iterator
from typing import Any

import pytest

from adapters.mapping import parse_mapping
from adapters.mapping.counting import Counting
from adapters.mapping.review import Finding, Level, review
from adapters.mapping.tracing import trace
from adapters.source import parse_source
from tests.support.adapters import compiled, dump, mapping_data
from tests.support.registry import MAPPING, SOURCE

PERSON: list[dict[str, Any]] = [
    {"to": "name.given_name", "from": "name", "transform": ["khmer_normalise"], "received": "name.given_name_received"},
    {"to": "sex", "from": "sex", "transform": [{"sex_code": "sex"}], "required": True},
]
SEXES = {"sex": {"M": "male", "F": "female"}}
IGNORED = [{"path": each, "reason": "Not needed for this test."} for each in ("id", "dob", "home.code", "cards.number")]


def found(rules: list[dict[str, Any]], level: Level, **more: Any) -> list[Finding]:
    data = mapping_data(rules, **{"code_lists": SEXES, "ignored": IGNORED} | more)
    mapping = parse_mapping(dump(data), name="mapping.yaml")
    source = parse_source(dump(SOURCE), name="source.yaml")
    return [each for each in review(mapping, source) if each.level is level]


def test_a_whole_mapping_has_neither_errors_nor_warnings() -> None:
    assert found(PERSON, Level.ERROR) == []
    assert found(PERSON, Level.WARNING) == []
    source = parse_source(dump(SOURCE), name="source.yaml")
    kinds = {each.level for each in review(parse_mapping(dump(MAPPING), name="m"), source)}
    assert Level.ERROR not in kinds


def test_all_that_is_open_is_listed_at_once() -> None:
    year = {"to": "birth_year", "from": "year", "transform": ["integer"]}
    problems = [each.problem for each in found([PERSON[0], year], Level.ERROR, code_lists={}, ignored=[])]
    assert problems == [
        "the source has no field year",
        "neither mapped nor ignored with a reason: cards.number, dob, home.code, id, sex",
        "no rule writes sex, which cambodia/person requires",
    ]


def test_required_fields_of_nested_objects_are_looked_for() -> None:
    cards: dict[str, Any] = {
        "to": "identifier",
        "each": "cards",
        "rules": [{"to": "identifier_value", "from": "number"}],
    }
    ignored = [each for each in IGNORED if each["path"] != "cards.number"]
    [only] = found([*PERSON, cards], Level.ERROR, ignored=ignored)
    assert "identifier.identifier_type" in only.problem
    assert only.remedy


def test_fields_of_the_standard_that_are_not_given_are_noted() -> None:
    notes = {each.place: each.problem for each in found(PERSON, Level.NOTE)}
    assert "address" in notes["record"]
    assert "surname" in notes["name"]
    assert "_received" not in " ".join(notes.values())


def unreachable() -> Iterator[tuple[dict[str, Any], str]]:
    default = {"on_missing": "default", "default": "unknown"}
    yield PERSON[1] | {"required": False} | default, "set on_null: default as well"
    yield PERSON[1] | {"from": "dob", "required": False, "on_null": "default", "default": "unknown"}, "on_missing"
    yield PERSON[1] | {"transform": ["lower", {"sex_code": "sex"}]}, "write them as"


@pytest.mark.parametrize(("rule", "remedy"), list(unreachable()))
def test_what_can_never_happen_is_a_warning(rule: dict[str, Any], remedy: str) -> None:
    others = [*IGNORED, {"path": "sex", "reason": "Not needed here."}]
    ignored = [each for each in others if each["path"] != rule["from"]]
    [only] = found([PERSON[0], rule], Level.WARNING, ignored=ignored)
    assert remedy in only.remedy


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"transform": ["trim"]}, "khmer_normalise"),
        ({"transform": ["khmer_normalise"]}, "received: name.given_name_received"),
    ],
)
def test_khmer_names_that_are_not_normalised_are_a_warning(change: dict[str, Any], remedy: str) -> None:
    rule = {key: value for key, value in PERSON[0].items() if key != "received"} | change
    [only] = found([rule, PERSON[1]], Level.WARNING)
    assert remedy in only.remedy


def test_counting_sees_every_unknown_code_and_goes_on() -> None:
    role: dict[str, Any] = {"to": "identifier", "each": "cards", "rules": [
        {"to": "identifier_type", "from": "kind", "transform": [{"code_list": "kinds"}], "required": True},
        {"to": "identifier_value", "from": "no", "required": True},
    ]}  # fmt: skip
    lists = SEXES | {"kinds": {"S": "SPID", "K": "KHM_ID"}}
    counting = Counting(compiled([*PERSON, role], code_lists=lists))
    for sex, kind in (("M", "X"), ("X", "X"), ("X", "S"), ("M", "SECRET VALUE")):
        counting.take({"name": "ដារ៉ា", "sex": sex, "cards": [{"kind": kind, "no": "1"}]})
    problems = [each.problem for each in counting.findings()]
    assert problems[:2] == [
        "the code 'X' at cards.kind is not in the code list kinds: 2 of 4 records",
        "the code 'X' at sex is not in the code list sex: 2 of 4 records",
    ]
    assert "SECRET" not in " ".join(problems)
    assert problems[-2:] == ["the source has none of the codes K", "the source has none of the codes F"]


def test_counting_tells_records_that_break_rules_and_the_contract() -> None:
    counting = Counting(compiled(PERSON, code_lists=SEXES))
    for record in (
        {"name": "ដារ៉ា"},
        {"name": "ដារ៉ា", "sex": "M"},
        {"name": "Dara", "sex": "F"},
        {"name": "Dara", "sex": "F"},
    ):
        counting.take(record)
    problems = [each.problem for each in counting.findings()]
    assert problems[0].startswith("breaks the contract: at /name/given_name the string breaks the rule")
    assert problems[0].endswith("2 of 4 records")
    assert problems[1].startswith("rules[1] (sex), source path sex: is missing")


def test_a_trace_names_the_rule_and_the_source_of_each_value() -> None:
    cards: dict[str, Any] = {"to": "identifier", "each": "cards", "rules": [
        {"to": "identifier_type", "constant": "SPID"}, {"to": "identifier_value", "from": "no"},
    ]}  # fmt: skip
    birth: dict[str, Any] = {"to": "birth_date", "from": "dob", "transform": [{"date": {"format": "iso"}}]}
    mapping = compiled(
        [cards, *PERSON, birth], code_lists=SEXES, ignored=[{"path": "note", "reason": "It is free text."}]
    )
    seen = trace(mapping, {"name": "សុភ័ក្រ្ត", "sex": "F", "cards": [{"no": "1"}, {"no": "2"}], "note": "x"})
    assert seen.record is not None
    lines = {each.path: (each.value, each.rule, each.source, each.read) for each in seen.lines}
    assert lines["identifier[1].identifier_value"] == ("2", "rules[0].rules[1] (identifier_value)", "cards.no", ("2",))
    assert lines["identifier[0].identifier_type"][:2] == ("SPID", "rules[0].rules[0] (identifier_type)")
    assert lines["name.given_name_received"][0] == "សុភ័ក្រ្ត"
    assert lines["name.given_name"][0] == "សុភ័ក្ត្រ"
    assert lines["sex"][3] == ("F",)
    assert [(each.rule, each.source) for each in seen.silent] == [("rules[3] (birth_date)", "dob")]
    assert [(each.path, values) for each, values in seen.ignored] == [("note", ["x"])]


def test_a_trace_of_a_record_that_fails_shows_what_was_written_before() -> None:
    seen = trace(compiled(PERSON, code_lists=SEXES), {"name": "ដារ៉ា", "sex": "?"})
    assert seen.record is None
    assert seen.error is not None
    assert [each.path for each in seen.lines] == ["name.given_name"]


def test_a_field_that_is_mapped_and_said_to_be_ignored_is_told() -> None:
    ignored = [*IGNORED, {"path": "sex", "reason": "Nobody needs it."}]
    [only] = found(PERSON, Level.WARNING, ignored=ignored)
    assert only.problem == "sex stands under 'ignored', and a rule maps it all the same"
