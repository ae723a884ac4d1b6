"""Ways to misbehave, as acts of a test: what a caller, a peer or an attacker does, and the answer that comes back.

``check`` holds what is true of every refusal: code, status, remedy, an id in the log of every node on the way, no
traceback, and a node that answers afterwards.
"""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from tests.support import forging
from tests.support.forging import OCSP, SIGNATURE, Alter
from tests.support.instance import PACKAGE, Answer, Instance
from tests.support.little import describe
from tests.support.loglines import Lines

OLD = timedelta(hours=9)
CONSUMER_SIDE = ("consumer",)
BOTH_SIDES = ("consumer", "producer")
PROXY = "Server.ClientProxy."
SERVER = "Server.ServerProxy."
FAILED = SERVER + "ServiceFailed."
VERIFICATION = SERVER + "SignatureVerification."
MY_FAILED = PROXY + "ServiceFailed."
MY_VERIFICATION = PROXY + "SignatureVerification."
TLS = "SslAuthenticationFailed"

Act = Callable[[Instance, AsyncExitStack], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Row:
    """One misbehaviour; a code that ends with ``*`` tells how the code begins."""

    name: str
    code: str
    act: Act
    sides: tuple[str, ...] = CONSUMER_SIDE
    served: bool = False


def asking(method: str = "GET", path: str = "/x", **options: Any) -> Act:
    async def act(instance: Instance, _undo: AsyncExitStack) -> Answer:
        return await instance.ask(method, path, **options)

    return act


async def sending_too_much(instance: Instance, _undo: AsyncExitStack) -> Answer:
    return await instance.ask("POST", "/x", data=io.BytesIO(b"a" * 8_000_001))


def altered(
    *, request: Callable[[Instance], Alter] | None = None, response: Callable[[Instance], Alter] | None = None
) -> Act:
    async def act(instance: Instance, _undo: AsyncExitStack) -> Answer:
        if request is not None:
            instance.middle.on_request = request(instance)
        if response is not None:
            instance.middle.on_response = response(instance)
        return await instance.ask("POST", "/x", data=b"a body of some length")

    return act


def request(alter: Alter) -> Act:
    return altered(request=lambda _: alter)


def response(alter: Alter) -> Act:
    return altered(response=lambda _: alter)


def raw(text: str) -> Act:
    """Send bytes that no client library would."""

    async def act(instance: Instance, _undo: AsyncExitStack) -> Answer:
        listen = instance.consumer.addresses.client_http[0]
        reader, writer = await asyncio.open_connection(listen.host, listen.port)
        writer.write(text.replace("\n", "\r\n").encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["Content-Length"]))
        writer.close()
        return Answer(int(head[0].split(" ")[1]), headers, body)

    return act


def target(path: str) -> str:
    return f"/r1/KH-SANDBOX/GOV/MOP/IDPOOR/{path}"


def to(path: str, *headers: str) -> Act:
    lines = [f"GET {path} HTTP/1.1", "Host: x", *(headers or (f"X-Road-Client: {PACKAGE}",)), "", ""]
    return raw("\n".join(lines))


def showing_peer(
    *, registered: bool = True, status: str = "good", age: timedelta = timedelta(minutes=5), **leaf: Any
) -> Act:
    """The provider's server shows the consumer another authentication certificate."""

    async def act(instance: Instance, undo: AsyncExitStack) -> Answer:
        issued = forging.auth_certificate(instance, **leaf)
        instance.ocsp.status[issued.certificate.serial_number] = status
        instance.middle.inward = forging.inward_with(instance, issued)
        instance.middle.on_relay = (
            (lambda _: None) if status == "none" else (lambda _: instance.ocsp.response(issued.certificate, age=age))
        )
        instance.more_auth[:] = [issued.certificate] if registered else []
        instance.publish()
        await instance.refresh()
        instance.consumer.parts.consumer.peers.close()
        undo.push_async_callback(put_back, instance)
        return await instance.ask("GET", "/x")

    return act


def showing_client(
    *, registered: bool = True, status: str = "good", age: timedelta = timedelta(minutes=5), **leaf: Any
) -> Act:
    """The consumer's server shows the provider another authentication certificate."""

    async def act(instance: Instance, undo: AsyncExitStack) -> Answer:
        issued = forging.auth_certificate(instance, **leaf)
        instance.middle.outward = forging.outward_with(instance, issued)
        instance.more_client_auth[:] = [issued.certificate] if registered else []
        instance.publish()
        await instance.refresh()
        undo.push_async_callback(put_back, instance)
        if status == "none":
            instance.middle.on_request = forging.dropping(OCSP)
        else:
            instance.ocsp.status[issued.certificate.serial_number] = status
            instance.middle.on_request = forging.with_ocsp_of(instance, issued.certificate, age)
        return await instance.ask("GET", "/x")

    return act


async def put_back(instance: Instance) -> None:
    instance.more_auth.clear()
    instance.more_client_auth.clear()
    instance.middle.reset()
    instance.publish()
    await instance.refresh()
    instance.consumer.parts.consumer.peers.close()


def published(**options: Any) -> Act:
    async def act(instance: Instance, undo: AsyncExitStack) -> Answer:
        instance.publish(**options)
        await instance.refresh()
        undo.push_async_callback(put_back, instance)
        return await instance.ask("GET", "/x")

    return act


def clock_moved(server: Any, by: timedelta) -> Act:
    async def act(instance: Instance, undo: AsyncExitStack) -> Answer:
        clock = instance.clocks[server]
        before, clock.shift = clock.shift, clock.shift + by
        undo.callback(setattr, clock, "shift", before)
        return await instance.ask("GET", "/x")

    return act


def peer_that(behave: Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]]) -> Act:
    async def act(instance: Instance, _undo: AsyncExitStack) -> Answer:
        instance.middle.on_connection = behave
        return await instance.ask("GET", "/x")

    return act


async def hangs_up(http: web.BaseRequest) -> web.StreamResponse | None:
    assert http.transport is not None
    http.transport.abort()
    return web.Response()


async def stays_silent(_http: web.BaseRequest) -> web.StreamResponse | None:
    await asyncio.sleep(4)
    return web.Response()


async def stops_halfway(http: web.BaseRequest) -> web.StreamResponse | None:
    answer = web.StreamResponse(headers={"Content-Type": "multipart/mixed; boundary=b", "Content-Length": "900"})
    await answer.prepare(http)
    await answer.write(b"--b\r\ncontent-type: application/x-road-rest-response\r\n\r\n200")
    assert http.transport is not None
    http.transport.abort()
    return answer


async def says_503(_http: web.BaseRequest) -> web.StreamResponse | None:
    return web.Response(status=503, text="<html>busy</html>", content_type="text/html")


async def says_html(_http: web.BaseRequest) -> web.StreamResponse | None:
    return web.Response(text="<html>hello</html>", content_type="text/html")


async def replayed(instance: Instance, _undo: AsyncExitStack) -> Answer:
    """A true answer, to another question."""
    await instance.ask("GET", "/first")
    old = instance.middle.seen[-1]
    boundary = old.partition(b"\r\n")[0].removeprefix(b"--")

    async def replay(_http: web.BaseRequest) -> web.StreamResponse | None:
        headers = {"Content-Type": f"multipart/mixed; boundary={boundary.decode()}", "x-hash-algorithm": "SHA-512"}
        return web.Response(body=old, headers=headers)

    instance.middle.on_connection = replay
    return await instance.ask("GET", "/second")


DTD = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
BOMB = b'<!DOCTYPE a [<!ENTITY b "cccccccccc"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;&c;&c;&c;</a>'
EXTERNAL = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
NESTED = b"<a>" * 10_000 + b"</a>" * 10_000
FAULT_PART = b"content-type: text/xml\r\n\r\n<a/>"


def xml(content: bytes) -> Alter:
    return forging.replacing(SIGNATURE, lambda _: content)


async def check(row: Row, instance: Instance, lines: Lines) -> None:
    async with AsyncExitStack() as undo:
        answer = await row.act(instance, undo)
    instance.middle.reset()
    code = answer.headers.get("X-Road-Error", "")
    # Where a flipped byte hits decides which check finds it: such a row tells how its code begins.
    assert code.startswith(row.code[:-1]) if row.code.endswith("*") else code == row.code, describe(answer.body)
    assert answer.status == (400 if row.code.startswith("Client.") else 500)
    said = json.loads(answer.body)
    assert said["type"] == code
    assert len(said["message"]) > 20
    assert said["remedy"]["en"]
    assert said["remedy"]["km"]
    assert "Traceback" not in answer.body.decode()
    for side in row.sides:
        assert [line for line in lines.exchanges(side) if line.get("error_id") == said["detail"]], (
            f"not logged at {side}"
        )
    if len(lines.exchanges("producer")) == len(lines.exchanges("consumer")):
        # The exchange reached the provider: its server has the id also when it noticed nothing.
        last = lines.exchanges("producer")[-1]
        assert said["detail"] in {last.get("error_id"), last.get("request_id")}, "the id is not in the producer's log"
    assert "internal_error" not in lines.text()
    assert bool(instance.backend.calls) is row.served
    assert (await instance.ask("GET", "/afterwards")).status == 200
