"""Changes name fields by their paths, list elements by their identifiers, and lists whole where elements have none."""

from typing import Any

import pytest

from adapters.capture.difference import changes, ended
from adapters.events import Change
from adapters.events.canonical import canonical


def spid(number: int) -> dict[str, Any]:
    return {"identifier_type": "SPID", "identifier_value": f"S-{number}"}


def member(number: int, **info: Any) -> dict[str, Any]:
    return {"member_identifier": [spid(number)], "demographic_info": info}


def test_fields_of_objects_are_named_by_their_paths() -> None:
    old = {"status": "A", "member": {"demographic_info": {"sex": "male", "birth_year": 1990}}}
    new = {"status": "A", "member": {"demographic_info": {"sex": "female", "birth_date": "x"}}}
    assert changes(old, new) == (
        Change("member.demographic_info.sex", "male", "female"),
        Change("member.demographic_info.birth_date", None, "x"),
        Change("member.demographic_info.birth_year", 1990, None),
    )
    assert changes(old, old) == ()


def test_elements_of_lists_are_found_again_by_their_identifiers() -> None:
    old = {"group": {"member_list": [member(1, sex="male"), member(2, sex="male")]}}
    new = {"group": {"member_list": [member(2, sex="female"), member(3, sex="male")]}}
    assert changes(old, new) == (
        Change("group.member_list.demographic_info.sex", "male", "female", ("SPID", "S-2")),
        Change("group.member_list", None, member(3, sex="male"), ("SPID", "S-3")),
        Change("group.member_list", member(1, sex="male"), None, ("SPID", "S-1")),
    )


def test_an_identifier_of_a_member_that_changes_is_a_list_of_its_own() -> None:
    card = {"identifier_type": "KHM_ID", "identifier_value": "012345678"}
    old = {"list": [member(1)]}
    new = {"list": [{"member_identifier": [spid(1), card], "demographic_info": {}}]}
    assert changes(old, new) == (Change("list.member_identifier", [spid(1)], [spid(1), card], ("SPID", "S-1")),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([{"a": 1}], [{"a": 2}]),
        ([member(1), member(2)], [member(2), member(1)]),
        ([member(1), member(1)], [member(1)]),
        ([member(1)], [member(1), {"demographic_info": {}}]),
        (["a"], ["b"]),
        ([{"member_identifier": [spid(1), spid(2)]}], [member(1), member(2)]),
        ([member(1), member(2)], [{"member_identifier": [spid(1), spid(2)]}]),
    ],
)
def test_a_list_whose_elements_cannot_be_told_apart_is_one_field(old: list[Any], new: list[Any]) -> None:
    assert changes({"list": old}, {"list": new}) == (Change("list", old, new),)


def test_an_ended_record_is_told_whole() -> None:
    assert ended({"a": {"b": 1}, "c": [1]}) == (Change("a", {"b": 1}, None), Change("c", [1], None))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": "ក"}, '{"a":"ក","b":1}'),
        ({"a": 1.0, "b": -0.5, "c": 1e21}, '{"a":1,"b":-0.5,"c":1e+21}'),
        ({"a": "x: 1.5", "b": [1e-7, 100.0]}, '{"a":"x: 1.5","b":[1e-7,100]}'),
    ],
)
def test_numbers_are_written_as_rfc_8785_says(value: Any, text: str) -> None:
    assert canonical(value).decode() == text
