from typing import Any

import pytest
import yaml

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping import compile_mapping, parse_mapping
from tests.support.adapters import dump, mapping_data

NAME = {"to": "name.given_name", "from": "name"}
SEX = {"to": "sex", "from": "sex", "transform": [{"sex_code": "sex"}]}
SEX_LIST = {"sex": {"M": "male"}}


def refusal(data: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_mapping(dump(data), name="bad.yaml")
    assert caught.value.file == "bad.yaml"
    return caught.value


@pytest.mark.parametrize(
    ("rules", "key", "problem"),
    [
        ([{"to": "sex"}], "rules[0]", "exactly one of"),
        ([NAME | {"constant": "x"}], "rules[0]", "exactly one of"),
        ([NAME | {"where": {"path": "a", "equals": "b"}}], "rules[0].where", "no meaning"),
        ([{"to": "sex", "constant": "male", "required": True}], "rules[0].required", "no meaning"),
        ([{"to": "identifier", "each": "ids"}], "rules[0]", "needs rules of its own"),
        ([NAME | {"required": True, "on_missing": "omit"}], "rules[0]", "cannot omit"),
        ([NAME | {"required": True, "on_null": "null"}], "rules[0]", "cannot omit"),
        ([NAME | {"on_missing": "default"}], "rules[0].default", "goes with"),
        ([NAME | {"default": "x"}], "rules[0].default", "goes with"),
        ([{"to": "name.nickname", "from": "a"}], "rules[0] (name.nickname)", "has no field"),
        ([{"to": "sex", "constant": "M"}], "rules[0] (sex)", "does not allow M"),
        ([SEX], "rules[0] (sex)", "no code list 'sex'"),
        ([NAME, NAME], "rules[1] (name.given_name)", "same field"),
        ([NAME, {"to": "name", "constant": "x"}], "rules[1] (name)", "contains it"),
        ([NAME | {"from": ["a", "b"]}], "rules[0].from", "goes with"),
        ([NAME | {"transform": [{"concat": {"separator": " "}}]}], "rules[0].from", "goes with"),
        (
            [NAME | {"from": ["a"], "transform": [{"concat": {"separator": ""}}, {"concat": {"separator": ""}}]}],
            "rules[0].transform",
            "only stand first",
        ),
        ([NAME | {"received": "name.given_name_received"}], "rules[0].received", "khmer_normalise"),
        (
            [NAME | {"transform": ["khmer_normalise"], "received": "name.nickname"}],
            "rules[0] (name.given_name)",
            "has no field name.nickname",
        ),
        (
            [NAME | {"transform": ["khmer_normalise"], "received": "name.given_name"}],
            "rules[0] (name.given_name)",
            "same field",
        ),
        (
            [NAME | {"from": ["a", "b"], "transform": [{"date_from_parts": {"era": "common"}}]}],
            "rules[0].from",
            "year, month, day",
        ),
        (
            [NAME | {"transform": [{"unit": {"from": "kg", "to": "day"}}]}],
            "rules[0].transform",
            "do not measure the same",
        ),
        (
            [
                {
                    "to": "identifier",
                    "each": "ids",
                    "on_missing": "null",
                    "rules": [{"to": "identifier_value", "from": "v"}],
                }
            ],
            "rules[0]",
            "only omit or refuse",
        ),
    ],
)
def test_contradicting_rules_are_refused(rules: list[dict[str, Any]], key: str, problem: str) -> None:
    error = refusal(mapping_data(rules))
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": "Bad Name"},
        {"version": "1"},
        {"title": {"en": "only English"}},
        {"target": {"contract": "cambodia/person", "version": "9.9.9"}},
        {"target": {"contract": "nobody/nothing", "version": "1.0.0"}},
        {"rules": []},
        {"rules": [NAME | {"transform": ["eval"]}]},
        {"rules": [NAME | {"transform": [{"python": "x"}]}]},
        {"rules": [NAME | {"transform": [{"date": {"format": "%Y"}}]}]},
        {"rules": [NAME | {"from": "a b"}]},
        {"rules": [NAME | {"from": "a..b"}]},
        {"rules": [NAME | {"from": "__class__.x; drop"}]},
        {"rules": [NAME | {"on_missing": "keep"}]},
        {"ignored": [{"path": "x", "reason": ""}]},
        {"code_lists": {"sex": {}}},
        {"surprise": 1},
    ],
)
def test_files_that_break_the_schema_are_refused(change: dict[str, Any]) -> None:
    refusal(mapping_data([NAME]) | change)


def test_code_lists_must_be_used_and_fit_the_contract() -> None:
    assert "no rule uses" in refusal(mapping_data([NAME], code_lists=SEX_LIST)).problem
    assert "does not allow man" in refusal(mapping_data([SEX], code_lists={"sex": {"M": "man"}})).problem
    parse_mapping(dump(mapping_data([SEX], code_lists=SEX_LIST)), name="good.yaml")


def test_sex_code_must_give_published_codes_wherever_it_stands() -> None:
    rule = {"to": "identifier", "append_when": "x", "rules": [SEX | {"to": "identifier_value"}]}
    assert "dci/sex-category" in refusal(mapping_data([rule], code_lists={"sex": {"M": "man"}})).problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: &x [1]\nb: *x\n", "aliases"),
        (b"a: 1\na: 2\n", "twice"),
        (b"1: a\n", "must be a string"),
        (b"no: a\n", "must be a string"),
        (b"a: !!python/object/apply:os.system [x]\n", "YAML"),
        (b"a: [", "YAML"),
        (b"\xff\xfe\xff", "YAML"),
        (b"[" * 5000, "YAML"),
        (b"just text", "type"),
        (b"", "type"),
        (b"a: " + b"x" * yamlfile.MAX_BYTES, "larger"),
    ],
)
def test_yaml_beyond_plain_data_is_refused(text: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_mapping(text, name="bad.yaml")


def test_days_stay_text() -> None:
    assert yaml.load(b"a: 2026-01-01", yamlfile._Loader) == {"a": "2026-01-01"}  # noqa: S506  # a SafeLoader


SHAPE = ["name", "sex", "cards.number", "cards.note"]
CARDS = {"to": "identifier", "each": "cards", "rules": [{"to": "identifier_value", "from": "number"}]}


def shaped(rules: list[dict[str, Any]], **more: Any) -> None:
    compile_mapping(parse_mapping(dump(mapping_data(rules, **more)), name="shape.yaml"), SHAPE)


def test_a_source_field_that_nobody_mentions_refuses_the_mapping() -> None:
    sex = SEX | {"transform": [{"sex_code": "sex"}]}
    with pytest.raises(ConfigError, match=r"neither mapped nor ignored with a reason: cards\.note"):
        shaped([NAME, sex, CARDS], code_lists=SEX_LIST)
    note = [{"path": "cards.note", "reason": "It is free text about other people."}]
    shaped([NAME, sex, CARDS], code_lists=SEX_LIST, ignored=note)


@pytest.mark.parametrize(
    ("rules", "ignored"),
    [
        ([NAME, {"to": "birth_year", "from": "year"}], []),
        ([NAME, CARDS | {"each": "papers"}], []),
        ([NAME, {"to": "name", "first": "cards", "where": {"path": "kind", "equals": "x"}, "rules": [NAME]}], []),
        ([NAME], [{"path": "nothing", "reason": "There is no such field at all."}]),
    ],
)
def test_a_rule_about_a_field_that_the_source_lacks_is_refused(
    rules: list[dict[str, Any]], ignored: list[dict[str, str]]
) -> None:
    with pytest.raises(ConfigError):
        shaped(rules, ignored=ignored)


def test_counting_a_list_does_not_map_its_fields() -> None:
    rule = {"to": "birth_year", "from": "cards", "transform": ["count"]}
    with pytest.raises(ConfigError, match=r"cards\.number"):
        shaped([NAME, rule], ignored=[{"path": "sex", "reason": "Not needed for this test."}])
