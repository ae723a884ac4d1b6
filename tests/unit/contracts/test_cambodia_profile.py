import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import contracts
from contracts import ncdd
from contracts.catalog import SCHEMAS

NAMES = tuple(each for each in contracts.names() if each.startswith("cambodia/"))
ALL = [(name, version) for name in NAMES for version in contracts.versions(name)]
# Which DCI object a record narrows or extends, where it does not bear its name.
BASES = {
    **{
        name: name.replace("cambodia/", "dci/")
        for name in NAMES
        if name.replace("cambodia/", "dci/") in contracts.names()
    },
    "cambodia/enrolment": "dci/beneficiary",
    "cambodia/disability-assessment": "dci/pwd-person",
    "cambodia/benefit-payment": "dci/benefit",
}
# What a record takes from DCI objects that it is not itself: the member that it concerns, a parent, an event.
BORROWED = {
    "member_identifier",
    "demographic_info",
    "group_identifier",
    "group",
    "member",
    "assistance_unit",
    "last_updated",
}
OBJECTS = ("beneficiary", "benefit", "programme", "member", "group", "person", "crvs-person", "pwd-person")
PEOPLE = tuple(
    name
    for name in NAMES
    if {"member_identifier", "member", "personal_details"} & set(contracts.schema(name, "1.0.0")["properties"])
)
LOCAL = {"identifier_type": "LOCAL_ID", "identifier_value": "b-77"}


def fields(name: str, version: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = contracts.schema(name, version)["properties"]
    return found


def valid(name: str, version: str = "1.0.0") -> list[Any]:
    return [each.document for each in contracts.examples(name, version) if each.valid]


def accepted(name: str, version: str, document: object) -> bool:
    try:
        contracts.validate(name, version, document)
    except contracts.ContractViolation:
        return False
    return True


def with_local_numbers(node: Any) -> Any:
    """The same document about somebody of whom only the answering registry knows a number."""
    if isinstance(node, list):
        return [with_local_numbers(each) for each in node]
    if not isinstance(node, dict):
        return node
    if set(node) == set(LOCAL):
        return LOCAL
    return {key: with_local_numbers(each) for key, each in node.items()}


@pytest.mark.parametrize(("name", "version"), ALL)
def test_each_field_says_where_it_comes_from(name: str, version: str) -> None:
    assert {each.get("x-basis") for each in fields(name, version).values()} <= {"dci", "published", "assumed"}


@pytest.mark.parametrize("name", sorted(BASES))
def test_fields_of_the_base_are_marked_as_such(name: str) -> None:
    base = set(contracts.schema(BASES[name], "1.0.0")["properties"])
    for version in contracts.versions(name):
        marked = {field for field, each in fields(name, version).items() if each["x-basis"] == "dci"}
        assert base & set(fields(name, version)) <= marked
        assert marked <= base | BORROWED


@pytest.mark.parametrize("name", [each for each in NAMES if each not in BASES])
def test_what_is_called_dci_is_dci(name: str) -> None:
    known = {field for each in OBJECTS for field in contracts.schema(f"dci/{each}", "1.0.0").get("properties", {})}
    extra = {"cambodia/civil-event": {"event_type", "identifier"}}
    marked = {field for field, each in fields(name, "1.0.0").items() if each["x-basis"] == "dci"}
    assert marked <= known | extra.get(name, set())


@pytest.mark.parametrize("name", sorted(BASES))
def test_a_record_of_the_profile_is_one_of_its_base(name: str) -> None:
    for version in contracts.versions(name):
        for document in valid(name, version):
            contracts.validate(BASES[name], "1.0.0", document)


@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_needs_a_spid_or_a_card(name: str) -> None:
    assert any(accepted(name, "1.0.0", with_local_numbers(document)) for document in valid(name))


def test_a_year_of_birth_is_enough_and_never_beside_a_date() -> None:
    person = {"name": {"given_name": "ដារ៉ា"}, "sex": "male", "birth_year": 1961, "birth_date_approximate": True}
    assert accepted("cambodia/person", "1.0.0", person)
    assert not accepted("cambodia/person", "1.0.0", person | {"birth_date": "1961-01-01T00:00:00+07:00"})


@pytest.mark.parametrize(("name", "version"), ALL)
def test_money_is_whole_riel_with_its_currency(name: str, version: str) -> None:
    found = contracts.schema(name, version)
    if "amount" in found["properties"]:
        assert found["properties"]["amount"]["type"] == "integer"
        assert found["properties"]["currency"]["const"] == "KHR"
        assert (
            found["dependentRequired"] | {"amount": ["currency"], "currency": ["amount"]} == found["dependentRequired"]
        )


def test_programmes_and_schemes_are_apart() -> None:
    programmes, schemes = (set(contracts.code_list(f"cambodia/{each}").codes) for each in ("programme", "scheme"))
    assert not programmes & schemes
    assert set(contracts.allowed_codes("cambodia/entitlement", "1.0.0", "programme") or ()) == programmes
    assert set(contracts.allowed_codes("cambodia/scheme-contribution", "1.0.0", "scheme") or ()) == schemes
    for contribution in ("1", "2", "3"):
        programme = valid("cambodia/programme")[0] | {"contribution_type": contribution}
        scheme = valid("cambodia/scheme")[0] | {"contribution_type": contribution}
        assert accepted("cambodia/programme", "1.0.0", programme) is (contribution == "3")
        assert accepted("cambodia/scheme", "1.0.0", scheme) is (contribution != "3")


def test_no_record_holds_a_diagnosis() -> None:
    assert not [name for name, version in ALL for field in fields(name, version) if "diagnos" in field]


def test_two_versions_of_a_household_live_side_by_side() -> None:
    assert contracts.versions("cambodia/group") == ("1.0.0", "1.1.0")
    for document in valid("cambodia/group", "1.0.0"):
        contracts.validate("cambodia/group", "1.1.0", document)
    newer = next(each for each in valid("cambodia/group", "1.1.0") if "poverty_assessment" in each)
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate("cambodia/group", "1.0.0", newer)
    assert caught.value.rule == "additionalProperties"
    older = copy.deepcopy(newer)
    del older["poverty_assessment"]
    contracts.validate("cambodia/group", "1.0.0", older)


@pytest.mark.parametrize(("name", "version"), ALL)
def test_each_rule_between_fields_has_an_example_that_breaks_it(name: str, version: str) -> None:
    found = contracts.schema(name, version)
    shown = {each.rule for each in contracts.examples(name, version) if not each.valid}
    for keyword in ("x-prefix", "x-not-before", "dependentRequired", "oneOf"):
        if keyword in found:
            assert keyword in shown


def test_every_code_list_of_the_profile_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (SCHEMAS / "cambodia").glob("*.json"))
    lists = {each for each in contracts.code_list_names() if each.startswith("cambodia/")}
    used = {f"cambodia/{each}" for each in re.findall(r"urn:spean:codes:cambodia:([a-z-]+):", text)}
    assert lists == used


def test_the_page_names_every_record_purpose_and_identifier() -> None:
    page = (Path(__file__).parents[3] / "docs/cambodia-profile.md").read_text(encoding="utf-8")
    names = {name.removeprefix("cambodia/") for name in NAMES}
    codes = {*contracts.code_list("cambodia/purpose").codes, *contracts.code_list("cambodia/identifier-type").codes}
    assert not {each for each in names | codes if f"`{each}`" not in page}
    places = [f"{len(ncdd.codes(level)):,} {level}s" for level in ncdd.LEVELS]
    assert not [each for each in places if each not in page.replace("\n", " ")]


def test_the_least_data_of_each_exchange_are_fields_of_its_record() -> None:
    page = (Path(__file__).parents[3] / "docs/cambodia-profile.md").read_text(encoding="utf-8")
    table = page.split("## Common minimum data")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][2:]
    purposes = contracts.code_list("cambodia/purpose").codes
    for _who, whom, purpose, basis, _by, gets in rows:
        assert purpose.strip() in purposes
        assert basis.strip() in {"consent", "authorize"}
        records = [f"cambodia/{each}" for each in re.findall(r"`([a-z-]+)`", whom)]
        for path in re.findall(r"`([a-z_0-9.]+)`", gets) if records else ():
            assert any(contracts.has_field(each, contracts.versions(each)[-1], path) for each in records), path


def test_what_is_released_is_released_for_purposes_of_the_standard() -> None:
    programmes = Path(contracts.__file__).parents[1] / "adapters/programmes"
    declared = {
        each for path in programmes.glob("*/*release.yaml") for each in yaml.safe_load(path.read_text())["purposes"]
    }
    assert declared
    assert declared <= set(contracts.code_list("cambodia/purpose").codes)


def khmer_texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, each in node.items():
            yield from [each] if key.endswith("-km") else khmer_texts(each)
    elif isinstance(node, list):
        for each in node:
            yield from khmer_texts(each)


def test_khmer_texts_of_the_standard_are_normalised_themselves() -> None:
    root = Path(contracts.__file__).parent
    for path in [*(root / "schemas/cambodia").glob("*.json"), *(root / "codes/cambodia").glob("*.json")]:
        for text in khmer_texts(json.loads(path.read_text(encoding="utf-8"))):
            assert contracts.normalise(text) == text, f"{path.name}: {text}"
