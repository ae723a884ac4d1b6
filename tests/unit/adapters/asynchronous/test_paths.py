import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

import contracts
from adapters.asynchronous.subscriptions import active
from adapters.capture.config import BYTES, CHUNK
from adapters.config import Limits
from adapters.events.tables import JOB, OUTBOX
from adapters.registry.operations import OPERATIONS
from tests.support.adapters import CLIENT, NOW, expression, search_item
from tests.support.bus import FROM, OTHER, PURPOSE, REGISTRY, Adapter, Applied, make_registry, running
from tests.support.registry import make_adapter

P1 = {"type": "LOCAL_ID", "value": "p1"}
AUTHORIZE = {"ts": NOW, "purpose": PURPOSE}
ACK = "dci/ack"


def header(does: str, count: int = 1, **more: Any) -> dict[str, Any]:
    found = {
        "version": "1.0.0",
        "message_id": str(uuid.uuid4()),
        "message_ts": datetime.now(UTC).isoformat(),
        "action": does,
        "sender_id": CLIENT,
        "sender_uri": FROM.uri,
        "receiver_id": REGISTRY,
        "total_count": count,
    }
    return {name: value for name, value in (found | more).items() if value is not None}


def searching(*items: Any, **head: Any) -> dict[str, Any]:
    items = items or (search_item(P1, authorize=AUTHORIZE),)
    return {
        "header": header("search", len(items), **head),
        "message": {"transaction_id": "t-1", "search_request": list(items)},
    }


def subscription(number: str = "1", **criteria: Any) -> dict[str, Any]:
    asked = {
        "reg_event_type": "UPDATE",
        "filter": {},
        "notify_record_type": "Person",
        "authorize": AUTHORIZE,
    }
    found = {name: value for name, value in (asked | criteria).items() if value is not None}
    return {"reference_id": number, "timestamp": NOW, "subscribe_criteria": found}


def subscribing(*items: Any, **head: Any) -> dict[str, Any]:
    items = items or (subscription(),)
    return {
        "header": header("subscribe", len(items), **head),
        "message": {"transaction_id": "t-2", "subscribe_request": list(items)},
    }


def unsubscribing(*codes: str, **head: Any) -> dict[str, Any]:
    return {
        "header": header("unsubscribe", len(codes), **head),
        "message": {"transaction_id": "t-3", "timestamp": NOW, "subscription_codes": list(codes)},
    }


def status(kind: str, value: object, txn_type: str, **head: Any) -> dict[str, Any]:
    asked = {"reference_id": "s-1", "txn_type": txn_type, "attribute_type": kind, "attribute_value": value}
    return {
        "header": header("txn-status", **head),
        "message": {"transaction_id": "t-4", "txnstatus_request": asked},
    }


def element(number: int = 1, **data: Any) -> dict[str, Any]:
    told = {"reg_event_type": "UPDATE", "reg_record_type": "Person", "reg_records": {"sex": "male"}}
    return {"reference_id": f"e-{number}", "timestamp": NOW, "data": told | data}


def notifying(*items: Any, **head: Any) -> dict[str, Any]:
    items = items or (element(),)
    said = header("notify", len(items), sender_id=REGISTRY, sender_uri=None, status="succ")
    return {"header": said | head, "message": {"transaction_id": "t-5", "notify_event": list(items)}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Adapter]:
    applied = Applied()
    async with running(make_registry(tmp_path_factory.mktemp("asked")), applied) as adapter:
        yield adapter


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ack(adapter: Adapter, path: str, document: Any, client: str = CLIENT) -> tuple[int, dict[str, Any]]:
    code, answer = await adapter.post(path, document, client)
    contracts.validate(ACK, "1.0.0", answer)
    return code, answer["message"]


def counted(adapter: Adapter) -> tuple[int, int]:
    return adapter.store.read_now(
        lambda connection: (
            connection.execute(select(func.count()).select_from(JOB)).scalar_one(),
            connection.execute(select(func.count()).select_from(OUTBOX)).scalar_one(),
        )
    )


MESSAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "/registry/search": searching,
    "/registry/subscribe": subscribing,
    "/registry/unsubscribe": lambda **head: unsubscribing("s-1", **head),
    "/registry/txn/status": lambda **head: status("transaction_id", "t-1", "search", **head),
}
SPOILED = [
    ({"sender_uri": None}, 400, "ERR", "err.sender_uri.invalid"),
    ({"sender_uri": "https://nsaf.example.org/callbacks"}, 400, "ERR", "err.sender_uri.invalid"),
    ({"sender_uri": "xroad:KH-SANDBOX/GOV/NSAF"}, 400, "ERR", "err.sender_uri.invalid"),
    ({"sender_uri": f"xroad:{OTHER}/person"}, 400, "ERR", "err.sender_uri.invalid"),
    ({"receiver_id": OTHER}, 400, "ERR", "err.receiver_id.invalid"),
    ({"sender_id": None}, 400, "ERR", "err.sender_id.invalid"),
    ({"message_id": None}, 400, "ERR", "err.request.bad"),
    ({"version": "9"}, 200, "NACK", "rjct.version.invalid"),
    ({"action": "link"}, 200, "NACK", "rjct.action.not_supported"),
    ({"total_count": 7}, 200, "NACK", "rjct.total_count.invalid"),
    ({"message_ts": "2020-01-01T00:00:00Z"}, 200, "NACK", "rjct.message_ts.invalid"),
    ({"message_ts": "yesterday"}, 200, "NACK", "rjct.message_ts.invalid"),
]


@pytest.mark.parametrize("path", MESSAGES)
@pytest.mark.parametrize(("head", "code", "word", "reason"), SPOILED)
async def test_what_is_wrong_with_a_message_is_said_at_once(
    asked: Adapter, path: str, head: dict[str, Any], code: int, word: str, reason: str
) -> None:
    before = counted(asked)
    said = await ack(asked, path, MESSAGES[path](**head))
    assert (said[0], said[1]["ack_status"], said[1]["error"]["code"]) == (code, word, reason)
    assert counted(asked) == before


@pytest.mark.parametrize("path", MESSAGES)
async def test_no_message_is_an_error_of_http(asked: Adapter, path: str) -> None:
    for body, code in ((b"{", "err.request.bad"), ({"header": {}}, "err.request.bad")):
        status_code, answer = await asked.post(path, body, CLIENT)
        assert (status_code, answer["errors"][0]["code"]) == (400, code)
    encrypted = MESSAGES[path](is_msg_encrypted=True)
    assert (await asked.post(path, encrypted, CLIENT))[1]["errors"][0]["code"] == "err.encryption.invalid"


@pytest.mark.parametrize("path", MESSAGES)
async def test_a_message_is_taken_once(asked: Adapter, path: str) -> None:
    document = MESSAGES[path]()
    first = await ack(asked, path, document)
    before = counted(asked)
    second = await ack(asked, path, document)
    assert (first[0], first[1]["ack_status"]) == (202, "ACK")
    assert (second[0], second[1]["ack_status"]) == (200, "NACK")
    assert second[1]["error"]["code"] == "rjct.message_id.duplicate"
    assert second[1]["correlation_id"] == first[1]["correlation_id"]
    assert counted(asked) == before


async def test_who_is_given_nothing_is_told_at_once(asked: Adapter) -> None:
    stranger = "KH-SANDBOX/COM/1/X"
    for path in ("/registry/search", "/registry/subscribe"):
        document = MESSAGES[path](sender_uri=f"xroad:{stranger}/x")
        code, said = await ack(asked, path, document, stranger)
        assert (code, said["ack_status"], said["error"]["code"]) == (403, "ERR", "err.request.forbidden")


def result_of(adapter: Adapter, contract: str) -> dict[str, Any]:
    document = adapter.waiting()[-1]
    contracts.validate(contract, "1.0.0", document)
    found: dict[str, Any] = document["message"]
    return found


WINDOW = {"start_time": NOW, "end_time": "2027-11-22T09:00:00+07:00", "frequency": "0 0 6 * * ?"}
LATE = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-02T00:00:00Z", "frequency": "0 6 * * *"}
LONG = WINDOW | {"end_time": "2030-01-01T00:00:00Z"}
REFUSED = [
    ({"reg_event_type": "Death"}, "rjct.notify_types.invalid"),
    ({"notify_record_type": "Group"}, "rjct.notify_types.invalid"),
    ({"reg_type": "ns:org:RegistryType:IBR"}, "rjct.notify_types.invalid"),
    ({"version": "7.0.0"}, "rjct.notify_types.invalid"),
    ({"authorize": None}, "rjct.notify_details.invalid"),
    (
        {"authorize": {"ts": NOW, "purpose": {"code": "CURIOSITY", "ref_uri": "https://x"}}},
        "rjct.notify_details.invalid",
    ),
    ({"authorize": {"ts": NOW, "purpose": {"code": "ELIGIBILITY"}}}, "rjct.notify_details.invalid"),
    ({"filter": {"a": 1}}, "rjct.notify_details.invalid"),
    ({"filter_type": "graphql", "filter": {"query": "{x}"}}, "rjct.notify_details.invalid"),
    ({"filter_type": "idtype-value", "filter": {"type": "PASSPORT", "value": "1"}}, "rjct.person_id.invalid"),
    ({"filter_type": "expression", "filter": expression({"colour": "red"})}, "rjct.notify_details.invalid"),
    ({"filter_type": "expression", "filter": expression({"sex": {"$gt": "male"}})}, "rjct.notify_details.invalid"),
    ({"filter_type": "expression", "filter": expression({"sex": "none"})}, "rjct.notify_details.invalid"),
    ({"frequency": LATE}, "rjct.notify_details.invalid"),
    ({"frequency": LONG}, "rjct.notify_details.invalid"),
    ({"frequency": WINDOW | {"frequency": "each day"}}, "rjct.notify_details.invalid"),
    ({"frequency": WINDOW | {"frequency": "0 0 30 2 *"}}, "rjct.notify_details.invalid"),
    ({"frequency": {"start_time": NOW}}, "rjct.notify_details.invalid"),
    ({"filter": None}, "rjct.notify_details.invalid"),
]


@pytest.mark.parametrize(("criteria", "reason"), REFUSED)
async def test_subscriptions_that_are_not_made(asked: Adapter, criteria: dict[str, Any], reason: str) -> None:
    code, said = await ack(asked, "/registry/subscribe", subscribing(subscription(**criteria)))
    assert (code, said["ack_status"]) == (202, "ACK")
    [result] = result_of(asked, "dci/async-on-subscribe")["subscribe_response"]
    assert (result["status"], result["status_reason_code"]) == ("rjct", reason)
    assert "subscriptions" not in result


FILTERS = [
    {"filter_type": "idtype-value", "filter": {"type": "SPID", "value": "c3"}},
    {"filter_type": "expression", "filter": expression({"age": {"$gt": 30}, "sex": "female"})},
    {"filter_type": "predicate", "filter": [{"seq_num": 1, "expression1": {
        "attribute_name": "age", "operator": "gt", "attribute_value": 30}}]},
    {"frequency": WINDOW, "filter_type": "idtype-value", "filter": {"type": "SPID", "value": "daily"}},
    {"reg_event_type": "ns:org:EventType:REGISTER", "reg_type": "ns:org:RegistryType:Social", "version": "1.0.0"},
]  # fmt: skip


@pytest.mark.parametrize("criteria", FILTERS)
async def test_subscriptions_that_are_made(asked: Adapter, criteria: dict[str, Any]) -> None:
    _code, said = await ack(
        asked, "/registry/subscribe", subscribing(subscription("a", **criteria) | {"locale": "khm"})
    )
    answer = result_of(asked, "dci/async-on-subscribe")
    assert answer["correlation_id"] == said["correlation_id"]
    assert answer["transaction_id"] == "t-2"
    [result] = answer["subscribe_response"]
    [told] = result["subscriptions"]
    assert (result["reference_id"], result["status"], told["status"]) == ("a", "succ", "subscribe")
    assert told["filter"] == criteria.get("filter", {})
    code = told["code"]
    found = asked.store.read_now(lambda connection: active(connection, asked.store.key, "person", datetime.now(UTC)))
    [made] = [each for each in found if each.code == code]
    assert (made.client, made.callback, made.purpose, made.locale) == (CLIENT, FROM, "ELIGIBILITY", "khm")
    assert made.frequency == criteria.get("frequency", {}).get("frequency")
    assert timedelta(days=300) < made.ends - made.starts <= timedelta(days=366)


async def test_the_same_again_is_one_too_many_unless_it_renews(asked: Adapter) -> None:
    wanted: dict[str, Any] = {"filter_type": "idtype-value", "filter": {"type": "SPID", "value": "c1"}}
    soon = datetime.now(UTC) + timedelta(days=30)
    short = {"start_time": NOW, "end_time": soon.isoformat(), "frequency": "* * * * * ?"}
    both = subscription("a", **wanted, frequency=short), subscription("b", **wanted, frequency=short)
    await ack(asked, "/registry/subscribe", subscribing(*both))
    first, second = result_of(asked, "dci/async-on-subscribe")["subscribe_response"]
    assert first["status"] == "succ"
    assert second["status_reason_code"] == "rjct.event.already_subscribed"
    await ack(asked, "/registry/subscribe", subscribing(subscription("c", **wanted)))
    [renewed] = result_of(asked, "dci/async-on-subscribe")["subscribe_response"]
    assert renewed["status"] == "succ"
    found = asked.store.read_now(lambda connection: active(connection, asked.store.key, "person", datetime.now(UTC)))
    codes = [each.code for each in found]
    assert first["subscriptions"][0]["code"] not in codes
    assert renewed["subscriptions"][0]["code"] in codes


async def test_a_reference_stands_once_in_a_message(asked: Adapter) -> None:
    items = [subscription("a", filter_type="idtype-value", filter={"type": "SPID", "value": each}) for each in "xy"]
    await ack(asked, "/registry/subscribe", subscribing(*items))
    results = result_of(asked, "dci/async-on-subscribe")["subscribe_response"]
    assert [each.get("status_reason_code") for each in results] == [None, "rjct.reference_id.duplicate"]


async def test_codes_are_ended_by_their_own_client_once(asked: Adapter) -> None:
    wanted: dict[str, Any] = {"filter_type": "idtype-value", "filter": {"type": "SPID", "value": "c9"}}
    await ack(asked, "/registry/subscribe", subscribing(subscription(**wanted)))
    [result] = result_of(asked, "dci/async-on-subscribe")["subscribe_response"]
    code = result["subscriptions"][0]["code"]
    theirs = unsubscribing(code, sender_id=OTHER, sender_uri=f"xroad:{OTHER}/x")
    for document, client, expected in (
        (theirs, OTHER, ("rjct", "rjct.subscription_code.invalid", 0)),
        (unsubscribing(code, "unknown"), CLIENT, ("succ", None, 1)),
        (unsubscribing(code), CLIENT, ("rjct", "rjct.event.already_unsubscribed", 1)),
    ):
        assert (await ack(asked, "/registry/unsubscribe", document, client))[0] == 202
        told = result_of(asked, "dci/async-on-unsubscribe")
        found = (told["status"], told.get("status_reason_code"), len(told["subscription_status"]))
        assert found == expected


async def test_what_became_of_messages(asked: Adapter) -> None:
    search = searching()
    search["message"]["transaction_id"] = "t-status"
    _code, said = await ack(asked, "/registry/search", search)
    wanted: dict[str, Any] = {"filter_type": "idtype-value", "filter": {"type": "SPID", "value": "c7"}}
    await ack(asked, "/registry/subscribe", subscribing(subscription("sub-7", **wanted)))
    code = result_of(asked, "dci/async-on-subscribe")["subscribe_response"][0]["subscriptions"][0]["code"]
    await ack(asked, "/registry/notify", notifying(element(70)), REGISTRY)
    for kind, value, txn_type, part, expected in (
        ("correlation_id", said["correlation_id"], "search", "search_response", ["pdng"]),
        ("reference_id_list", ["sub-7"], "subscribe", "subscribe_response", ["succ"]),
        ("subscription_code_list", [code], "subscribe", "subscribe_response", ["succ"]),
        ("transaction_id", "t-none", "subscribe", "subscribe_response", ["rjct"]),
    ):
        document = status(kind, value, txn_type)
        assert (await ack(asked, "/registry/txn/status", document))[0] == 202
        later = result_of(asked, "dci/async-txn-on-status")["txnstatus_response"]
        document["header"]["message_id"] += "s"
        sync_code, answer = await asked.post("/registry/sync/txn/status", document, CLIENT)
        assert sync_code == 200
        contracts.validate("dci/sync-txn-status-response", "1.0.0", answer)
        for found in (later, answer["message"]["txnstatus_response"]):
            assert [each["status"] for each in found["txn_status"][part]] == expected
    receipt = status("reference_id_list", ["e-70"], "receipt", sender_id=REGISTRY)
    _code, answer = await asked.post("/registry/sync/txn/status", receipt, REGISTRY)
    results = answer["message"]["txnstatus_response"]["txn_status"]["receipt_information"]["results"]
    assert [(each["reference_id"], each["status"]) for each in results] == [("e-70", "succ")]
    await asked.jobs()
    _code, answer = await asked.post(
        "/registry/sync/txn/status", status("correlation_id", said["correlation_id"], "search"), CLIENT
    )
    found = answer["message"]["txnstatus_response"]["txn_status"]["search_response"]
    assert [each["status"] for each in found] == ["succ"]


async def test_codes_of_no_subscription_are_a_bad_question(asked: Adapter) -> None:
    for txn_type in ("search", "receipt"):
        document = status("subscription_code_list", ["x"], txn_type)
        code, said = await ack(asked, "/registry/txn/status", document)
        assert (code, said["ack_status"], said["error"]["code"]) == (400, "ERR", "err.request.bad")


async def test_notifications_are_taken_from_whom_the_writer_names(asked: Adapter) -> None:
    document = notifying()
    code, said = await ack(asked, "/registry/notify", document)  # the registry is named, this client is not
    assert (code, said["error"]["code"]) == (403, "err.request.forbidden")
    bad = element(3) | {"timestamp": "today"}
    items = element(1), bad, element(2, reg_event_type="REMOVE"), element(4, changes=[{"field": "sex"}])
    document = notifying(*items)
    code, said = await ack(asked, "/registry/notify", document, REGISTRY)
    assert (code, said["ack_status"]) == (200, "ACK")
    assert [(each["reference_id"], each["status"]) for each in said["results"]] == [
        ("e-1", "succ"), ("e-3", "rjct"), ("e-2", "rjct"), ("e-4", "rjct")
    ]  # fmt: skip
    code, said = await ack(asked, "/registry/notify", document, REGISTRY)
    assert (code, said["error"]["code"]) == (200, "rjct.message_id.duplicate")


async def test_a_chunk_of_a_first_load_is_taken_with_the_limits_that_an_adapter_has_by_itself(asked: Adapter) -> None:
    """As large as the publisher makes it; a search of that size is refused as before."""
    assert Limits().events >= CHUNK
    assert Limits().event_bytes > BYTES
    items = [element(1000 + number, padding="x" * (BYTES // CHUNK - 300)) for number in range(CHUNK)]
    document = notifying(*items)
    assert Limits().body_bytes < len(json.dumps(document)) < Limits().event_bytes
    code, said = await ack(asked, "/registry/notify", document, REGISTRY)
    assert (code, said["ack_status"], len(said["results"])) == (200, "ACK", CHUNK)
    assert (await asked.post("/registry/search", document, CLIENT))[0] == 413


async def test_answers_that_nobody_asked_for_are_refused(asked: Adapter) -> None:
    head = header("on-search", sender_id=OTHER, receiver_id=REGISTRY, sender_uri=None, status="succ")
    body = {"transaction_id": "t-1", "correlation_id": "c-1", "search_response": []}
    code, said = await ack(asked, "/registry/on-search", {"header": head, "message": body}, OTHER)
    assert (code, said["error"]["code"]) == (403, "err.request.forbidden")


@pytest.mark.parametrize("reg_type", OPERATIONS)
async def test_each_registry_type_has_its_paths(tmp_path: Path, reg_type: str) -> None:
    service = {"record": {"reg_type": reg_type, "type": "Person"}, "publish": {"events": {}}}
    async with running(make_registry(tmp_path, service=service), Applied()) as adapter:
        for operation in OPERATIONS[reg_type]:
            code, answer = await adapter.post(operation.path, {"header": {}, "message": {}}, CLIENT)
            assert code == 400
            assert ("errors" in answer) is not operation.is_acknowledged
        code, _answer = await adapter.post("/registry/txn/status", {"header": {}, "message": {}}, CLIENT)
        assert code == (404 if reg_type == "DR" else 400)


async def test_enrolment_updates_are_applied_and_answered_at_once(tmp_path: Path) -> None:
    service = {"record": {"reg_type": "IBR", "type": "Person"}, "publish": {"events": {}}}
    applied = Applied()
    example: Any = contracts.examples("dci/beneficiary", "1.0.0")[0].document
    head = header("notify", 2, sender_id=REGISTRY, receiver_id=None, sender_uri=None, status="succ")
    body = {"transaction_id": "t-1", "enrolled_updates": {"beneficiaries": [example, {"assistance_unit": 1}]}}
    async with running(make_registry(tmp_path, service=service), applied) as adapter:
        path, document = "/registry/sync/enrollment/updates", {"header": head, "message": body}
        code, answer = await adapter.post(path, document, CLIENT)
        assert (code, answer["errors"][0]["code"]) == (403, "err.request.forbidden")
        code, answer = await adapter.post(path, document, REGISTRY)
        assert code == 200
        contracts.validate("dci/sync-enrollment-updates-response", "1.0.0", answer)
        found = answer["message"]["enrolled_response"]
        assert [(each["reference_id"], each["status"]) for each in found] == [("#1", "succ"), ("#2", "rjct")]
        code, answer = await adapter.post(path, document, REGISTRY)
        assert answer["header"]["status_reason_code"] == "rjct.message_id.duplicate"
    [event] = applied.events
    assert (event.record, event.record_type) == (example, "Beneficiary")


async def test_without_a_database_of_events_there_are_no_such_paths(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as adapter:
        for operation in OPERATIONS["Social"]:
            code, _answer = await adapter.post(operation.path, {}, CLIENT)
            assert code == (404 if operation.needs_events else 400)


async def test_the_document_announces_what_is_served(asked: Adapter) -> None:
    async with asked.session.get(f"{asked.url}/person/openapi/sr.json") as response:
        document = await response.json()
    served = {each.path for each in OPERATIONS["Social"]}
    assert served <= set(document["paths"])
