"""What must not pass: one row for each misbehaviour, each with its code, and with an id that every node on the way logged."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.exchange.conftest import Lines
from tests.support import forging
from tests.support.forging import BODY, HEAD, OCSP, SIGNATURE, Alter
from tests.support.instance import (
    BY_HTTPS,
    CONSUMER,
    KEYLESS,
    PACKAGE,
    PROVIDER,
    STRANGER,
    Answer,
    Instance,
    kept_running,
)
from tests.support.little import describe

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Short, so that slow peers and services are found out in a test's time.
LIMITS = "peer_seconds = 3\nread_seconds = 1\nconnect_seconds = 2\nbody_bytes = 2000000"
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, log_stream: object) -> AsyncIterator[Instance]:
    async with kept_running(tmp_path_factory.mktemp("instance"), limits=LIMITS) as instance:
        yield instance


@dataclass(frozen=True, slots=True)
class Row:
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
    return await instance.ask("POST", "/x", data=io.BytesIO(b"a" * 2_000_001))


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


ROWS = (
    # The caller's mistakes.
    Row("unknown client", PROXY + "UnknownMember", asking(client="KH-SANDBOX/GOV/NSAF/NOBODY")),
    Row("client of another member", PROXY + "UnknownMember", asking(client="KH-SANDBOX/GOV/MOP/IDPOOR")),
    Row("unknown service", SERVER + "UnknownService", asking(service="nothing"), BOTH_SIDES),
    Row("unknown member", PROXY + "UnknownMember", to("/r1/KH-SANDBOX/GOV/NOBODY/SUB/echo")),
    Row("unknown subsystem", PROXY + "UnknownMember", to("/r1/KH-SANDBOX/GOV/MOP/NOTHING/echo")),
    Row("client by plain HTTP that must use HTTPS", PROXY + TLS, asking(client=BY_HTTPS)),
    Row("no access right", SERVER + "AccessDenied", asking(client=STRANGER), BOTH_SIDES),
    Row("right for another method", SERVER + "AccessDenied", asking("POST", "/open/x", service="partly"), BOTH_SIDES),
    Row("right for another path", SERVER + "AccessDenied", asking("GET", "/closed", service="partly"), BOTH_SIDES),
    Row("service switched off", SERVER + "ServiceDisabled", asking(service="off"), BOTH_SIDES),
    Row("member without a signing key", PROXY + "CannotCreateSignature", asking(client=KEYLESS)),
    Row("no client header", "Client.InvalidClientIdentifier", to(target("echo"), "Accept: */*")),
    Row("malformed client header", "Client.InvalidClientIdentifier", to(target("echo"), "X-Road-Client: KH")),
    Row(
        "two clients",
        "Client.DuplicateHeaderField",
        to(target("echo"), f"X-Road-Client: {PACKAGE}", f"X-Road-Client: {STRANGER}"),
    ),
    Row(
        "unknown server wanted",
        PROXY + "InvalidSecurityServer",
        asking(headers={"X-Road-Security-Server": "KH-SANDBOX/GOV/MOP/XX"}),
    ),
    Row(
        "wrong server wanted",
        PROXY + "InvalidSecurityServer",
        asking(headers={"X-Road-Security-Server": str(CONSUMER)}),
    ),
    Row("broken percent-encoding", "Client.BadRequest", to(target("echo/%zz"))),
    Row("encoding that is no UTF-8", "Client.BadRequest", to(target("echo/%ff%fe"))),
    Row("too few parts", "Client.BadRequest", to("/r1/KH-SANDBOX/GOV")),
    Row("another protocol version", "Client.BadRequest", to("/r2/KH-SANDBOX/GOV/MOP/IDPOOR/echo")),
    Row("not for us at all", "Client.BadRequest", to("/favicon.ico")),
    Row("path traversal", "Client.InvalidRequest", to(target("partly/open/../closed"))),
    Row("encoded path traversal", "Client.InvalidRequest", to(target("partly/open/%2e%2e/closed"))),
    Row("encoded slash in a traversal", "Client.InvalidRequest", to(target("partly/open/..%2fclosed"))),
    Row("doubly encoded traversal", "Client.InvalidRequest", to(target("partly/open/%252e%252e/closed"))),
    Row("traversal with a parameter", "Client.InvalidRequest", to(target("partly/open/..;/closed"))),
    Row("backslash traversal", "Client.InvalidRequest", to(target("partly/open/..%5cclosed"))),
    Row("URI too long", "Client.InvalidRequest", to(target("echo/" + "a" * 9000))),
    Row("header too long", "Client.InvalidRequest", asking(headers={"X-Long": "a" * 9000})),
    Row("too many headers", "Client.InvalidRequest", asking(headers={f"X-{n}": "a" for n in range(200)})),
    Row("unknown verb", "Client.InvalidHttpMethod", asking("PROPFIND")),
    Row("no HTTP", "Client.InvalidRequest", raw("hello\n\n")),
    Row("body too large", "Client.InvalidRequest", sending_too_much),
    Row(
        "body that stops coming",
        "Client.InvalidRequest",
        raw(f"POST {target('echo')} HTTP/1.1\nHost: x\nX-Road-Client: {PACKAGE}\nContent-Length: 9\n\nabc"),
    ),
    Row(
        "broken chunks",
        "Client.InvalidRequest",
        raw(f"POST {target('echo')} HTTP/1.1\nHost: x\nX-Road-Client: {PACKAGE}\nTransfer-Encoding: chunked\n\nzz\n"),
    ),
    # The service's.
    Row("service down", SERVER + "NetworkError", asking(service="gone"), BOTH_SIDES),
    Row("service slow", SERVER + "IOError", asking("GET", "/slow", service="impatient"), BOTH_SIDES, served=True),
    Row("service closes in the middle", SERVER + "IOError", asking("GET", "/cut"), BOTH_SIDES, served=True),
    Row("answer too large", SERVER + "InvalidResponse", asking("GET", "/big?2000001"), BOTH_SIDES, served=True),
    # The peer's.
    Row("provider down", PROXY + "NetworkError", published(provider_address="127.0.0.99")),
    Row("provider in maintenance", PROXY + "MaintenanceMode", published(maintenance=True)),
    Row("provider hangs up", PROXY + "IOError", peer_that(hangs_up)),
    Row("provider silent", PROXY + "IOError", peer_that(stays_silent)),
    Row("provider stops in the middle", MY_FAILED + "IOError", peer_that(stops_halfway)),
    Row("provider answers 503", PROXY + "IOError", peer_that(says_503)),
    Row("provider answers HTML", MY_FAILED + "InvalidContentType", peer_that(says_html)),
    # Certificates of servers.
    Row(
        "provider's certificate expired",
        PROXY + TLS + ".CannotCreateCertPath.CertValidityTime",
        showing_peer(not_after=forging.pki.AT - timedelta(days=1)),
    ),
    Row("provider's certificate unregistered", PROXY + TLS, showing_peer(registered=False)),
    Row("provider's certificate is for signing", PROXY + TLS, showing_peer(usage="sign")),
    Row(
        "provider's certificate revoked",
        PROXY + TLS + ".InvalidCertPath.CertValidation",
        showing_peer(status="revoked"),
    ),
    Row(
        "provider's certificate unknown to OCSP",
        PROXY + TLS + ".InvalidCertPath.CertValidation",
        showing_peer(status="unknown"),
    ),
    Row(
        "provider's OCSP response stale",
        PROXY + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        showing_peer(age=OLD),
    ),
    Row("provider's OCSP response missing", PROXY + TLS, showing_peer(status="none")),
    Row(
        "consumer's certificate expired",
        FAILED + TLS + ".CannotCreateCertPath.CertValidityTime",
        showing_client(not_after=forging.pki.AT - timedelta(days=1)),
        BOTH_SIDES,
    ),
    Row("consumer's certificate unregistered", FAILED + TLS, showing_client(registered=False), BOTH_SIDES),
    Row(
        "consumer's certificate revoked",
        FAILED + TLS + ".InvalidCertPath.CertValidation",
        showing_client(status="revoked"),
        BOTH_SIDES,
    ),
    Row(
        "consumer's certificate unknown to OCSP",
        FAILED + TLS + ".InvalidCertPath.CertValidation",
        showing_client(status="unknown"),
        BOTH_SIDES,
    ),
    Row(
        "consumer's OCSP response stale",
        FAILED + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        showing_client(age=OLD),
        BOTH_SIDES,
    ),
    Row("consumer's OCSP response missing", FAILED + TLS, showing_client(status="none"), BOTH_SIDES),
    # Certificates of members.
    Row(
        "signed by another member",
        VERIFICATION + "IncorrectCertificate",
        altered(request=lambda i: forging.forger(i, "MOP", server="SS1")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate expired",
        VERIFICATION + "CannotCreateCertPath.CertValidityTime",
        altered(request=lambda i: forging.forger(i, not_after=forging.pki.AT - timedelta(days=1))),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate revoked",
        VERIFICATION + "InvalidCertPath.CertValidation",
        altered(request=lambda i: forging.forger(i, status="revoked")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate unknown to OCSP",
        VERIFICATION + "InvalidCertPath.CertValidation",
        altered(request=lambda i: forging.forger(i, status="unknown")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate is for TLS",
        VERIFICATION + "MalformedSignature",
        altered(request=lambda i: forging.forger(i, usage="auth")),
        BOTH_SIDES,
    ),
    Row(
        "signature's OCSP response stale",
        VERIFICATION + "InvalidCertPath.IncorrectValidationInfo",
        altered(request=lambda i: forging.forger(i, age=OLD)),
        BOTH_SIDES,
    ),
    Row(
        "signature's OCSP response missing",
        VERIFICATION + "MalformedSignature",
        altered(request=lambda i: forging.forger(i, with_ocsp=False)),
        BOTH_SIDES,
    ),
    Row(
        "answer signed by another member",
        MY_VERIFICATION + "IncorrectCertificate",
        altered(response=lambda i: forging.forger(i)),
        served=True,
    ),
    # The global configuration, and clocks.
    Row("consumer's configuration expired", PROXY + "OutdatedGlobalConf", clock_moved(CONSUMER, timedelta(hours=3))),
    Row(
        "provider's configuration expired",
        SERVER + "OutdatedGlobalConf",
        clock_moved(PROVIDER, timedelta(hours=3)),
        BOTH_SIDES,
    ),
    Row(
        "consumer's clock slow",
        PROXY + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        clock_moved(CONSUMER, timedelta(hours=-1)),
    ),
    # Messages altered on the way.
    # In its signed half: the certificates that a response brings along are not signed, and not believed.
    Row(
        "flipped byte in the request's OCSP response",
        FAILED + TLS + "*",
        request(forging.flipping(OCSP, at=0.1)),
        BOTH_SIDES,
    ),
    *(
        Row(f"flipped byte in the request's {name}", code, request(forging.flipping(part)), BOTH_SIDES)
        for name, part, code in (
            ("head", HEAD, VERIFICATION + "InvalidSignatureValue"),
            ("body", BODY, VERIFICATION + "InvalidSignatureValue"),
            ("signature", SIGNATURE, VERIFICATION + "*"),
        )
    ),
    Row(
        "flipped byte in the request's signature value",
        VERIFICATION + "InvalidSignatureValue",
        request(forging.flipping_signature_value()),
        BOTH_SIDES,
    ),
    *(
        Row(f"flipped byte in the answer's {name}", code, response(forging.flipping(part)), served=True)
        for name, part, code in (
            ("head", HEAD, MY_VERIFICATION + "InvalidSignatureValue"),
            ("body", BODY, MY_VERIFICATION + "InvalidSignatureValue"),
            ("signature", SIGNATURE, MY_VERIFICATION + "*"),
        )
    ),
    *(
        Row(f"{name} {what}", code, request(how(part)), BOTH_SIDES)
        for what, how in (("missing", forging.dropping),)
        for name, part, code in (
            ("head", HEAD, FAILED + "MissingRest"),
            ("body", BODY, VERIFICATION + "InvalidReference"),
            ("signature", SIGNATURE, FAILED + "MissingSignature"),
        )
    ),
    *(
        Row(f"{name} doubled", FAILED + code, request(forging.doubling(part)), BOTH_SIDES)
        for name, part, code in (
            ("head", HEAD, "InvalidMessage"),
            ("body", BODY, "InvalidMessage"),
            ("signature", SIGNATURE, "InvalidMessage"),
        )
    ),
    Row("parts reordered", FAILED + "MissingRest", request(forging.putting_first(SIGNATURE)), BOTH_SIDES),
    Row("a surplus part", FAILED + "InvalidMessage", request(forging.appending(FAULT_PART)), BOTH_SIDES),
    Row(
        "a part of an unknown type",
        FAILED + "InvalidContentType",
        request(forging.appending(b"content-type: a/b\r\n\r\nx")),
        BOTH_SIDES,
    ),
    Row("request cut short", FAILED + "MimeParsingFailed", request(lambda raw: raw[:-40]), BOTH_SIDES),
    Row("bytes after the request", FAILED + "InvalidMessage", request(lambda raw: raw + b"GET / HTTP/1.1"), BOTH_SIDES),
    Row("answer's head missing", MY_FAILED + "MissingRest", response(forging.dropping(HEAD)), served=True),
    Row("answer's body missing", MY_VERIFICATION + "InvalidReference", response(forging.dropping(BODY)), served=True),
    Row(
        "answer's signature missing", MY_FAILED + "MissingSignature", response(forging.dropping(SIGNATURE)), served=True
    ),
    Row("answer's body doubled", MY_FAILED + "InvalidMessage", response(forging.doubling(BODY)), served=True),
    Row("answer cut short", MY_FAILED + "MimeParsingFailed", response(lambda raw: raw[:-40]), served=True),
    Row("answer to another request", PROXY + "InconsistentResponse", replayed, served=True),
    *(
        Row(f"signature with {name}", VERIFICATION + "InvalidXml", request(xml(content)), BOTH_SIDES)
        for name, content in (
            ("a DTD", DTD),
            ("an entity bomb", BOMB),
            ("an external entity", EXTERNAL),
            ("10,000 nested elements", NESTED),
        )
    ),
    *(
        Row(f"answer's signature with {name}", MY_VERIFICATION + "InvalidXml", response(xml(content)), served=True)
        for name, content in (("a DTD", DTD), ("10,000 nested elements", NESTED))
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_misbehaviour_is_refused(instance: Instance, lines: Lines, row: Row) -> None:
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
    assert "internal_error" not in lines.text()
    assert bool(instance.backend.calls) is row.served
    assert (await instance.ask("GET", "/afterwards")).status == 200
