"""What an event does not say stays; what it says was emptied, and who went out of a household, its changes tell."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.capture.difference import changes, ended
from adapters.crosswalk.people import Number
from adapters.crosswalk.unsaid import as_before, completed
from adapters.events import Change
from tests.support.crosswalk import SOPHEA

Record = dict[str, Any]


def member(number: str, **info: Any) -> Record:
    cards = [{"identifier_type": "LOCAL_ID", "identifier_value": number}]
    return {"member_identifier": cards, "demographic_info": info}


BEFORE: Record = {
    "group_identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "H1"}],
    "address": [{"village_code": "12040911"}],
    "member_list": [member("m1", sex="male", birth_date="1990-03-21"), member("m2", sex="female")],
}
ONE, TWO = BEFORE["member_list"]


@pytest.mark.parametrize(
    "now",
    [
        {**BEFORE, "member_list": [ONE]},
        {**BEFORE, "member_list": [member("m1", sex="male"), TWO]},
        {**BEFORE, "member_list": [member("m1"), TWO]},
        {**BEFORE, "member_list": [{"member_identifier": ONE["member_identifier"]}, TWO]},
        {each: BEFORE[each] for each in ("group_identifier", "member_list")},
        {each: BEFORE[each] for each in ("group_identifier", "address")},
        {**BEFORE, "address": []},
        {},
    ],
    ids=["member", "day", "day and sex", "all of one", "address", "list", "emptied list", "everything"],
)
def test_what_was_taken_out_is_put_back(now: Record) -> None:
    assert as_before(now, changes(BEFORE, now)) == BEFORE


def test_what_is_gone_is_put_together_from_its_changes() -> None:
    assert as_before({}, ended(BEFORE)) == BEFORE


def test_what_was_added_stays() -> None:
    now = {**BEFORE, "member_list": [ONE, TWO, member("m3")]}
    assert as_before(now, changes(BEFORE, now)) == now


@pytest.mark.parametrize(
    "change",
    [
        Change("member_list.demographic_info.sex", "male", None, ("LOCAL_ID", "nobody")),
        Change("member_list.demographic_info.sex", None, "male", ("LOCAL_ID", "m1")),
        Change("group_identifier.identifier_value", "H9", None),
    ],
)
def test_a_change_of_what_is_not_there_changes_nothing(change: Change) -> None:
    assert as_before(BEFORE, [change]) == BEFORE


@pytest.mark.parametrize("field", ["address", "address.village_code", "address.village_code.x", "a.b.c"])
@pytest.mark.parametrize("old", ["x", 1, [], [1], {}, {"a": [None]}])
def test_a_change_of_any_shape_gives_a_record(field: str, old: Any) -> None:
    for record in (BEFORE, {"address": "text"}, {"address": {"village_code": ["x"]}}):
        assert isinstance(as_before(record, [Change(field, old, None), Change(field, old, None, ("A", "b"))]), dict)


KEPT = replace(
    SOPHEA, registry="nssf", key="7", cards=(Number("EQUITY_CARD", "E1"),),
    numbers=(Number("NSSF_CARD", "7"), Number("KHM_ID", "012345678"), Number("LOCAL_ID", "u1", "IDPOOR")),
)  # fmt: skip
LITTLE = replace(
    KEPT, surname="", given="", surname_latin="", given_latin="", sex="", born="", year=0, village="", cards=(),
    numbers=(Number("NSSF_CARD", "7"),),
)  # fmt: skip


def test_one_who_is_new_is_as_the_event_says() -> None:
    assert completed(LITTLE, LITTLE, None) == LITTLE


def test_what_is_not_said_stays_and_the_same_again_is_no_news() -> None:
    assert completed(LITTLE, None, KEPT) == KEPT
    assert completed(KEPT, KEPT, KEPT) == KEPT
    other_order = replace(KEPT, numbers=KEPT.numbers[::-1])
    assert completed(other_order, None, KEPT) == KEPT


def test_what_is_said_counts_also_where_it_says_less() -> None:
    moved = replace(LITTLE, village="12010101", year=1991, numbers=(*LITTLE.numbers, Number("KHM_ID", "999999999")))
    found = completed(moved, None, KEPT)
    assert (found.village, found.born, found.year, found.given) == ("12010101", "", 1991, KEPT.given)
    assert found.numbers == (
        Number("NSSF_CARD", "7"),
        Number("LOCAL_ID", "u1", "IDPOOR"),
        Number("KHM_ID", "999999999"),
    )


def test_what_was_emptied_is_empty() -> None:
    was = replace(LITTLE, village="12040911", numbers=(*LITTLE.numbers, Number("KHM_ID", "012345678")))
    found = completed(LITTLE, was, KEPT)
    assert (found.village, found.given) == ("", KEPT.given)
    assert found.numbers == (Number("NSSF_CARD", "7"), Number("LOCAL_ID", "u1", "IDPOOR"))
