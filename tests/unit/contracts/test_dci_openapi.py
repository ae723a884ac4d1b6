import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

import contracts
from contracts import openapi
from tests.support.dci_published import FILES, corrections, published, resolved
from tests.support.shared import need_shared

KHMER: Final = re.compile("[\u1780-\u17b3]")
SYNC: Final = {
    "/registry/sync/search": "search",
    "/registry/sync/txn/status": "txn-status",
    "/registry/sync/enrolled": "enrolled",
    "/registry/sync/disabled": "disabled",
    "/registry/sync/get-disability-details": "get-disability-details",
    "/registry/sync/get-disability-support": "get-disability-support",
}
SERVED: Final = {
    "crvs": {"/registry/sync/search", "/registry/sync/txn/status"},
    "dr": {each for each in SYNC if "txn" not in each and "enrolled" not in each},
    "ibr": {"/registry/sync/search", "/registry/sync/txn/status", "/registry/sync/enrolled"},
    "sr": {"/registry/sync/search", "/registry/sync/txn/status"},
}
KEYS: Final = {"/oauth2/client/token", "/.well-known/jwks.json"}
SIDES: Final = [
    (registry, path, side)
    for registry in SERVED
    for path in sorted(SERVED[registry])
    for side in ("request", "response")
]


def test_each_registry_type_has_its_document() -> None:
    assert set(openapi.REGISTRIES) == set(SERVED)
    with pytest.raises(openapi.UnknownRegistry):
        openapi.document("fr")
    with pytest.raises(openapi.UnknownRegistry):
        openapi.document("../sr")
    with pytest.raises(openapi.UnknownRegistry):
        openapi.document("sr", "9.9.9")


@pytest.mark.parametrize("registry", openapi.REGISTRIES)
def test_document_is_valid_openapi(registry: str) -> None:
    assert list(OpenAPIV31SpecValidator(openapi.document(registry)).iter_errors()) == []


@pytest.mark.parametrize("registry", openapi.REGISTRIES)
def test_document_serves_the_synchronous_paths(registry: str) -> None:
    assert set(openapi.document(registry)["paths"]) == SERVED[registry] | KEYS


@pytest.mark.parametrize("registry", openapi.REGISTRIES)
def test_nothing_is_left_to_fetch_and_nothing_leads_nowhere(registry: str) -> None:
    document = openapi.document(registry)
    found = set(references(json.loads(json.dumps(document))))
    assert found
    assert all(resolved_once(document, each) for each in found)
    used = {each.rpartition("/")[2] for each in found if "/schemas/" in each}
    assert used <= set(document["components"]["schemas"])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def resolved_once(document: Mapping[str, Any], reference: str) -> Any:
    assert reference.startswith("#/components/"), reference
    node: Any = document
    for each in reference.removeprefix("#/").split("/"):
        node = node[each]
    return node


@pytest.mark.parametrize("registry", openapi.REGISTRIES)
def test_operations_and_components_speak_both_languages(registry: str) -> None:
    document = openapi.document(registry)
    operations = [each for item in document["paths"].values() for each in item.values()]
    for each in (document["info"], *document["components"]["schemas"].values()):
        assert KHMER.search(each["x-title-km"])
    for each in operations:
        assert KHMER.search(each["x-summary-km"])
        assert KHMER.search(each["x-description-km"])
    assert len({each["operationId"] for each in operations}) == len(operations)


@pytest.mark.parametrize("registry", openapi.REGISTRIES)
def test_personal_data_needs_a_token(registry: str) -> None:
    for path in SERVED[registry]:
        assert openapi.document(registry)["paths"][path]["post"]["security"] == [{"token": []}]


@cache
def judge(registry: str, path: str, side: str) -> jsonschema_rs.Draft202012Validator:
    document = openapi.document(registry)
    operation = document["paths"][path]["post"]
    content = operation["requestBody"] if side == "request" else operation["responses"]["200"]
    schema = content["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]}, validate_formats=True)


@cache
def theirs(registry: str, path: str, side: str) -> jsonschema_rs.Draft202012Validator:
    document = published(need_shared("standards/dci"), registry)
    at = f"/paths/{path.replace('/', '~1')}/post"
    where = "requestBody" if side == "request" else "responses/default"
    schema = resolved(document, f"{at}/{where}/content/application~1json/schema")
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@pytest.mark.parametrize(("registry", "path", "side"), SIDES)
def test_document_accepts_what_both_contract_and_published_file_accept(registry: str, path: str, side: str) -> None:
    examples = contracts.examples(f"dci/sync-{SYNC[path]}-{side}", "1.0.0")
    agreed = 0
    for each in (*examples, *by_type(path, side)):
        document = each.document
        expected = each.valid and theirs(registry, path, side).is_valid(document)
        assert judge(registry, path, side).is_valid(document) is expected, each.title
        agreed += expected
    assert agreed


def by_type(path: str, side: str) -> list[contracts.Example]:
    """Status messages of each transaction type: registries differ in the types that they know."""
    if path != "/registry/sync/txn/status":
        return []
    name, field = ("query", "txnstatus_request") if side == "request" else ("result", "txnstatus_response")
    whole: Any = contracts.examples(f"dci/sync-txn-status-{side}", "1.0.0")[0].document
    return [
        contracts.Example(
            each.title,
            each.valid,
            each.rule,
            each.pointer,
            {**whole, "message": {**whole["message"], field: each.document}},
        )
        for each in contracts.examples(f"dci/txn-status-{name}", "1.0.0")
    ]


def test_a_disability_registry_names_the_kind_of_its_records() -> None:
    answer: Any = contracts.examples("dci/sync-search-response", "1.0.0")[0].document
    side = ("/registry/sync/search", "response")
    bare = json.loads(json.dumps(answer))
    for each in bare["message"]["search_response"]:
        each.get("data", {}).pop("reg_record_type", None)
    assert judge("dr", *side).is_valid(answer)
    assert judge("sr", *side).is_valid(bare)
    assert not judge("dr", *side).is_valid(bare)


@pytest.mark.parametrize("registry", FILES)
def test_corrected_files_are_valid_openapi(registry: str) -> None:
    document = published(need_shared("standards/dci"), registry)
    assert list(OpenAPIV30SpecValidator(document).iter_errors()) == []


@pytest.mark.parametrize("registry", ["ibr", "sr"])
def test_published_files_have_the_faults_that_are_corrected(registry: str) -> None:
    document = published(need_shared("standards/dci"), registry, corrected=False)
    assert list(OpenAPIV30SpecValidator(document).iter_errors())


def test_every_correction_is_documented_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs/dci-corrections.md").read_text(encoding="utf-8")
    ids = [each["id"] for each in corrections()]
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == ids
    assert all(each["why"] for each in corrections())
