"""The guard around a pipeline: a mistake in the code costs one exchange, shows nothing, and is found by its id."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import create_autospec

import aiohttp
import pytest
import structlog
from aiohttp import web

from securityserver.entrance import Entrance, Pipeline, refuse_backend, refuse_peer
from securityserver.frontdoor import FrontDoor
from securityserver.limits import Limits
from securityserver.messagelog import Side
from securityserver.monitoring import Monitor, Watch
from securityserver.slots import Slots
from serverkit.http import Listen
from serverkit.metrics import Metrics
from xroad import soap
from xroad.errors import AccessDenied, RemoteFault


@asynccontextmanager
async def door(pipeline: Pipeline, side: Side = Side.CONSUMER, **limits: float) -> AsyncIterator[str]:
    refuse = refuse_backend if side is Side.CONSUMER else refuse_peer
    entrance = Entrance(side, pipeline, refuse, Monitor(Metrics()), Slots(2))
    opened = await FrontDoor.open(
        entrance.handle,
        entrance.unreadable,
        (Listen("127.0.0.1", 0),),
        Limits(**limits),  # type: ignore[arg-type]
    )
    try:
        yield f"http://{opened.addresses[0]}"
    finally:
        await opened.close(1)


async def broken(_http: web.BaseRequest, _watch: Watch) -> web.StreamResponse:
    raise ZeroDivisionError("secret value 123456")


async def denied(_http: web.BaseRequest, _watch: Watch) -> web.StreamResponse:
    raise AccessDenied("No right: ask for one.")


async def test_a_mistake_becomes_an_internal_error_without_its_words() -> None:
    async with door(broken) as url, aiohttp.ClientSession() as session, session.get(f"{url}/r1/x") as answer:
        text = await answer.text()
        assert answer.status == 500
        assert answer.headers["X-Road-Error"] == "Server.ClientProxy.InternalError"
        assert "Server" not in answer.headers
    assert "123456" not in text
    assert "ZeroDivision" not in text
    assert json.loads(text)["detail"]


async def test_a_refusal_is_xml_for_who_accepts_xml() -> None:
    headers = {"Accept": "text/xml"}
    async with door(denied) as url, aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.content_type == "text/xml"
        assert b"Server.ClientProxy.AccessDenied" in await answer.read()


async def test_a_peer_gets_a_fault_with_status_200() -> None:
    async with (
        door(denied, Side.PRODUCER) as url,
        aiohttp.ClientSession() as session,
        session.post(url, data=b"x") as answer,
    ):
        fault = soap.parse_fault(await answer.read())
        assert (answer.status, answer.content_type) == (200, "text/xml")
    assert isinstance(fault, RemoteFault)
    assert fault.full_code == "Server.ServerProxy.AccessDenied"


async def test_an_answer_that_breaks_is_cut_and_never_taken_for_whole() -> None:
    async def half(http: web.BaseRequest, _watch: Watch) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(http)
        await answer.write(b"half")
        raise AccessDenied("too late")

    async with door(half) as url, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get(url) as answer:
                await answer.read()


async def test_a_client_that_says_nothing_is_put_out() -> None:
    async with door(denied, read_seconds=0.1) as url, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
        assert await reader.read() == b""
        writer.close()


async def test_more_exchanges_than_slots_wait_and_pass() -> None:
    running, most = 0, 0

    async def counted(_http: web.BaseRequest, _watch: Watch) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return web.Response(text="done")

    async with door(counted) as url, aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(ask(session, url))
    assert most == 2


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        assert await answer.text() == "done"


VALUE = b"010201-0004221"
LINE = b"POST /r1/KH/GOV/MOP/S/x?card=" + VALUE
UNREADABLE = {
    "bare line feeds": LINE + b" HTTP/1.1\nHost: x\n\n" + VALUE,
    "a line too long": LINE * 1000 + b" HTTP/1.1\r\n\r\n",
    "a header too long": LINE + b" HTTP/1.1\r\nHost: x\r\nX-Card: " + VALUE * 1000 + b"\r\n\r\n",
    "a header with NUL": LINE + b" HTTP/1.1\r\nHost: x\r\nX-Card: " + VALUE + b"\0\r\n\r\n",
    "no header": LINE + b" HTTP/1.1\r\n" + VALUE + b"\r\n\r\n",
    "no target": b"GET http://[" + VALUE + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no method": VALUE + b" / HTTP/1.1\r\n\r\n",
    "no chunk": LINE + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + VALUE + b"\r\n",
    "two lengths": LINE + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n" + VALUE,
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_what_cannot_be_read_is_refused_with_the_reason_and_none_of_its_values(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = create_autospec(structlog.typing.FilteringBoundLogger, instance=True)
    monkeypatch.setattr("securityserver.entrance.log", log)
    async with door(denied) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    logged = str(log.mock_calls)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"X-Road-Error: Client.InvalidRequest" in head
    assert json.loads(body)["detail"] in logged
    assert VALUE.decode() not in body.decode() + logged
