import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import contracts

PROFILE = [
    name for name in contracts.names() if name.replace("cambodia/", "dci/") in contracts.names() and "cambodia/" in name
]
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


@pytest.mark.parametrize("name", PROFILE)
def test_profile_is_a_part_of_the_base(name: str) -> None:
    base = name.replace("cambodia/", "dci/")
    for version in contracts.versions(name):
        for example in contracts.examples(name, version):
            if example.valid:
                contracts.validate(base, contracts.versions(base)[-1], example.document)


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
