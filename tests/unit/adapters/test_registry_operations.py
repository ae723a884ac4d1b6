import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

import contracts
from adapters.registry.operations import OPERATIONS
from tests.support.adapters import CLIENT, NOW, mapping_data, search_item, search_message, write_yaml
from tests.support.registry import RELEASE, RULE, SERVICE, Caller, make_adapter, running

P1 = {"type": "LOCAL_ID", "value": "p1"}
STATUS = "/registry/sync/txn/status"
ENROLLED = "/registry/sync/enrolled"
DISABLED = "/registry/sync/disabled"
SUPPORT = "/registry/sync/get-disability-support"
DETAILS = "/registry/sync/get-disability-details"
OTHER = "KH-SANDBOX/GOV/NSSF/MEMBERS"


def of_type(reg_type: str, *fields: str, **more: Any) -> dict[str, Any]:
    """Return what makes the little registry one of another type, and lets it answer yes or no."""
    service = SERVICE | {"record": {"reg_type": reg_type, "type": "Person"}} | more
    rule = RULE | {"fields": [*RULE["fields"], *fields]}
    return {"service": service, "release": RELEASE | {"give": [rule, rule | {"to": [OTHER]}]}}


def status_message(kind: str, value: object, *, number: str = "1", txn_type: str = "search") -> dict[str, Any]:
    request = {"reference_id": "s-1", "txn_type": txn_type, "attribute_type": kind, "attribute_value": value}
    head = search_message(message_id=f"status-{number}", action="txn-status", total_count=1)["header"]
    return {"header": head, "message": {"transaction_id": "t-9", "txnstatus_request": request}}


def criteria_message(part: str, query: object, query_type: str = "idtype-value", **more: Any) -> dict[str, Any]:
    message = search_message(total_count=1)
    return {
        "header": message["header"],
        "message": {"transaction_id": "t-1", part: {"query_type": query_type, "query": query} | more},
    }


def headers(client: str = CLIENT) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Road-Client": client}


async def statuses(caller: Caller, message: dict[str, Any], client: str = CLIENT) -> list[dict[str, Any]]:
    status, answer = await caller.post(message, headers=headers(client), path=STATUS)
    assert status == 200, answer
    contracts.validate("dci/sync-txn-status-response", "1.0.0", answer)
    assert answer["header"]["action"] == "txn-on-status"
    found: list[dict[str, Any]] = answer["message"]["txnstatus_response"]["txn_status"]["search_response"]
    return found


async def test_what_became_of_a_message(tmp_path: Path) -> None:
    items = [search_item(P1), search_item({"type": "PASSPORT", "value": "x"}) | {"reference_id": "r-2"}]
    path = make_adapter(tmp_path)
    async with running(path) as caller:
        _status, answer = await caller.post(search_message(*items))
    correlation = answer["message"]["correlation_id"]
    async with running(path) as caller:
        for kind, value in (("transaction_id", "t-1"), ("correlation_id", correlation)):
            found = await statuses(caller, status_message(kind, value, number=kind))
            assert [(each["reference_id"], each["status"]) for each in found] == [("r-1", "succ"), ("r-2", "rjct")]
            assert found[0]["pagination"]["total_count"] == 1
            assert found[1]["status_reason_code"] == "rjct.search_criteria.invalid"
            assert all("data" not in each for each in found)
        found = await statuses(caller, status_message("reference_id_list", ["r-2", "r-7"]))
        assert [(each["reference_id"], each["status"]) for each in found] == [("r-2", "rjct"), ("r-7", "rjct")]
        assert found[1]["status_reason_code"] == "rjct.reference_id.invalid"
        for client, value in ((OTHER, "t-1"), (CLIENT, "t-2")):
            [unknown] = await statuses(caller, status_message("transaction_id", value), client)
            assert (unknown["reference_id"], unknown["status"]) == ("s-1", "rjct")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (status_message("subscription_code_list", ["x"], txn_type="subscribe"), "err.request.bad"),
        (status_message("transaction_id", ["t-1"]), "err.request.bad"),
        (status_message("transaction_id", "t" * 100), "err.request.bad"),
        (status_message("colour", "t-1"), "err.request.bad"),
    ],
)
async def test_questions_about_messages_that_are_none(tmp_path: Path, message: dict[str, Any], code: str) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(message, path=STATUS)
    assert (status, answer["errors"][0]["code"]) == (400, code)


async def test_a_message_is_answered_once_for_each_client(tmp_path: Path) -> None:
    message = search_message(search_item(P1), message_id="once")
    both = RELEASE | {"give": [RULE, RULE | {"to": [OTHER]}]}
    async with running(make_adapter(tmp_path, release=both)) as caller:
        assert (await caller.post(message))[1]["header"]["status"] == "succ"
        _status, answer = await caller.post(message)
        assert answer["header"]["status_reason_code"] == "rjct.message_id.duplicate"
        assert (await caller.post(message, headers=headers(OTHER)))[1]["header"]["status"] == "succ"


async def test_of_copies_sent_at_once_one_is_answered(tmp_path: Path) -> None:
    message = search_message(search_item(P1), message_id="once")
    async with running(make_adapter(tmp_path)) as caller:
        answers = await asyncio.gather(*(caller.post(message) for _ in range(8)))
    found = sorted(answer["header"].get("status_reason_code", "") for _status, answer in answers)
    assert found == [""] + ["rjct.message_id.duplicate"] * 7


@pytest.mark.parametrize(
    ("query", "query_type", "found"),
    [
        (P1, "idtype-value", "yes"),
        ({"type": "LOCAL_ID", "value": "nobody"}, "idtype-value", "no"),
        ({"type": "LOCAL_ID", "value": "p2"}, "idtype-value", "no"),
        ({"type": "expression", "value": {"expression": {"query": {"LOCAL_ID": {"eq": "p1"}}}}}, "expression", "yes"),
        ({"LOCAL_ID": {"eq": "p1"}, "sex": {"$in": ["male"]}}, "expression", "yes"),
    ],
)
async def test_is_somebody_enrolled(tmp_path: Path, query: object, query_type: str, found: str) -> None:
    path = make_adapter(tmp_path, **of_type("IBR", "enrolled_status", yes_when={"sex": ["male"]}))
    async with running(path) as caller:
        status, answer = await caller.post(criteria_message("enrolled_criteria", query, query_type), path=ENROLLED)
    assert status == 200
    contracts.validate("dci/sync-enrolled-response", "1.0.0", answer)
    [result] = answer["message"]["enrolled_response"]
    assert (result["reference_id"], result["status"], result["enrolled_status"]) == ("m-1", "succ", found)
    assert "Dara" not in str(answer)
    assert answer["header"]["meta"]["release"][0]["given"] == ["enrolled_status"]


async def test_yes_or_no_is_given_to_whom_it_is_declared_for(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path, **of_type("IBR"))) as caller:
        _status, answer = await caller.post(criteria_message("enrolled_criteria", P1), path=ENROLLED)
    contracts.validate("dci/sync-enrolled-response", "1.0.0", answer)
    assert "message" not in answer
    assert answer["header"]["status"] == "rjct"
    assert "rjct.search_criteria.invalid" in answer["header"]["status_reason_message"]


async def test_who_gets_yes_or_no_gets_no_record(tmp_path: Path) -> None:
    only = RELEASE | {"give": [RULE | {"fields": ["enrolled_status"]}]}
    async with running(make_adapter(tmp_path, **of_type("IBR") | {"release": only})) as caller:
        [result] = await caller.results(search_message(search_item(P1)))
        assert result["status_reason_code"] == "rjct.search_criteria.invalid"
        _status, answer = await caller.post(criteria_message("enrolled_criteria", P1), path=ENROLLED)
    assert answer["message"]["enrolled_response"][0]["enrolled_status"] == "yes"


ASSESSMENT = mapping_data(
    [
        {
            "to": "personal_details.member_identifier",
            "append_when": "id",
            "rules": [{"to": "identifier_type", "constant": "LOCAL_ID"}, {"to": "identifier_value", "from": "id"}],
        },
        {"to": "personal_details.demographic_info.name.given_name_latin", "from": "name"},
        {"to": "personal_details.demographic_info.sex", "from": "sex", "transform": [{"sex_code": "sex"}]},
        {"to": "disability_status", "constant": "0"},
        {"to": "disability_status_level", "constant": "2"},
        {
            "to": "disability_support",
            "append_when": "dob",
            "rules": [{"to": "registration_date", "from": "dob", "transform": [{"date": {"format": "iso"}}]}],
        },
    ],
    code_lists={"sex": {"M": "male", "F": "female"}},
    ignored=[{"path": path, "reason": "Not of this service."} for path in ("home.code", "cards")],
    target={"contract": "cambodia/disability-assessment", "version": "1.0.0"},
)


async def test_what_a_disability_registry_answers(tmp_path: Path) -> None:
    fields = ["personal_details.demographic_info.name", "disability_status", "disability_support", "disabled_status"]
    service = SERVICE | {"record": {"reg_type": "DR", "type": "DisabilityAssessment"}}
    path = make_adapter(tmp_path, service=service, release=RELEASE | {"give": [RULE | {"fields": fields}]})
    write_yaml(tmp_path / "mapping.yaml", ASSESSMENT)
    answers = {}
    async with running(path) as caller:
        for place in (DISABLED, SUPPORT, DETAILS):
            _status, answers[place] = await caller.post(criteria_message("disabled_criteria", P1), path=place)
            contracts.validate(f"dci/sync-{place.rpartition('/')[2]}-response", "1.0.0", answers[place])
        assert (await caller.post(status_message("transaction_id", "t-1"), path=STATUS))[0] == 404
    assert answers[DISABLED]["message"]["disabled_response"][0]["disabled_status"] == "yes"
    support = [{"registration_date": "1980-05-20T00:00:00+07:00"}]
    [result] = answers[SUPPORT]["message"]["search_response"]
    assert result["data"]["reg_records"] == support
    [result] = answers[DETAILS]["message"]["search_response"]
    assert result["data"]["reg_records"] == [
        {
            "personal_details": {"demographic_info": {"name": {"given_name_latin": "Dara"}}},
            "disability_status": "0",
            "disability_support": support,
        }
    ]


async def test_criteria_that_a_schema_lets_pass(tmp_path: Path) -> None:
    path = make_adapter(tmp_path, **of_type("IBR", "enrolled_status"))
    odd: list[tuple[object, str]] = [({"a": 1}, "graphql"), ({"a": 1}, "predicate"), ([], "predicate")]
    async with running(path) as caller:
        for number, (query, query_type) in enumerate(odd):
            message = criteria_message("enrolled_criteria", query, query_type, consent=5, authorize=[NOW])
            message["header"]["message_id"] = f"odd-{number}"
            status, answer = await caller.post(message, path=ENROLLED)
            assert status in {200, 400}
            assert "enrolled_status" not in str(answer)


@pytest.mark.parametrize("reg_type", OPERATIONS)
def test_every_operation_has_its_contracts(reg_type: str) -> None:
    for operation in OPERATIONS[reg_type]:
        contracts.schema(operation.message, "1.0.0")
        contracts.schema(operation.answer, "1.0.0")


async def test_a_record_is_given_in_the_version_that_is_asked_for(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        [result] = await caller.results(search_message(search_item(P1, version="1.0.0")))
        assert result["data"]["version"] == "1.0.0"
        [result] = await caller.results(search_message(search_item(P1, version="7.0.0")))
    assert result["status_reason_message"] == "records are given in version 1.0.0"


async def test_the_openapi_document_of_each_type_says_where_the_service_is(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path, **of_type("DR"))) as caller:
        for path in ("/openapi/dr.json", "/person/openapi/dr.json"):
            async with caller.session.get(caller.url + path) as response:
                document = await response.json()
            base = urljoin(caller.url + path, f"{document['servers'][0]['url']}/")
            assert base == f"{caller.url}/person/"
            announced = {each.path for each in OPERATIONS["DR"]} & set(document["paths"])
            assert announced == {each.path for each in OPERATIONS["DR"] if not each.needs_events}
        async with caller.session.get(f"{caller.url}/openapi/sr.json") as response:
            assert response.status == 404
