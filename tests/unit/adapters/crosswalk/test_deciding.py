"""How two persons compare, and what is decided of it: each level, each rule, and what must never be merged."""

from dataclasses import replace

import pytest

from adapters.crosswalk.comparing import LEVELS, features, levels
from adapters.crosswalk.deciding import SCORE, Candidate, Finding, Outcome, decide
from adapters.crosswalk.definition import load_definition
from adapters.crosswalk.people import Number, Person
from adapters.crosswalk.sounds import latin, letters, one_letter_apart, sound
from adapters.synthetic.names import FEMALE, MALE, SURNAMES
from tests.support.crosswalk import DECLARATION, SOPHEA, elsewhere

DEFINITION = load_definition(DECLARATION)
OTHER = elsewhere("pmrs", "P1")


def level(field: str, one: Person, other: Person) -> str:
    kinds = DEFINITION.exclusive
    return levels(features(one, kinds), features(other, kinds), DEFINITION.household)[field]


def decided(record: Person, *people: Person, rules: frozenset[str] = frozenset()) -> tuple[Outcome, str]:
    candidates = [
        Candidate(place, features(each, DEFINITION.exclusive), rules if place == 1 else frozenset())
        for place, each in enumerate(people, start=1)
    ]
    found = decide(DEFINITION, features(record, DEFINITION.exclusive), candidates)
    return found.outcome, found.pairs[0].basis if found.pairs else ""


@pytest.mark.parametrize(
    ("field", "changes", "expected"),
    [
        ("given", {}, "exact"),
        ("given", {"given": "សុ\u200bភា"}, "exact"),  # a space of no width
        ("given", {"given": "សុពា"}, "sound"),
        ("given", {"given": "សុភាព"}, "close"),
        ("given", {"given": "ចាន់សុភាន"}, "different"),
        ("given", {"given": "", "given_latin": "Sophia"}, "latin"),
        ("given", {"given": "", "given_latin": "Davy"}, "different"),
        ("given", {"given": "", "given_latin": ""}, "missing"),
        ("given", {"given": "ស", "given_latin": ""}, "missing"),  # an initial
        ("given", {"given": "កែវ", "surname": "សុភា"}, "swapped"),
        ("surname", {"given": "កែវ", "surname": "សុភា"}, "swapped"),
        ("surname", {"surname": "គែវ"}, "sound"),
        ("surname", {"surname": "ចាន់"}, "different"),
        ("sex", {}, "same"),
        ("sex", {"sex": "male"}, "different"),
        ("sex", {"sex": ""}, "missing"),
        ("birth", {}, "day"),
        ("birth", {"born": "", "year": 1990}, "year"),
        ("birth", {"born": "1990-01-01"}, "year"),  # where the day is not known
        ("birth", {"born": "1990-03-22"}, "almost"),
        ("birth", {"born": "1990-04-22"}, "same_year"),
        ("birth", {"born": "", "year": 1991}, "near_year"),
        ("birth", {"born": "1991-03-21", "year": 1991}, "different"),
        ("birth", {"born": "", "year": 0}, "missing"),
        ("village", {}, "village"),
        ("village", {"village": "12040999"}, "commune"),
        ("village", {"village": "12041111"}, "district"),
        ("village", {"village": "01020304"}, "different"),
        ("village", {"village": ""}, "missing"),
        ("household", {}, "missing"),
        ("number", {}, "missing"),
        ("number", {"numbers": (Number("KHM_ID", "012345678"),)}, "same"),
        ("number", {"numbers": (Number("KHM_ID", "999999999"),)}, "different"),
    ],
)
def test_level(field: str, changes: dict[str, object], expected: str) -> None:
    assert level(field, elsewhere("pmrs", "P1", **changes), SOPHEA) == expected


def test_a_swapped_day_and_month() -> None:
    born = replace(SOPHEA, born="1990-03-05")
    assert level("birth", elsewhere("pmrs", "P1", born="1990-05-03"), born) == "swapped"


def test_new_year_on_both_sides_is_no_day() -> None:
    born = replace(SOPHEA, born="1990-01-01")
    assert level("birth", elsewhere("pmrs", "P1", born="1990-01-01"), born) == "new_year"


def test_one_household_card() -> None:
    card = (Number("EQUITY_CARD", "120409-1"),)
    assert level("household", replace(OTHER, cards=card), replace(SOPHEA, elsewhere=card)) == "same"


def test_one_letter_of_a_long_name_is_close() -> None:
    assert level("given", elsewhere("pmrs", "P1", given="រតនា"), replace(SOPHEA, given="រចនា")) == "close"


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("abc", "abcd", True), ("abc", "acb", True), ("abc", "axc", True), ("abc", "abc", False), ("abc", "cba", False)],
)
def test_one_letter_apart(one: str, other: str, *, apart: bool) -> None:
    assert one_letter_apart(one, other) is one_letter_apart(other, one) is apart


@pytest.mark.parametrize("names", [SURNAMES, MALE, FEMALE])
def test_no_two_common_names_sound_the_same(names: tuple[tuple[str, str], ...]) -> None:
    assert len({sound(khmer) for khmer, _ in names}) == len(names)


def test_names_without_letters_are_no_names() -> None:
    assert letters(" -. ") == sound("123") == latin("...") == ""


def test_every_level_weighs_something_and_says_why() -> None:
    assert {field: set(weights) for field, weights in DEFINITION.weights.items()} == {
        field: set(each) for field, each in LEVELS.items()
    }


def test_name_day_and_village_decide_alone() -> None:
    assert decided(OTHER, SOPHEA) == (Outcome.LINKED, SCORE)


def test_who_moved_is_found_by_name_and_day() -> None:
    assert decided(elsewhere("pmrs", "P1", village="01020304"), SOPHEA) == (Outcome.LINKED, SCORE)


def test_name_and_year_alone_are_a_humans_to_judge() -> None:
    assert decided(elsewhere("pmrs", "P1", born="", village=""), SOPHEA)[0] is Outcome.REVIEW


def test_new_year_and_another_village_do_not_decide() -> None:
    record = elsewhere("pmrs", "P1", born="1990-01-01", village="01020304")
    assert decided(record, replace(SOPHEA, born="1990-01-01"))[0] is not Outcome.LINKED


def test_a_number_decides_against_a_changed_village_and_missing_day() -> None:
    record = elsewhere("pmrs", "P1", born="", village="", surname="ចាន់", numbers=(Number("KHM_ID", "012345678"),))
    assert decided(record, SOPHEA, rules=frozenset({"identity-card"})) == (Outcome.LINKED, "identity-card")


@pytest.mark.parametrize(
    "changes", [{"sex": "male"}, {"given": "ចន្ទ្រា"}, {"born": "1961-03-21", "year": 1961}], ids=["sex", "name", "birth"]
)
def test_a_number_that_the_rest_contradicts_is_a_finding(changes: dict[str, object]) -> None:
    record = elsewhere("pmrs", "P1", numbers=(Number("KHM_ID", "012345678"),), **changes)
    candidate = Candidate(1, features(SOPHEA, DEFINITION.exclusive), frozenset({"identity-card"}))
    found = decide(DEFINITION, features(record, DEFINITION.exclusive), [candidate])
    assert found.outcome is Outcome.REVIEW
    assert found.pairs[0].findings == {Finding.CONTRADICTED}


def test_two_numbers_of_one_person_are_a_finding_and_never_linked_by_score() -> None:
    record = elsewhere("pmrs", "P1", numbers=(Number("KHM_ID", "999999999"),))
    found = decide(
        DEFINITION, features(record, DEFINITION.exclusive), [Candidate(1, features(SOPHEA, DEFINITION.exclusive))]
    )
    assert found.outcome is Outcome.REVIEW
    assert found.pairs[0].findings == {Finding.TWO_NUMBERS}


def test_twins_are_told_apart_by_the_given_name_and_go_to_a_human_when_one_is_missing() -> None:
    card = (Number("EQUITY_CARD", "120409-1"),)
    one = replace(SOPHEA, given="ណារី", elsewhere=card)
    for given in ("ណាវី", "ដាវី", ""):
        twin = elsewhere("pmrs", "P2", one, given=given, given_latin="", cards=card)
        assert decided(twin, one)[0] is Outcome.REVIEW
    both = [one, replace(one, key="AAAA-0002", given="ដាវី")]
    assert decided(elsewhere("pmrs", "P1", one, cards=card), *both) == (Outcome.LINKED, SCORE)


def test_father_and_son_of_one_name_are_two() -> None:
    father = replace(SOPHEA, born="1961-03-21", year=1961)
    assert decided(OTHER, father)[0] is not Outcome.LINKED
    assert decided(elsewhere("pmrs", "P1", born="", year=0), father)[0] is not Outcome.LINKED


def test_two_who_are_alike_decide_nothing() -> None:
    assert decided(OTHER, SOPHEA, replace(SOPHEA, key="AAAA-0002"))[0] is Outcome.REVIEW


def test_nobody_without_a_name_is_linked_by_score() -> None:
    empty = elsewhere("pmrs", "P1", given="", surname="", given_latin="", surname_latin="")
    assert decided(empty, SOPHEA)[0] is not Outcome.LINKED


def test_a_decision_explains_itself_without_values() -> None:
    found = decide(
        DEFINITION, features(OTHER, DEFINITION.exclusive), [Candidate(1, features(SOPHEA, DEFINITION.exclusive))]
    )
    told = found.pairs[0].explanation(DEFINITION)
    assert told["weight"] == sum(told["weights"].values())
    assert not any(value in str(told) for value in (SOPHEA.given, SOPHEA.born, SOPHEA.village))
