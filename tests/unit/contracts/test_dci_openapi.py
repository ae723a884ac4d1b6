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
from tests.support.dci_published import FILES, body_schemas, corrections, published
from tests.support.shared import need_shared

KHMER: Final = re.compile("[\u1780-\u17b3]")
SHARED: Final = {  # path -> contracts of its request and of its answer
    "/registry/sync/search": ("sync-search-request", "sync-search-response"),
    "/registry/search": ("async-search", "ack"),
    "/registry/on-search": ("async-on-search", "ack"),
    "/registry/subscribe": ("async-subscribe", "ack"),
    "/registry/on-subscribe": ("async-on-subscribe", "ack"),
    "/registry/notify": ("async-notify", "ack"),
    "/registry/unsubscribe": ("async-unsubscribe", "ack"),
    "/registry/on-unsubscribe": ("async-on-unsubscribe", "ack"),
}
STATUS: Final = {
    "/registry/sync/txn/status": ("sync-txn-status-request", "sync-txn-status-response"),
    "/registry/txn/status": ("async-txn-status", "ack"),
    "/registry/txn/on-status": ("async-txn-on-status", "ack"),
}
SERVED: Final = {
    "crvs": SHARED | STATUS,
    "dr": SHARED
    | {
        f"/registry/sync/{each}": (f"sync-{each}-request", f"sync-{each}-response")
        for each in ("disabled", "get-disability-details", "get-disability-support")
    },
    "ibr": SHARED
    | STATUS
    | {
        "/registry/sync/enrolled": ("sync-enrolled-request", "sync-enrolled-response"),
        "/registry/sync/enrollment/updates": ("sync-enrollment-updates-request", "sync-enrollment-updates-response"),
    },
    "sr": SHARED | STATUS,
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
def test_document_serves_the_paths_of_its_registry(registry: str) -> None:
    assert set(openapi.document(registry)["paths"]) == set(SERVED[registry]) | KEYS


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
    schema = body_schemas(document, path)[side == "response"]
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@pytest.mark.parametrize(("registry", "path", "side"), SIDES)
def test_document_accepts_what_both_contract_and_published_file_accept(registry: str, path: str, side: str) -> None:
    contract = SERVED[registry][path][side == "response"]
    agreed = 0
    judging = "crvs" if path == "/registry/notify" else registry  # the others list events; ours are free, as its are
    for each in (*contracts.examples(f"dci/{contract}", "1.0.0"), *by_type(contract)):
        document = each.document
        expected = each.valid and theirs(judging, path, side).is_valid(document)
        assert judge(registry, path, side).is_valid(document) is expected, each.title
        agreed += expected
    assert agreed


def by_type(contract: str) -> list[contracts.Example]:
    """Status messages of each transaction type: registries differ in the types that they know."""
    if "txn" not in contract:
        return []
    asks = contract in {"sync-txn-status-request", "async-txn-status"}
    name, field = ("query", "txnstatus_request") if asks else ("result", "txnstatus_response")
    whole: Any = contracts.examples(f"dci/{contract}", "1.0.0")[0].document
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
