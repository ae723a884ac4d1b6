import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import contracts
from adapters.config import load_config
from tests.support.adapters import CLIENT, expression, mapping_data, search_item, search_message, write_yaml
from tests.support.registry import RELEASE, RULE, SEARCH, SOURCE, make_adapter, running

P1 = {"type": "LOCAL_ID", "value": "p1"}
HEADERS = {"Content-Type": "application/json", "X-Road-Client": CLIENT}
SECRET = "SENSITIVE-VALUE"


def error_code(answer: Any) -> str:
    contracts.validate("dci/http-error", "1.0.0", answer)
    return str(answer["errors"][0]["code"])


async def test_an_answer_is_a_dci_envelope_in_the_standard(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(search_message(search_item(P1) | {"locale": "khm"}))
    assert status == 200
    contracts.validate("dci/sync-search-response", "1.0.0", answer)
    header, message = answer["header"], answer["message"]
    assert (header["message_id"], header["action"], header["status"]) == ("m-1", "on-search", "succ")
    assert (header["sender_id"], header["receiver_id"]) == ("people-registry", CLIENT)
    assert message["transaction_id"] == "t-1"
    [result] = message["search_response"]
    assert (result["reference_id"], result["status"], result["locale"]) == ("r-1", "succ", "khm")
    assert result["pagination"] == {"page_size": 100, "page_number": 1, "total_count": 1}
    [record] = result["data"]["reg_records"]
    contracts.validate("cambodia/person", "1.0.0", record)
    assert record["birth_date"] == "1980-05-20T00:00:00+07:00"


@pytest.mark.parametrize(
    ("item", "ids"),
    [
        (search_item(P1), ["p1"]),
        (search_item({"type": "SPID", "value": "c3"}), ["p3"]),
        (search_item({"type": "SPID", "value": "nobody"}), []),
        (search_item(expression({"LOCAL_ID": {"$in": ["p1", "p2"]}, "sex": "female"}), "expression"), ["p2"]),
        (
            search_item(
                [
                    {
                        "expression1": {
                            "attribute_name": "birth_date",
                            "operator": "ge",
                            "attribute_value": "1985-01-01",
                        },
                        "condition": "not",
                        "expression2": {"attribute_name": "sex", "operator": "eq", "attribute_value": "male"},
                    }
                ],
                "predicate",
            ),
            ["p3"],
        ),
        (
            search_item(
                expression({"birth_date": {"$gte": "1900-01-01"}}),
                "expression",
                sort=[
                    {"attribute_name": "age", "sort_order": "desc"},
                    {"attribute_name": "LOCAL_ID", "sort_order": "desc"},
                ],
                pagination={"page_size": 2, "page_number": 1},
            ),
            ["p1", "p4"],
        ),
        (search_item(P1, reg_type="ns:org:RegistryType:Social", reg_record_type="spdci:Person"), ["p1"]),
    ],
)
async def test_three_query_languages(tmp_path: Path, item: dict[str, Any], ids: list[str]) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        [result] = await caller.results(search_message(item))
    assert result["status"] == "succ", result
    assert [each["identifier"][0]["identifier_value"] for each in result["data"]["reg_records"]] == ids


def without(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (without(search_item(P1), "reference_id"), "rjct.reference_id.invalid"),
        (search_item(P1) | {"reference_id": "r" * 100}, "rjct.reference_id.invalid"),
        (search_item(P1) | {"reference_id": 5}, "rjct.reference_id.invalid"),
        (without(search_item(P1), "timestamp"), "rjct.timestamp.invalid"),
        (search_item(P1) | {"timestamp": "2026-11-22T09:00:00"}, "rjct.timestamp.invalid"),
        (search_item(P1) | {"locale": "km"}, "rjct.search_criteria.invalid"),
        ("text", "rjct.search_criteria.invalid"),
        (search_item(P1, "graphql"), "rjct.search_criteria.invalid"),
        (search_item({"type": "LOCAL_ID"}), "rjct.search_criteria.invalid"),
        (search_item({"type": "LOCAL_ID", "value": {"a": 1}}), "rjct.search_criteria.invalid"),
        (search_item({"type": "PASSWORD", "value": "x"}), "rjct.search_criteria.invalid"),
        (search_item(P1, reg_type="Civil"), "rjct.search_criteria.invalid"),
        (search_item(P1, reg_record_type="Farmer"), "rjct.search_criteria.invalid"),
        (search_item(P1, response_entity="Group"), "rjct.search_criteria.invalid"),
        (search_item(P1, version="2.0.0"), "rjct.search_criteria.invalid"),
        (search_item(P1, sort=[{"attribute_name": "sex"}]), "rjct.sort.invalid"),
        (search_item(P1, sort=[{"attribute_name": "age", "sort_order": "up"}]), "rjct.sort.invalid"),
        (search_item(P1, sort="age"), "rjct.sort.invalid"),
        (search_item(P1, pagination={"page_size": 0}), "rjct.pagination.invalid"),
        (search_item(P1, pagination={"page_size": 101}), "rjct.pagination.invalid"),
        (search_item(P1, pagination={"page_number": 1}), "rjct.pagination.invalid"),
        (search_item(expression({"age": 36}), "expression"), "rjct.search.too_many_records_found"),
        (search_item(expression({"$where": "1"}), "expression"), "rjct.search_criteria.invalid"),
        (search_item(P1, consent={"ts": "yesterday"}), "rjct.search_criteria.invalid"),
    ],
)
async def test_a_bad_search_is_rejected_with_dcis_reason(tmp_path: Path, item: object, reason: str) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(search_message(item))
    assert status == 200
    contracts.validate("dci/sync-search-response", "1.0.0", answer)
    [result] = answer["message"]["search_response"]
    assert (result["status"], result["status_reason_code"]) == ("rjct", reason)
    assert answer["header"]["status"] == "rjct"


async def test_who_asks_in_khmer_reads_khmer(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        [result] = await caller.results(search_message(search_item(P1, sort=[{"a": 1}]) | {"locale": "khm"}))
        [other] = await caller.results(search_message(search_item(P1) | {"locale": "Khmer"}))
    assert result["locale"] == "khm"
    assert result["status_reason_message"].startswith("ការតម្រៀបមិនត្រឹមត្រូវ — ")
    assert (other["status"], "locale" in other) == ("rjct", False)


async def test_one_bad_search_does_not_spoil_the_others(tmp_path: Path) -> None:
    items = [search_item(P1), search_item(P1), search_item(P1) | {"reference_id": "r-2"}, {"reference_id": "r-3"}]
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(search_message(*items))
    assert status == 200
    results = answer["message"]["search_response"]
    assert [each["status"] for each in results] == ["succ", "rjct", "succ", "rjct"]
    assert results[1]["status_reason_code"] == "rjct.reference_id.duplicate"
    assert answer["header"]["status"] == "succ"
    assert answer["header"]["total_count"] == 4


GOOD = search_message(search_item(P1))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"version": "2.0.0"}, "rjct.version.invalid"),
        ({"version": 1}, "rjct.version.invalid"),
        ({"message_ts": "2026-11-22T09:00:00"}, "rjct.message_ts.invalid"),
        ({"message_ts": None}, "rjct.message_ts.invalid"),
        ({"action": "subscribe"}, "rjct.action.not_supported"),
        ({"action": 5}, "rjct.action.invalid"),
        ({"total_count": 2}, "rjct.total_count.invalid"),
        ({"total_count": "1"}, "rjct.total_count.invalid"),
    ],
)
async def test_a_bad_header_rejects_the_message(tmp_path: Path, header: dict[str, Any], reason: str) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(search_message(search_item(P1), **header))
    assert status == 200
    contracts.validate("dci/sync-search-response", "1.0.0", answer)
    assert "message" not in answer
    assert (answer["header"]["status"], answer["header"]["status_reason_code"]) == ("rjct", reason)
    assert answer["header"]["message_id"] == "m-1"


@pytest.mark.parametrize(
    ("name", "reason"), [("message_ts", "message_ts"), ("action", "action"), ("total_count", "total_count")]
)
async def test_a_header_field_that_is_missing(tmp_path: Path, name: str, reason: str) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        _status, answer = await caller.post(GOOD | {"header": without(GOOD["header"], name)})
    assert answer["header"]["status_reason_code"] == f"rjct.{reason}.invalid"


@pytest.mark.parametrize(("days", "status"), [(-30, "rjct"), (-29, "succ"), (0, "succ"), (1, "rjct")])
async def test_a_message_is_no_older_than_what_is_remembered_of_messages(
    tmp_path: Path, days: int, status: str
) -> None:
    """A copy of a message that was answered and forgotten would be answered again."""
    sent = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    async with running(make_adapter(tmp_path)) as caller:
        _status, answer = await caller.post(search_message(search_item(P1), message_ts=sent))
    assert answer["header"]["status"] == status
    if status == "rjct":
        assert answer["header"]["status_reason_code"] == "rjct.message_ts.invalid"


async def test_too_many_searches(tmp_path: Path) -> None:
    items = [search_item(P1) | {"reference_id": str(number)} for number in range(3)]
    async with running(make_adapter(tmp_path, limits={"items": 2})) as caller:
        _status, answer = await caller.post(search_message(*items))
    assert answer["header"]["status_reason_code"] == "rjct.total_count.limit_exceeded"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "err.request.bad"),
        (b"{", 400, "err.request.bad"),
        (b"[]", 400, "err.request.bad"),
        (b"\xff", 400, "err.request.bad"),
        (b"[" * 50_000, 400, "err.request.bad"),
        (b'{"header": 1, "header": 2}', 400, "err.request.bad"),
        ({"header": {}}, 400, "err.request.bad"),
        ({"header": {}, "message": {}}, 400, "err.request.bad"),
        ({"header": [], "message": {}}, 400, "err.request.bad"),
        (GOOD | {"header": GOOD["header"] | {"message_id": "m" * 100}}, 400, "err.request.bad"),
        (GOOD | {"header": GOOD["header"] | {"message_id": 5}}, 400, "err.request.bad"),
        (GOOD | {"header": without(GOOD["header"], "sender_id")}, 400, "err.sender_id.invalid"),
        (GOOD | {"header": GOOD["header"] | {"sender_uri": "nowhere"}}, 400, "err.sender_uri.invalid"),
        (GOOD | {"header": GOOD["header"] | {"receiver_id": "another"}}, 400, "err.receiver_id.invalid"),
        (GOOD | {"header": GOOD["header"] | {"is_msg_encrypted": True}}, 400, "err.encryption.invalid"),
        (GOOD | {"message": {"ciphertext": "x"}}, 400, "err.encryption.invalid"),
        (GOOD | {"message": without(GOOD["message"], "transaction_id")}, 400, "err.request.bad"),
        (GOOD | {"message": GOOD["message"] | {"transaction_id": "t" * 100}}, 400, "err.request.bad"),
        (GOOD | {"message": GOOD["message"] | {"search_request": []}}, 400, "err.request.bad"),
        (GOOD | {"message": GOOD["message"] | {"search_request": {}}}, 400, "err.request.bad"),
        (b" " * 300_000, 413, "err.request.bad"),
    ],
)
async def test_what_is_no_message_is_refused(tmp_path: Path, body: object, status: int, code: str) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        found, answer = await caller.post(body)
        assert (found, error_code(answer)) == (status, code)
        assert (await caller.post(GOOD))[0] == 200


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "application/json"}, 401, "err.request.unauthorized"),
        (HEADERS | {"X-Road-Client": "nonsense"}, 401, "err.request.unauthorized"),
        (HEADERS | {"X-Road-Client": ""}, 401, "err.request.unauthorized"),
        (HEADERS | {"Content-Type": "text/xml"}, 415, "err.request.bad"),
        ({"X-Road-Client": CLIENT, "Content-Type": "application/x-www-form-urlencoded"}, 415, "err.request.bad"),
    ],
)
async def test_callers_that_no_server_named_are_refused(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        found, answer = await caller.post(GOOD, headers=headers)
    assert (found, error_code(answer)) == (status, code)


async def test_two_clients_are_none(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        headers = [("Content-Type", "application/json"), ("X-Road-Client", CLIENT), ("X-Road-Client", "A/B/C")]
        async with caller.session.post(caller.url + SEARCH, data=json.dumps(GOOD), headers=headers) as response:
            assert response.status == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", SEARCH, 405, "err.request.bad"),
        ("POST", "/person/registry/search", 404, "err.request.not_found"),
        ("POST", "/registry/sync/search", 404, "err.request.not_found"),
        ("POST", "/person/registry/sync/enrolled", 404, "err.request.not_found"),
        ("POST", "/person/registry/sync/../sync/search/", 404, "err.request.not_found"),
        ("GET", "/", 404, "err.request.not_found"),
    ],
)
async def test_other_paths_get_dcis_error(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async with (
        running(make_adapter(tmp_path)) as caller,
        caller.session.request(method, caller.url + path, headers=HEADERS, data=b"{}") as response,
    ):
        assert (response.status, error_code(await response.json())) == (status, code)
        assert ("Allow" in response.headers) is (status == 405)


async def test_health_follows_the_database(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        async with caller.session.get(f"{caller.url}/health") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        (tmp_path / "people.sqlite").write_bytes(b"gone" * 4096)
        async with caller.session.get(f"{caller.url}/health") as response:
            assert response.status == 503


async def withheld(folder: Path, change: str) -> tuple[int, Any, list[Any]]:
    """Change the registry behind the adapter's back and ask."""
    path = make_adapter(folder)
    with closing(sqlite3.connect(folder / "people.sqlite")) as database:
        database.executescript(change)
    with capture_logs() as logs:
        async with running(path) as caller:
            status, answer = await caller.post(GOOD)
            assert (await caller.post(search_message(search_item({"type": "LOCAL_ID", "value": "p3"}))))[0] == 200
    return status, answer, list(logs)


@pytest.mark.parametrize(
    ("change", "kind", "say"),
    [
        ("UPDATE person SET sex = 'X' WHERE id = 'p1'", "UnknownCodeError", "'X'"),
        ("UPDATE person SET name = NULL WHERE id = 'p1'", "RecordError", "is null"),
        (
            f"UPDATE person SET dob = '{SECRET}' WHERE id = 'p1'",  # noqa: S608  # our own words
            "RecordError",
            "rules[4]",
        ),
        ("UPDATE person SET name = 'ដារ៉ា' WHERE id = 'p1'", "ContractViolation", "/name/given_name_latin"),
        (
            f"UPDATE card SET number = '{SECRET * 10}' WHERE number = 'c1'",  # noqa: S608  # as above
            "ContractViolation",
            "maxLength",
        ),
    ],
)
async def test_what_breaks_the_standard_does_not_leave(tmp_path: Path, change: str, kind: str, say: str) -> None:
    status, answer, logs = await withheld(tmp_path, change)
    assert (status, error_code(answer)) == (500, "err.service.unavailable")
    [event] = [each for each in logs if each["event"] == "registry_answer_withheld"]
    assert event["kind"] == kind
    assert say in event["problem"]
    assert event["error_id"] in answer["errors"][0]["message"]
    assert SECRET not in json.dumps([answer, logs])


async def test_a_database_that_goes_away_is_unavailable(tmp_path: Path) -> None:
    path = make_adapter(tmp_path)
    async with running(path) as caller:
        (tmp_path / "people.sqlite").write_bytes(b"gone" * 4096)
        status, answer = await caller.post(GOOD)
    assert (status, error_code(answer)) == (503, "err.service.unavailable")


SLOW = (
    "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i AS id, i AS name FROM n;"
)


async def test_a_slow_registry_is_a_timeout_and_the_adapter_lives_on(tmp_path: Path) -> None:
    record = {"table": "slow", "key": "id", "fields": {"name": "name"}}
    attributes = {"LOCAL_ID": {"column": "id", "type": "string", "selective": True}}
    source = SOURCE | {
        "statement_timeout_ms": 100,
        "record": record,
        "queries": {"identifiers": ["LOCAL_ID"], "attributes": attributes},
    }
    release = RELEASE | {"give": [RULE | {"ask_by": ["LOCAL_ID"], "fields": ["name"]}]}
    path = make_adapter(tmp_path, extra=SLOW, source=source, release=release)
    write_yaml(tmp_path / "mapping.yaml", mapping_data([{"to": "name.given_name_latin", "from": "name"}]))
    async with running(load_config(path)) as caller:
        for _ in range(2):
            status, answer = await caller.post(GOOD)
            assert (status, error_code(answer)) == (504, "err.request.timeout")


async def test_a_body_that_never_ends_is_a_timeout(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path, limits={"request_seconds": 1})) as caller:
        host, _colon, port = caller.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {SEARCH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Road-Client: {CLIENT}\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        answer = await asyncio.wait_for(reader.readline(), 10)
        assert b" 504 " in answer
        writer.close()
        await writer.wait_closed()
        assert (await caller.post(GOOD))[0] == 200


async def test_logs_have_one_line_a_request_and_no_personal_value(tmp_path: Path) -> None:
    item = search_item({"type": "LOCAL_ID", "value": SECRET}) | {"reference_id": SECRET}
    message = search_message(item, message_id=SECRET, sender_id=SECRET)
    message["message"]["transaction_id"] = SECRET
    bad = search_message(search_item({"type": SECRET, "value": SECRET}), message_id=SECRET)
    with capture_logs() as logs:
        async with running(make_adapter(tmp_path)) as caller:
            for body in (message, bad, f'{{"{SECRET}'.encode(), {"header": {SECRET: SECRET}, "message": {}}):
                await caller.post(body, headers=HEADERS | {"X-Road-Id": f"{SECRET} \u00e9"})
            await caller.post(GOOD, headers=HEADERS | {"X-Road-Id": "4894e35d-bf0f-44a6-867a-8e51f1daa7e0"})
    lines = [each for each in logs if each["event"] == "registry_request"]
    assert len(lines) == 5
    assert SECRET not in json.dumps(logs)
    assert lines[-1]["client"] == CLIENT
    assert lines[-1]["xroad_id"] == "4894e35d-bf0f-44a6-867a-8e51f1daa7e0"
    assert lines[-1]["records"] == 1


async def test_many_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    ids = ["p1", "p2", "p3", "p4"] * 10
    async with running(make_adapter(tmp_path)) as caller:
        asked = [search_message(search_item({"type": "LOCAL_ID", "value": each})) for each in ids]
        found = await asyncio.gather(*(caller.results(each) for each in asked))
    assert [each[0]["data"]["reg_records"][0]["identifier"][0]["identifier_value"] for each in found] == ids


async def test_more_than_can_wait_are_told_to_come_back(tmp_path: Path) -> None:
    # On a busy machine those that may wait take long, and are to be answered all the same.
    path = make_adapter(tmp_path, limits={"concurrent_queries": 1, "request_seconds": 60})
    items = [search_item(P1) | {"reference_id": str(number)} for number in range(10)]
    async with running(path) as caller:
        answers = await asyncio.gather(*(caller.post(search_message(*items)) for _ in range(40)))
    codes = {status for status, _answer in answers}
    assert codes == {200, 429}
