import copy
import json
import logging
import traceback
from typing import Any

import pytest

import contracts
from contracts.formats import is_date_time, is_uri
from contracts.violation import json_type

PERSON: dict[str, Any] = {
    "identifier": [{"identifier_type": "KHM_ID", "identifier_value": "012345678"}],
    "name": {"surname": "សុខ", "given_name": "ដារ៉ា"},
    "sex": "female",
    "birth_date": "1990-05-20T00:00:00+07:00",
}
CARD = {
    "card_number": "0102-000123",
    "issue_date": "2025-01-10T00:00:00+07:00",
    "valid_until": "2028-01-09T00:00:00+07:00",
}
SECRET = "SENSITIVE-VALUE"


def broken(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed: Any = copy.deepcopy(document)
    *parents, last = path.split("/")
    target = changed
    for part in parents:
        target = target[int(part) if isinstance(target, list) else part]
    target[last] = value
    return changed  # type: ignore[no-any-return]  # the root is an object


def violation(name: str, document: object) -> contracts.ContractViolation:
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate(name, "1.0.0", document)
    return caught.value


def test_violation_says_where_what_type_and_which_rule() -> None:
    found = violation("cambodia/person", broken(PERSON, "identifier/0/identifier_value", 12345))
    assert found.pointer == "/identifier/0/identifier_value"
    assert found.value_type == "integer"
    assert found.rule == "type"
    assert found.expected == "type string"
    assert found.schema_location.startswith("#/properties/identifier/items/")


@pytest.mark.parametrize(
    "document",
    [
        broken(PERSON, "sex", SECRET),
        broken(PERSON, "name", SECRET),
        broken(PERSON, "birth_date", SECRET),
        broken(PERSON, "identifier/0/identifier_value", SECRET),
        broken(PERSON, SECRET, "x"),
        broken(PERSON, "name/surname", SECRET * 20),
        [SECRET],
        SECRET,
        {SECRET: SECRET},
    ],
)
def test_violation_never_repeats_a_value(document: object, caplog: pytest.LogCaptureFixture) -> None:
    found = violation("cambodia/person", document)
    shown = [str(found), repr(found), *traceback.format_exception(found), *map(str, vars(found).values())]
    try:
        raise found
    except contracts.ContractViolation:
        logging.getLogger(__name__).exception("refused")
    assert SECRET not in "".join(shown) + caplog.text


def test_violation_names_the_missing_field() -> None:
    assert violation("cambodia/person", {"name": {"given_name": "ដារ៉ា"}}).expected == "the field sex"


def test_long_enumerations_are_counted_not_listed() -> None:
    assert violation("cambodia/related-person", {"relationship_type": "BOSS"}).expected == "one of 107 codes"


def test_rules_between_fields_are_told_by_their_fields() -> None:
    found = violation("cambodia/equity-card", {**CARD, "valid_until": "2024-01-09T00:00:00+07:00"})
    assert (found.rule, found.pointer, found.expected) == ("x-not-before", "", "valid_until not before issue_date")


@pytest.mark.parametrize("tail", ["\n", "\r\n", "\u2028"])
def test_pattern_ends_where_the_text_ends(tail: str) -> None:
    # Python's `$` matches before a final line feed: "012345678\n" would be an identity card number.
    found = violation("cambodia/person", broken(PERSON, "identifier/0/identifier_value", f"012345678{tail}"))
    assert found.rule == "pattern"


def test_rules_hold_behind_references() -> None:
    group = {"group_identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "x"}], "group_type": "2"}
    contracts.validate("cambodia/group", "1.0.0", group | {"member_list": [{"demographic_info": PERSON}]})
    late = {"demographic_info": broken(PERSON, "birth_date", "1990-02-30T00:00:00+07:00")}
    assert violation("cambodia/group", group | {"member_list": [late]}).rule == "format"


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_null_empty_and_missing_are_three_things(value: object) -> None:
    contracts.validate("cambodia/person", "1.0.0", {key: each for key, each in PERSON.items() if key != "birth_date"})
    assert violation("cambodia/person", broken(PERSON, "birth_date", value)).pointer == "/birth_date"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2026-11-22T09:00:00Z", True),
        ("2026-11-22T09:00:00+07:00", True),
        ("2026-11-22t09:00:00.123456z", True),
        ("2026-11-22T09:00:00", False),
        ("2026-11-22", False),
        ("2026-13-01T00:00:00Z", False),
        ("2026-02-29T00:00:00Z", False),
        ("2026-11-22T24:00:01Z", False),
        ("2026-11-22T09:00:00+25:00", False),
        ("2026-11-22 09:00:00Z", False),
        ("២០២៦-១១-២២T09:00:00Z", False),
        ("2026-11-22T09:00:00Z\n", False),
        ("", False),
    ],
)
def test_timestamps_have_a_zone_and_exist(text: str, good: bool) -> None:  # noqa: FBT001  # a column of the table
    assert is_date_time(text) is good


@pytest.mark.parametrize(
    ("text", "good"), [("https://example.org/a?b=c", True), ("urn:x:y", True), ("a b", False), ("/relative", False)]
)
def test_uris_are_absolute(text: str, good: bool) -> None:  # noqa: FBT001  # as above
    assert is_uri(text) is good


def test_formats_concern_strings_only() -> None:
    assert is_date_time(5)
    assert is_uri(None)


@pytest.mark.parametrize(
    ("text", "name"),
    [("null", "null"), ("true", "boolean"), ("1", "integer"), ("1.5", "number"), ('"a"', "string"), ("[]", "array")],
)
def test_types_are_named_as_json_has_them(text: str, name: str) -> None:
    assert json_type(json.loads(text)) == name


@pytest.mark.parametrize("length", [99, 100])
def test_identifiers_have_at_most_99_characters(length: int) -> None:
    document = {"identifier_type": "SPID", "identifier_value": "x" * length}
    if length == 99:
        contracts.validate("cambodia/identifier", "1.0.0", document)
    else:
        assert violation("cambodia/identifier", document).rule == "maxLength"
