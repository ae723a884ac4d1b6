from typing import Any

import pytest

from adapters.errors import RecordError, UnknownCodeError
from tests.support.adapters import compiled

SECRET = "SENSITIVE-VALUE"
GIVEN = {"to": "name.given_name", "from": "name"}


def rule(**more: Any) -> dict[str, Any]:
    return GIVEN | more


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"name": "ដារ៉ា"}, {"name": {"given_name": "ដារ៉ា"}}),
        ({}, {}),
        ({"name": None}, {"name": {"given_name": None}}),
        ({"name": ""}, {"name": {"given_name": ""}}),
    ],
)
def test_missing_null_and_empty_are_three_things(record: dict[str, Any], expected: dict[str, Any]) -> None:
    assert compiled([GIVEN]).apply(record) == expected


@pytest.mark.parametrize("absent", [{}, {"name": None}, {"name": ""}])
@pytest.mark.parametrize(
    ("action", "expected"),
    [("omit", {}), ("null", {"name": {"given_name": None}}), ("default", {"name": {"given_name": "?"}})],
)
def test_each_absence_has_its_own_action(absent: dict[str, Any], action: str, expected: dict[str, Any]) -> None:
    key = {"[]": "on_missing", "[None]": "on_null", "['']": "on_empty"}[str(list(absent.values()))]
    more = {"default": "?"} if action == "default" else {}
    assert compiled([rule(**{key: action}, **more)]).apply(absent) == expected


@pytest.mark.parametrize(("record", "state"), [({}, "missing"), ({"name": None}, "null"), ({"name": ""}, "empty")])
def test_required_refuses_all_three_by_name(record: dict[str, Any], state: str) -> None:
    with pytest.raises(RecordError, match=f"is {state}") as caught:
        compiled([rule(required=True)]).apply(record)
    assert (caught.value.mapping, caught.value.rule) == ("test", "rules[0] (name.given_name)")
    assert caught.value.source_path == "name"


def test_a_transform_that_leaves_nothing_is_empty() -> None:
    with pytest.raises(RecordError, match="is empty"):
        compiled([rule(transform=["trim"], required=True)]).apply({"name": "  \u200b "})


def test_transforms_are_not_run_on_what_is_absent() -> None:
    year = {"to": "birth_year", "from": "year", "transform": ["integer"], "on_null": "omit", "on_empty": "omit"}
    for record in ({}, {"year": None}, {"year": ""}):
        assert compiled([year]).apply(record) == {}


CODED = {"to": "sex", "from": "person.sex", "transform": [{"sex_code": "sexes"}]}


def test_unknown_code_names_mapping_rule_path_list_and_code() -> None:
    mapping = compiled([CODED], code_lists={"sexes": {"1": "male"}})
    assert mapping.apply({"person": {"sex": 1}}) == {"sex": "male"}
    with pytest.raises(UnknownCodeError) as caught:
        mapping.apply({"person": {"sex": "3"}})
    text = str(caught.value)
    for part in ("mapping test", "rules[0] (sex)", "person.sex", "code list sexes", "'3'"):
        assert part in text


@pytest.mark.parametrize("code", [f"{SECRET} with spaces", SECRET * 5, SECRET + "\n", [SECRET], {"a": SECRET}, 1.5])
def test_what_does_not_look_like_a_code_is_not_shown(code: object) -> None:
    with pytest.raises(RecordError) as caught:
        compiled([CODED], code_lists={"sexes": {"1": "male"}}).apply({"person": {"sex": code}})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


IDS = {
    "to": "identifier",
    "each": "cards",
    "rules": [
        {"to": "identifier_type", "constant": "SPID"},
        {"to": "identifier_value", "from": "no", "required": True},
    ],
}


def test_each_builds_a_list_and_an_empty_list_stays_one() -> None:
    mapping = compiled([IDS])
    built = [{"identifier_type": "SPID", "identifier_value": each} for each in ("a", "b")]
    assert mapping.apply({"cards": [{"no": "a"}, {"no": "b"}]}) == {"identifier": built}
    assert mapping.apply({"cards": []}) == {"identifier": []}
    assert mapping.apply({}) == {}
    assert mapping.apply({"cards": None}) == {}


@pytest.mark.parametrize("cards", [{"no": "a"}, "a", 5, [5], [None]])
def test_wrong_shapes_are_refused(cards: object) -> None:
    with pytest.raises(RecordError):
        compiled([IDS]).apply({"cards": cards})


def test_paths_inside_lists_are_named_from_the_root() -> None:
    with pytest.raises(RecordError) as caught:
        compiled([IDS]).apply({"cards": [{}]})
    assert caught.value.source_path == "cards.no"


def test_append_when_adds_only_what_is_there() -> None:
    one = {"to": "identifier", "append_when": "khm", "rules": [{"to": "identifier_value", "from": "khm"}]}
    two = {"to": "identifier", "append_when": "spid", "rules": [{"to": "identifier_value", "from": "spid"}]}
    mapping = compiled([one, two])
    assert mapping.apply({"khm": "1", "spid": "2"}) == {
        "identifier": [{"identifier_value": "1"}, {"identifier_value": "2"}]
    }
    for absent in ({}, {"khm": None}, {"khm": ""}):
        assert mapping.apply(absent) == {}


def test_first_takes_the_element_that_the_condition_names() -> None:
    head = {
        "to": "name",
        "first": "people",
        "where": {"path": "role", "equals": "HEAD"},
        "rules": [{"to": "given_name", "from": "name"}],
    }
    people = [{"role": "SON", "name": "a"}, {"role": "HEAD", "name": "b"}, {"role": "HEAD", "name": "c"}]
    ignored = [{"path": "people.role", "reason": "It only chooses the head."}]
    assert compiled([head], ignored=ignored).apply({"people": people}) == {"name": {"given_name": "b"}}
    assert compiled([head], ignored=ignored).apply({"people": people[:1]}) == {}
    with pytest.raises(RecordError, match="is missing"):
        compiled([head | {"required": True}], ignored=ignored).apply({"people": people[:1]})


def test_concat_needs_all_parts_and_join_name_takes_what_there_is() -> None:
    concat = rule(**{"from": ["a", "b"]}, transform=[{"concat": {"separator": "-"}}])
    assert compiled([concat]).apply({"a": "x", "b": 5}) == {"name": {"given_name": "x-5"}}
    assert compiled([concat]).apply({"a": "x"}) == {}
    join = rule(**{"from": ["a", "b"]}, transform=[{"join_name": {"separator": " "}}])
    assert compiled([join]).apply({"a": "x", "b": None}) == {"name": {"given_name": "x"}}
    assert compiled([join]).apply({}) == {}


@pytest.mark.parametrize(
    "record", [{"name": "x", "extra": 1}, {"name": "x", "more": {"deep": None}}, {"name": "x", "l": []}]
)
def test_without_a_declared_shape_each_record_is_checked(record: dict[str, Any]) -> None:
    mapping = compiled([GIVEN])
    assert mapping.apply({"name": "x"})
    with pytest.raises(RecordError, match="not ignored"):
        mapping.apply(record)


def test_values_never_stand_in_errors() -> None:
    rules: list[dict[str, Any]] = [
        {"to": "birth_date", "from": "dob", "transform": [{"date": {"format": "iso"}}]},
        {"to": "birth_year", "from": "year", "transform": ["integer"]},
    ]
    for record in ({"dob": SECRET}, {"year": SECRET}, {"dob": [SECRET]}, {"dob": {"x": SECRET}}):
        with pytest.raises(RecordError) as caught:
            compiled(rules).apply(record)
        assert SECRET not in str(caught.value)


KHMER = rule(transform=["trim", "khmer_normalise"], received="name.given_name_received", on_empty="omit")


def test_text_as_received_is_kept_beside_the_normalised_one_where_it_differs() -> None:
    mapping = compiled([KHMER])
    typed, normal = "សុភ័ក្រ្ត", "សុភ័ក្ត្រ"
    assert mapping.apply({"name": f" {typed} "}) == {"name": {"given_name": normal, "given_name_received": typed}}
    assert mapping.apply({"name": normal}) == {"name": {"given_name": normal}}
    for absent in ({}, {"name": ""}, {"name": " \u200b"}):
        assert mapping.apply(absent) == {}
    assert mapping.apply({"name": None}) == {"name": {"given_name": None}}


def test_a_list_of_texts_is_read_by_a_dot() -> None:
    phones = IDS | {"each": "numbers", "rules": [{"to": "identifier_value", "from": "."}]}
    assert compiled([phones], shape=["numbers"]).apply({"numbers": ["a", "b"]}) == {
        "identifier": [{"identifier_value": "a"}, {"identifier_value": "b"}]
    }
    text = {"to": "phone_number", "from": "phone", "transform": [{"split_list": {"separator": ";"}}]}
    assert compiled([text]).apply({"phone": "1;2"}) == {"phone_number": ["1", "2"]}


def test_a_day_without_a_month_is_no_day() -> None:
    day = {"to": "birth_date", "from": ["y", "m", "d"], "transform": [{"date_from_parts": {"era": "common"}}]}
    assert compiled([day]).apply({"y": 1990, "m": 5, "d": 20}) == {"birth_date": "1990-05-20T00:00:00+07:00"}
    assert compiled([day]).apply({"y": 1990, "m": None, "d": ""}) == {}
