import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.checking import look
from adapters.errors import ConfigError, RequestRefused, SearchRejected
from adapters.mapping.review import Level
from adapters.release import (
    BadPathError,
    Purpose,
    Release,
    RequestContext,
    cutter,
    decide,
    load_release,
    parse_path,
    read_purpose,
    withheld,
)
from adapters.release.paths import Step
from adapters.subjects import PersonId, identities
from tests.support.adapters import CLIENT, write_yaml
from tests.support.registry import RELEASE as PEOPLE
from tests.support.registry import RULE as RULE_OF_PEOPLE
from tests.support.registry import make_adapter

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "identifier": [
        {"identifier_type": "SPID", "identifier_value": "s-1"},
        {"identifier_type": "KHM_ID", "identifier_value": "k-1"},
    ],
    "name": {"surname": "សុខ", "given_name": "ដារ៉ា"},
    "sex": "male",
    "address": [{"village_code": "01020101", "locality": "x"}, {"locality": "y"}],
    "phone_number": [],
}


def cut(*paths: str) -> dict[str, Any]:
    return cutter(map(parse_path, paths))(RECORD)


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        ((), {}),
        (("sex",), {"sex": "male"}),
        (("name.surname",), {"name": {"surname": "សុខ"}}),
        (("name.surname", "name"), {"name": RECORD["name"]}),
        (("address.village_code",), {"address": [{"village_code": "01020101"}]}),
        (("identifier[identifier_type=SPID]",), {"identifier": [RECORD["identifier"][0]]}),
        (
            ("identifier[identifier_type=KHM_ID].identifier_value", "identifier.identifier_type"),
            {
                "identifier": [
                    {"identifier_type": "SPID"},
                    {"identifier_type": "KHM_ID", "identifier_value": "k-1"},
                ]
            },
        ),
        (("identifier[identifier_type=EQUITY_CARD]", "death_date", "sex.inner"), {}),
    ],
)
def test_only_what_is_given_is_left(paths: tuple[str, ...], left: dict[str, Any]) -> None:
    assert cut(*paths) == left


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
_paths = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join), max_size=3)


@given(st.dictionaries(st.sampled_from("abc"), _json, max_size=3), _paths)
def test_nothing_is_added_and_cutting_again_changes_nothing(record: dict[str, Any], paths: list[str]) -> None:
    leave = cutter(map(parse_path, paths))
    once = leave(record)
    assert leave(once) == once
    assert not once or _leaves(once) <= _leaves(record)
    assert set(once) <= {path.partition(".")[0] for path in paths}


def plain(value: object, paths: list[tuple[Step, ...]]) -> object:
    """Cut as docs/least-data.md says it, path by path and for each value anew; None where nothing is left."""
    if () in paths:
        return value if value is not None else NULL
    if isinstance(value, list):
        return [rest for each in value if (rest := plain(each, paths)) is not None] or None
    if not isinstance(value, dict):
        return None
    fields: dict[str, object] = {}
    for name, content in value.items():
        below = [path for path in paths if path and path[0].name == name]
        if below and (kept := inner(content, below)) is not None:
            fields[name] = kept
    return fields or None


def inner(value: object, paths: list[tuple[Step, ...]]) -> object:
    """Go below a step: what it selects counts for the objects that have the code, in lists within lists too."""
    if any(len(path) == 1 and path[0].key is None for path in paths):
        return value if value is not None else NULL
    if isinstance(value, list):
        return [left for each in value if (left := inner(each, paths)) is not None] or None
    if not isinstance(value, dict):
        return None
    fitting = [path for path in paths if path[0].key is None or value.get(path[0].key) == path[0].code]
    return plain(value, [path[1:] for path in fitting])


NULL = object()


def without_marks(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_marks(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_marks(each) for each in value]
    return None if value is NULL else value


_steps = st.sampled_from(["a", "b", "c", "a[b=x]", "a[b=y]", "b[c=x]", "b[a=x]"])
_selections = st.lists(st.lists(_steps, min_size=1, max_size=3).map(".".join), max_size=4)
_coded = st.recursive(
    st.sampled_from(["x", "y", 1, None]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from("abc"), _coded, max_size=3), _selections)
def test_what_is_cut_by_a_compiled_rule_is_what_its_paths_say(record: dict[str, Any], paths: list[str]) -> None:
    parsed = [parse_path(each) for each in paths]
    left = cutter(parsed)(record)
    said = without_marks(plain(record, [each.steps for each in parsed]) or {})
    assert left == said
    assert json.dumps(left) == json.dumps(said)  # in the record's own order


def _leaves(value: object, at: str = "") -> set[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return set().union(*(_leaves(inner, f"{at}.{key}") for key, inner in value.items()))
    if isinstance(value, list) and value:
        return set().union(*(_leaves(inner, at) for inner in value))
    return {(at, repr(value))}


@pytest.mark.parametrize("text", ["", "*", "a..b", "a.*", "a[b]", "a[b=c", "a b", "$where", "a[b=c][d=e]", "A.b\n"])
def test_texts_that_are_no_paths(text: str) -> None:
    with pytest.raises(BadPathError):
        parse_path(text)


def test_what_is_withheld_is_named_as_high_as_possible() -> None:
    targets = ["name.surname", "name.given_name", "sex", "address.village_code", "address.locality"]
    targets += ["identifier.identifier_type", "identifier.identifier_value"]
    given_paths = ("name.surname", "identifier[identifier_type=SPID]", "identifier[identifier_type=KHM_ID]")
    assert withheld(targets, map(parse_path, given_paths)) == (
        "address",
        "identifier[identifier_type!=SPID,KHM_ID]",
        "name.given_name",
        "sex",
    )


def release(folder: Path, *rules: dict[str, Any], **more: Any) -> Release:
    data = {
        "release": "people",
        "version": "1.0.0",
        "purposes": {"ELIGIBILITY": {"en": "a", "km": "ក"}, "PAYMENT": {"en": "b", "km": "ខ"}},
        "give": list(rules),
    }
    path = write_yaml(folder / "release.yaml", data | more)
    return load_release(path, served=[("cambodia/person", "1.0.0")], attributes=frozenset({"SPID", "KHM_ID"}))


RULE = {"to": [CLIENT], "ask_by": ["SPID"], "fields": ["name"]}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"fields": ["salary"]}, "give.0.fields"),
        ({"fields": ["name.salary"]}, "give.0.fields"),
        ({"fields": ["identifier[identifier_type=PASSPORT_OF_MARS]"]}, "give.0.fields"),
        ({"fields": ["*"]}, "give.0.fields"),
        ({"fields": []}, "give.0.fields"),
        ({"ask_by": ["age"]}, "give.0.ask_by"),
        ({"for": ["FUN"]}, "give.0.for"),
        ({"to": ["everyone"]}, "give.0.to"),
        ({"to": ["KH-SANDBOX/GOV/*/X\n"]}, "give.0.to"),
        ({"basis": "authorize"}, "give.0.for"),
        ({"basis": "consent", "for": ["PAYMENT"]}, "give.0.consent_days"),
        ({"consent_days": 5}, "give.0.consent_days"),
        ({"surprise": 1}, "give.0"),
    ],
)
def test_wrong_declarations_name_the_key(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        release(tmp_path, RULE | change)
    assert caught.value.key == key


def context(client: str = CLIENT, consent: object = None, authorize: object = None) -> RequestContext:
    return RequestContext(client, None, read_purpose(consent), read_purpose(authorize))


GROUND = {"ts": NOW.isoformat(), "purpose": {"code": "ELIGIBILITY", "ref_uri": "https://example.test/law"}}
CONSENT = {
    "ts": NOW.isoformat(),
    "purpose": {"code": "ELIGIBILITY"},
    "given_by": {"identifier_type": "SPID", "identifier_value": "s-1"},
    "valid_until": (NOW + timedelta(days=30)).isoformat(),
}
BY_GROUND = RULE | {"for": ["ELIGIBILITY"], "basis": "authorize"}
BY_CONSENT = RULE | {"for": ["ELIGIBILITY"], "basis": "consent", "consent_days": 90, "fields": ["name", "sex"]}


def test_nobody_gets_anything_without_a_declaration(tmp_path: Path) -> None:
    for rules in ((), (RULE | {"to": ["KH-SANDBOX/GOV/NSSF/MEMBERS"]},)):
        with pytest.raises(RequestRefused) as caught:
            decide(release(tmp_path, *rules), context(), NOW)
        assert (caught.value.status, caught.value.code) == (403, "err.request.forbidden")


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


@pytest.mark.parametrize(
    ("rule", "consent", "authorize"),
    [
        (BY_GROUND, None, None),
        (BY_GROUND, None, GROUND | {"purpose": GROUND["purpose"] | {"code": "PAYMENT"}}),  # type: ignore[operator]
        (BY_GROUND, None, without(GROUND, "ts")),
        (BY_GROUND, None, GROUND | {"ts": "2026-11-22T09:00:00"}),
        (BY_GROUND, None, GROUND | {"ts": (NOW + timedelta(hours=1)).isoformat()}),
        (BY_GROUND, None, GROUND | {"purpose": {"code": "ELIGIBILITY"}}),
        (BY_GROUND, CONSENT, None),
        (BY_GROUND, CONSENT | {"purpose": {"code": "PAYMENT"}}, GROUND),
        (BY_CONSENT, None, GROUND),
        (BY_CONSENT, without(CONSENT, "given_by"), None),
        (BY_CONSENT, CONSENT | {"given_by": "somebody"}, None),
        (BY_CONSENT, CONSENT | {"given_by": {"identifier_type": "SPID", "identifier_value": " "}}, None),
        (BY_CONSENT, without(CONSENT, "valid_until"), None),
        (BY_CONSENT, CONSENT | {"valid_until": NOW.isoformat()}, None),
        (BY_CONSENT, CONSENT | {"valid_until": (NOW + timedelta(days=91)).isoformat()}, None),
        (BY_CONSENT, CONSENT | {"ts": (NOW + timedelta(hours=1)).isoformat()}, None),
        (BY_CONSENT, CONSENT | {"purpose": "ELIGIBILITY"}, None),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, rule: dict[str, Any], consent: object, authorize: object) -> None:
    with pytest.raises(SearchRejected, match=r"rjct\.search_criteria\.invalid"):
        decide(release(tmp_path, rule), context(consent=consent, authorize=authorize), NOW)


def test_a_purpose_that_nobody_declared_is_none_also_where_none_is_demanded(tmp_path: Path) -> None:
    with pytest.raises(SearchRejected, match="not declared"):
        decide(release(tmp_path, RULE), context(authorize={"purpose": {"code": "CURIOSITY"}}), NOW)
    assert decide(release(tmp_path, RULE), context(authorize=GROUND), NOW).ask_by == {"SPID"}


def test_the_first_rule_that_is_met_counts(tmp_path: Path) -> None:
    both = release(tmp_path, BY_CONSENT, BY_GROUND)
    with_consent = decide(both, context(consent=CONSENT), NOW)
    with_ground = decide(both, context(authorize=GROUND), NOW)
    assert [[path.text for path in rule.fields] for rule in (with_consent, with_ground)] == [["name", "sex"], ["name"]]
    assert decide(release(tmp_path, RULE), context(), NOW).purposes is None


@given(st.one_of(st.none(), st.text(), _json, st.dictionaries(st.sampled_from(["ts", "purpose", "given_by"]), _json)))
def test_whatever_stands_for_a_consent_is_read(data: object) -> None:
    found = read_purpose(data)
    assert found is None or isinstance(found, Purpose)


def test_a_member_and_the_person_that_it_is_are_one() -> None:
    def ids(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"identifier_type": kind, "identifier_value": value} for kind, value in pairs]

    household = {
        "group_identifier": ids(("EQUITY_CARD", "e")),
        "member_list": [
            {"member_identifier": ids(("LOCAL_ID", "1")), "demographic_info": {"identifier": ids(("KHM_ID", "a"))}},
            {"demographic_info": {"identifier": ids(("KHM_ID", "b"))}},
            {"demographic_info": {"sex": "male"}},
        ],
    }
    found = set(identities(household))
    assert frozenset({PersonId("EQUITY_CARD", "e")}) in found
    assert frozenset({PersonId("LOCAL_ID", "1"), PersonId("KHM_ID", "a")}) in found
    assert not any({PersonId("KHM_ID", "a"), PersonId("KHM_ID", "b")} <= each for each in found)


def test_the_example_of_the_page_is_a_declaration(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "least-data.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(# release\.yaml\n.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "release.yaml").write_text(found[1], encoding="utf-8")
    served = [("cambodia/scheme-membership", "1.0.0")]
    [rule] = load_release(tmp_path / "release.yaml", served=served, attributes=frozenset({"KHM_ID"})).rules
    assert rule.to == {CLIENT}


def test_what_a_declaration_promises_and_never_gives_is_found(tmp_path: Path) -> None:
    rule = RULE_OF_PEOPLE | {"fields": ["name", "phone_number", "identifier[identifier_type=SPID]"]}
    found = list(look(make_adapter(tmp_path, release=PEOPLE | {"give": [rule]})))
    own = [each for each in found if each.file.endswith("release.yaml")]
    assert [(each.level, each.place) for each in own] == [
        (Level.WARNING, "give.0.fields"),
        (Level.NOTE, "purposes.ELIGIBILITY"),
    ]
    assert "phone_number" in own[0].problem
    (tmp_path / "bare").mkdir()
    bare = list(look(make_adapter(tmp_path / "bare", release=PEOPLE | {"give": []})))
    assert any(each.problem == "nothing is given to anybody" for each in bare)
