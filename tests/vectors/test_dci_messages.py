"""The messages of DCI 1.0.0, held against the OpenAPI files that DCI published, corrections applied.

They refuse both ways: fields, required fields and codes are the published ones, and whole messages, sound and spoiled,
are judged alike; where ours is narrower, the narrowing is named here and in docs/dci-corrections.md.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema_rs
import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker

import contracts
from tests.support.dci_names import ENVELOPES, JOINED_CODES, MESSAGES, WIRE_CODES
from tests.support.dci_published import FILES, body_schemas, published, resolved, spoiled
from tests.support.shared import need_shared

# Fields that DCI leaves open and that we demand, since the message says nothing without them.
DEMANDED: Final = {
    "ack": {"message"},
    "disabled-criteria": {"query_type", "query"},
    "enrolled-criteria": {"query_type", "query"},
    "expression-query": {"value"},
    "http-error": {"errors"},
}
# Rule and place (list positions left out) at which ours is narrower than the corrected file.
NARROWER: Final = (
    ("maxLength|minLength|minItems|minimum", ".*"),
    ("required", "/message/(disabled|enrolled)_criteria"),
    ("required|type", ".*_criteria/(query|filter)(/type)?"),
    ("required|type", ".*/subscriptions/filter"),
    ("required", ".*/sort"),
)
FREE: Final = frozenset({"reg_records", "beneficiaries", "meta", "consent", "authorize"})  # no form is published


@pytest.fixture(scope="session")
def files() -> Mapping[str, Any]:
    folder = need_shared("standards/dci")
    return {each: published(folder, each) for each in FILES}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_has_the_published_fields(name: str, files: Mapping[str, Any]) -> None:
    registry, pointer = MESSAGES[name]
    theirs, ours = resolved(files[registry], pointer), contracts.schema(f"dci/{name}", "1.0.0")
    assert set(ours["properties"]) == set(theirs["properties"])
    assert set(ours.get("required", ())) == set(theirs.get("required", ())) | DEMANDED.get(name, set())


@pytest.mark.parametrize("name", WIRE_CODES)
def test_list_has_the_published_codes(name: str, files: Mapping[str, Any]) -> None:
    registry, pointer = WIRE_CODES[name]
    codes = list(resolved(files[registry], pointer))
    if name in JOINED_CODES:
        registry, pointer = JOINED_CODES[name]
        codes += [each for each in resolved(files[registry], pointer) if each not in codes]
    assert list(contracts.code_list(f"dci/{name}").codes) == codes


def test_every_published_enumeration_is_a_list_of_ours(files: Mapping[str, Any]) -> None:
    ours = [set(contracts.code_list(each).codes) for each in contracts.code_list_names() if each.startswith("dci/")]
    split = {frozenset({"search", "subscribe", "receipt"}), frozenset({"search", "subscribe", "unsubscribe"})}
    split.add(frozenset({"transaction_id", "reference_id_list", "correlation_id"}))  # CRVS adds subscriptions
    for document in files.values():
        for where, codes in enumerations(document, ""):
            if not where.endswith("/action/enum"):  # an action is held by its envelope
                assert set(codes) in ours or frozenset(codes) in split, where


def enumerations(node: Any, where: str) -> Iterator[tuple[str, list[str]]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        if key == "enum" and isinstance(value, list):
            yield f"{where}/enum", value
        elif key not in {"example", "examples"}:
            yield from enumerations(value, f"{where}/{key}")


def test_every_published_path_has_its_envelopes(files: Mapping[str, Any]) -> None:
    paths = {path for document in files.values() for path in document["paths"]}
    assert paths == {path for _side, path in ENVELOPES.values()}


def schemas_of(name: str, files: Mapping[str, Any]) -> list[Any]:
    """The schemas of an envelope in all files that have its path, each form once."""
    side, path = ENVELOPES[name]
    found = [body_schemas(each, path)[side == "answer"] for each in files.values() if path in each["paths"]]
    return list({json.dumps(each, sort_keys=True, default=str): each for each in found}.values())


def valid_examples(name: str) -> list[Any]:
    return [each.document for each in contracts.examples(f"dci/{name}", "1.0.0") if each.valid]


@pytest.mark.parametrize("name", ENVELOPES)
def test_examples_are_valid_for_an_openapi_validator(name: str, files: Mapping[str, Any]) -> None:
    judges = [OAS30Validator(each, format_checker=oas30_format_checker) for each in schemas_of(name, files)]
    for document in valid_examples(name):
        assert any(judge.is_valid(document) for judge in judges)


@pytest.mark.parametrize("name", ENVELOPES)
def test_sound_and_spoiled_messages_are_judged_alike(name: str, files: Mapping[str, Any]) -> None:
    theirs = [jsonschema_rs.Draft202012Validator(each, validate_formats=True) for each in schemas_of(name, files)]
    documents = [each.document for each in contracts.examples(f"dci/{name}", "1.0.0")]
    documents += [each for document in valid_examples(name) for each in spoiled(document, FREE)]
    assert len(documents) > 50
    for document in documents:
        violation = refusal(name, document)
        accepted = any(judge.is_valid(document) for judge in theirs)
        assert accepted is (violation is None) or (violation is not None and narrower(violation)), violation


def refusal(name: str, document: object) -> contracts.ContractViolation | None:
    try:
        contracts.validate(f"dci/{name}", "1.0.0", document)
    except contracts.ContractViolation as violation:
        return violation
    return None


def narrower(violation: contracts.ContractViolation) -> bool:
    place = re.sub("/[0-9]+", "", violation.pointer)
    return any(re.fullmatch(rule, violation.rule) and re.fullmatch(where, place) for rule, where in NARROWER)
