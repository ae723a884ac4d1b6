"""What must pass: every verb, every shape of body, every kind of connection, through two real servers."""

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator, Sequence

import pytest

from securityserver.messagelog import Direction, MessageLog, StoredRecord
from tests.support.instance import BODILESS, BY_CERTIFICATE, BY_HTTPS, IDPOOR, PACKAGE, Instance
from tests.support.loglines import Lines
from xroad.rest import request_hash

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERBS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")


@pytest.mark.parametrize("verb", VERBS)
async def test_each_verb_arrives_as_it_was_sent(instance: Instance, verb: str) -> None:
    answer = await instance.ask(verb, "/a/b%2Fc?x=1&y=%C3%A9", data=None if verb == "TRACE" else b"some bytes")
    assert answer.status == 200
    assert answer.headers["X-Echo-Method"] == verb
    assert answer.headers["X-Echo-Target"] == "/base/a/b%2Fc?x=1&y=%C3%A9"
    assert answer.body == (b"" if verb == "TRACE" else b"some bytes")


async def test_head_has_no_body(instance: Instance) -> None:
    answer = await instance.ask("HEAD", "/a")
    assert (answer.status, answer.headers["X-Echo-Method"], answer.body) == (200, "HEAD", b"")


async def test_an_empty_body_is_no_body(instance: Instance) -> None:
    answer = await instance.ask("POST", "/a", data=b"")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "0"


async def test_a_chunked_body_arrives_whole(instance: Instance) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"piece "
            await asyncio.sleep(0)

    answer = await instance.ask("POST", "/a", data=pieces(), headers={"Content-Type": "text/x-odd; a=b"})
    assert answer.body == b"piece " * 5
    assert answer.headers["Content-Type"] == "text/x-odd; a=b"


async def test_a_large_body_passes_in_both_directions(instance: Instance) -> None:
    data = bytes(range(256)) * 4 * 1024 * 5
    answer = await instance.ask("POST", "/a", data=io.BytesIO(data))
    assert answer.status == 200
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(data).digest()


async def test_expect_100_continue_is_answered_here(instance: Instance) -> None:
    answer = await instance.ask("POST", "/a", data=b"expected", expect100=True)
    assert answer.body == b"expected"
    assert "expect" not in {name.lower() for name, _ in instance.backend.calls[0].headers}


@pytest.mark.parametrize("status", [201, 404, 500, 503])
async def test_a_service_keeps_its_own_status(instance: Instance, status: int) -> None:
    answer = await instance.ask("GET", f"/status/{status}")
    assert (answer.status, answer.body) == (status, b"as asked")
    assert "X-Road-Error" not in answer.headers


async def test_no_content_stays_no_content(instance: Instance) -> None:
    answer = await instance.ask("DELETE", "/empty")
    assert (answer.status, answer.body) == (204, b"")


async def test_redirects_are_passed_on_and_not_followed(instance: Instance) -> None:
    answer = await instance.ask("GET", "/redirect")
    assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")


async def test_no_media_type_is_made_up(instance: Instance) -> None:
    answer = await instance.ask("GET", "/untyped")
    assert (answer.status, answer.body) == (200, b"ok")
    assert "Content-Type" not in answer.headers


async def test_no_one_switches_protocols(instance: Instance) -> None:
    answer = await instance.ask("GET", "/switch")
    assert (answer.status, answer.headers["X-Road-Error"]) == (500, "Server.ServerProxy.InvalidResponse")


async def test_headers_cross_or_stay_as_the_protocol_says(instance: Instance) -> None:
    sent = {"X-Custom": "kept", "User-Agent": "secret/1", "Cookie": "a=b", "X-Road-Id": "id-1", "X-Road-UserId": "KH1"}
    answer = await instance.ask("GET", "/a", headers=sent)
    seen = {name.lower(): value for name, value in instance.backend.calls[0].headers}
    assert seen["x-custom"] == "kept"
    assert seen["cookie"] == "a=b"
    assert seen["x-road-client"] == str(PACKAGE)
    assert "user-agent" not in seen
    assert "accept-encoding" not in seen
    assert "Server" not in answer.headers
    assert answer.headers["x-road-id"] == "id-1"
    assert answer.headers["x-road-client"] == str(PACKAGE)
    assert answer.headers["x-road-service"] == f"{IDPOOR}/echo"


async def found(log: MessageLog, query_id: str) -> Sequence[StoredRecord]:
    await log.settled()
    return await log.reader.find(query_id=query_id)


async def test_the_request_hash_binds_the_answer_to_the_logged_request(instance: Instance) -> None:
    answer = await instance.ask("POST", "/a", data=b"hash me", headers={"X-Road-Id": "hash-1"})
    for node in (instance.consumer, instance.provider):
        records = {record.direction: record for record in await found(node.parts.log, "hash-1")}
        assert set(records) == {Direction.REQUEST, Direction.RESPONSE}
        request = records[Direction.REQUEST]
        expected = base64.b64encode(request_hash(request.head, request.body_digest)).decode()
        assert answer.headers["x-road-request-hash"] == expected


async def test_both_sides_hold_the_same_evidence(instance: Instance) -> None:
    await instance.ask("POST", "/a", data=b"evidence", headers={"X-Road-Id": "evidence-1"})
    mine = await found(instance.consumer.parts.log, "evidence-1")
    theirs = await found(instance.provider.parts.log, "evidence-1")
    assert sorted((r.direction, r.head, r.body_digest, r.signature) for r in mine) == sorted(
        (r.direction, r.head, r.body_digest, r.signature) for r in theirs
    )


async def test_a_known_server_gets_direct_references(instance: Instance) -> None:
    """The first message to a server may still be in the chained form; from then on its announcement is known."""
    for name in ("direct-1", "direct-2"):
        await instance.ask("POST", "/a", data=b"x", headers={"X-Road-Id": name})
    records = await found(instance.consumer.parts.log, "direct-2")
    assert [record.hash_chain for record in records] == [None, None]


async def test_a_server_that_announces_nothing_gets_a_hash_chain(instance: Instance) -> None:
    instance.middle.headers["x-road-signature-references"] = None
    answer = await instance.ask("POST", "/a", data=b"chained", headers={"X-Road-Id": "chained-1"})
    assert answer.body == b"chained"
    records = {r.direction: r for r in await found(instance.consumer.parts.log, "chained-1")}
    assert records[Direction.RESPONSE].hash_chain is not None


async def test_who_logs_no_bodies_gets_evidence_that_needs_none(instance: Instance) -> None:
    """X-Road's verifier takes a document without its body only when a hash chain stands for the body."""
    await instance.ask("POST", "/a", data=b"x")
    answer = await instance.ask("POST", "/a", client=BODILESS, data=b"unlogged", headers={"X-Road-Id": "bodiless-1"})
    assert answer.body == b"unlogged"
    for node in (instance.consumer, instance.provider):
        records = await found(node.parts.log, "bodiless-1")
        assert len(records) == 2
        assert all(record.hash_chain is not None for record in records)


async def test_absolute_form_request_lines_work(instance: Instance) -> None:
    listen = instance.consumer.addresses.client_http[0]
    reader, writer = await asyncio.open_connection(listen.host, listen.port)
    target = f"http://security-server.example{instance.target('/proxied')}"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nX-Road-Client: {PACKAGE}\r\nConnection: close\r\n\r\n".encode())
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert raw.startswith(b"HTTP/1.1 200")
    assert instance.backend.calls[0].target == "/base/proxied"


async def test_a_client_may_connect_by_https(instance: Instance) -> None:
    assert (await instance.ask("GET", "/a", client=BY_HTTPS, **instance.by_https())).status == 200
    assert (await instance.ask("GET", "/a", client=PACKAGE, **instance.by_https())).status == 200


async def test_a_client_with_a_registered_certificate(instance: Instance) -> None:
    certificate = instance.directory / "SS3" / "client"
    assert (await instance.ask("GET", "/a", client=BY_CERTIFICATE, **instance.by_https(certificate))).status == 200


async def test_many_at_once(instance: Instance) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(instance.ask("POST", f"/{n}", data=b"%d" % n)) for n in range(40)]
    assert [task.result().body for task in asked] == [b"%d" % n for n in range(40)]


async def test_one_log_line_an_exchange_and_side_without_personal_values(instance: Instance, lines: Lines) -> None:
    await instance.ask("POST", "/a?idCard=123456789", data=b"name=Sok", headers={"X-Road-Id": "line-1"})
    for side in ("consumer", "producer"):
        [line] = lines.exchanges(side)
        assert line["outcome"] == "ok"
        assert line["query_id"] == "line-1"
        assert line["request_bytes"] == 8
    assert "123456789" not in lines.text()
    assert "Sok" not in lines.text()


async def test_who_leaves_in_the_middle_is_one_line_and_no_mistake(instance: Instance, lines: Lines) -> None:
    listen = instance.consumer.addresses.client_http[0]
    _, writer = await asyncio.open_connection(listen.host, listen.port)
    head = f"POST {instance.target('/a')} HTTP/1.1\r\nHost: x\r\nX-Road-Client: {PACKAGE}\r\nContent-Length: 9"
    writer.write(f"{head}\r\n\r\nab".encode())
    await asyncio.sleep(0.1)
    writer.close()
    await writer.wait_closed()
    await instance.ask("GET", "/a")
    assert [line["outcome"] for line in lines.exchanges("consumer")] == ["abandoned", "ok"]
    assert "unreadable_request" not in lines.text()


async def test_metrics_count_the_exchanges(instance: Instance) -> None:
    await instance.ask("GET", "/a")
    async with instance.http.get(f"http://{instance.consumer.addresses.metrics[0]}/metrics") as answer:
        text = await answer.text()
    assert 'spean_exchanges_total{outcome="ok",side="consumer"}' in text
    left = {
        line.partition("{")[0].partition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("spean_") and "_seconds" in line and "_bucket" not in line
    }
    assert 0 < left["spean_global_configuration_valid_seconds"] <= 7300
    assert 0 < left["spean_ocsp_response_usable_seconds"] <= 3600
    assert left["spean_certificate_valid_seconds"] > 3600
    assert 'spean_certificate_valid_seconds{sha256="' in text or 'spean_certificate_valid_seconds{subject="' in text
    async with instance.http.get(f"http://{instance.provider.addresses.metrics[0]}/healthz") as answer:
        assert (await answer.json())["state"] == "ok"
