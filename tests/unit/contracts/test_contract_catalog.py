import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import contracts
from contracts.catalog import SCHEMAS, all_schemas

KHMER = re.compile("[\u1780-\u17ff]")
ALL = [(name, version) for name in contracts.names() for version in contracts.versions(name)]
EXAMPLES = [(name, version, each) for name, version in ALL for each in contracts.examples(name, version)]
VALID = [(name, version, each) for name, version, each in EXAMPLES if each.valid]
INVALID = [(name, version, each) for name, version, each in EXAMPLES if not each.valid]
DCI_OBJECTS = ("Identifier", "Name", "Address", "Person", "Member", "Group", "Place", "RelatedPerson", "DisabilityInfo")
DCI_CODES = {
    "AssistanceUnit": "assistance-unit",
    "EducationCode": "education",
    "EmploymentStatusEnum": "employment-status",
    "FunctionalLimitationType": "functional-limitation-type",
    "FunctionalSeverityEnum": "functional-severity",
    "IdentifierTypeEnum": "identifier-type",
    "IncomeLevelEnum": "income-level",
    "LanguageCodeEnum": "language",
    "MaritalStatusEnum": "marital-status",
    "OccupationEnum": "occupation",
    "RelationshipTypeEnum": "relationship-type",
    "SexCategoryEnum": "sex-category",
}


def described(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield f"{path}.{name}", field


@pytest.mark.parametrize(("name", "version"), ALL)
def test_schema_and_each_field_are_described_in_both_languages(name: str, version: str) -> None:
    for path, node in described(contracts.schema(name, version)):
        for key in ("title", "description"):
            assert node.get(key), f"{path} has no {key}"
            assert KHMER.search(node.get(f"x-{key}-km", "")), f"{path} has no Khmer {key}"


@pytest.mark.parametrize("name", contracts.code_list_names())
def test_code_lists_are_described_in_both_languages(name: str) -> None:
    found = contracts.code_list(name)
    for label in (found.title, found.description, *found.codes.values()):
        assert label.en
        assert KHMER.search(label.km)


@pytest.mark.parametrize(("name", "version"), ALL)
def test_contract_has_valid_and_invalid_examples(name: str, version: str) -> None:
    assert {each.valid for each in contracts.examples(name, version)} == {True, False}


@pytest.mark.parametrize(("name", "version", "example"), VALID)
def test_valid_example_is_accepted(name: str, version: str, example: contracts.Example) -> None:
    contracts.validate(name, version, example.document)


@pytest.mark.parametrize(("name", "version", "example"), INVALID)
def test_invalid_example_is_refused_by_its_rule(name: str, version: str, example: contracts.Example) -> None:
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate(name, version, example.document)
    assert (caught.value.rule, caught.value.pointer) == (example.rule, example.pointer)


@pytest.mark.parametrize(("name", "version", "example"), [each for each in VALID if each[0].startswith("cambodia/")])
def test_profile_is_a_part_of_the_base(name: str, version: str, example: contracts.Example) -> None:
    base = name.replace("cambodia/", "dci/")
    if base in contracts.names():
        contracts.validate(base, version, example.document)


@pytest.mark.parametrize("kind", DCI_OBJECTS)
def test_base_has_the_published_fields(kind: str, shared: Callable[[str], Path]) -> None:
    text = shared("standards/dci/objects-and-codes.txt").read_text(encoding="utf-8")
    block = text.split(f"DATA core/v1/data/{kind}.jsonld")[1].split("\n", 1)[1]
    published = [line.split()[0] for line in re.split(r"\n(?=\S)", block)[0].splitlines()]
    name = "dci/" + re.sub(r"(?<!^)([A-Z])", r"-\1", kind).lower()
    assert set(contracts.schema(name, "1.0.0")["properties"]) == set(published)


@pytest.mark.parametrize(("published", "name"), DCI_CODES.items())
def test_codes_are_the_published_ones(published: str, name: str, shared: Callable[[str], Path]) -> None:
    text = shared("standards/dci/objects-and-codes.txt").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"CODE core/v1/code/{published}.jsonld"))
    codes = [each.partition("=")[0].strip() for each in line.partition("): ")[2].split("; ")]
    assert list(contracts.code_list(f"dci/{name}").codes) == codes


@pytest.mark.parametrize(
    ("schema", "name"),
    [("Error", "error"), ("MsgHeaderStatusReasonCode", "header-reason"), ("SearchStatusReasonCode", "search-reason")],
)
def test_error_codes_are_the_published_ones(schema: str, name: str, shared: Callable[[str], Path]) -> None:
    api = yaml.safe_load(shared("standards/dci/social_api_v1.0.0.yaml").read_text(encoding="utf-8"))
    found = api["components"]["schemas"][schema]
    published = found["properties"]["code"]["enum"] if schema == "Error" else found["enum"]
    assert list(contracts.code_list(f"dci/{name}").codes) == published


@pytest.mark.parametrize(
    ("schema", "name"), [("MsgHeader_V1.0.0", "request-header"), ("MsgCallbackHeader_V1.0.0", "response-header")]
)
def test_headers_are_the_published_ones(schema: str, name: str, shared: Callable[[str], Path]) -> None:
    api = yaml.safe_load(shared("standards/dci/social_api_v1.0.0.yaml").read_text(encoding="utf-8"))
    published, ours = api["components"]["schemas"][schema], contracts.schema(f"dci/{name}", "1.0.0")
    assert set(ours["properties"]) == set(published["properties"])
    assert set(ours["required"]) == set(published["required"])


def test_every_reference_leads_to_a_contract_or_code_list() -> None:
    known = {each["$id"] for each in all_schemas().values()}
    known |= {contracts.code_list(name).urn for name in contracts.code_list_names()}
    for path in SCHEMAS.rglob("*.json"):
        for reference in re.findall(r'"\$ref": "([^"]+)"', path.read_text(encoding="utf-8")):
            assert reference in known, f"{path.name} refers to {reference}"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(contracts.UnknownContract):
        contracts.schema("dci/person", "9.9.9")
    with pytest.raises(contracts.UnknownContract):
        contracts.versions("dci/nobody")
    with pytest.raises(contracts.UnknownContract):
        contracts.validate("dci/nobody", "1.0.0", {})
    with pytest.raises(contracts.UnknownCodeList):
        contracts.code_list("dci/nothing")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("member_list.demographic_info.name.surname", True),
        ("address.village_code", True),
        ("member_list.demographic_info.name.nickname", False),
        ("group_type.x", False),
    ],
)
def test_fields_are_found_through_lists_and_references(path: str, known: bool) -> None:  # noqa: FBT001  # a column
    assert contracts.has_field("cambodia/group", "1.0.0", path) is known


def test_allowed_codes_of_a_field() -> None:
    def codes(name: str, path: str) -> list[str] | None:
        found = contracts.allowed_codes(name, "1.0.0", path)
        return None if found is None else sorted(found)

    assert codes("cambodia/group", "member_list.demographic_info.sex") == ["female", "male", "other", "unknown"]
    assert codes("cambodia/address", "country_code") == ["KH"]
    assert codes("cambodia/group", "group_size") is None
