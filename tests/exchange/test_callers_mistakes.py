"""What a caller may get wrong: one row a mistake."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.instance import (
    BY_CERTIFICATE,
    BY_HTTPS,
    CONSUMER,
    KEYLESS,
    PACKAGE,
    STRANGER,
    UNKNOWN_THERE,
    UNREGISTERED,
    Answer,
    Instance,
)
from tests.support.loglines import Lines
from tests.support.misbehaving import (
    BOTH_SIDES,
    FAILED,
    PROXY,
    SERVER,
    TLS,
    Row,
    asking,
    check,
    raw,
    sending_too_much,
    target,
    to,
)
from tests.support.pki import Pki

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def showing_another_certificate(instance: Instance, undo: AsyncExitStack) -> Answer:
    folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
    stranger = Pki.create(label="Nobody's").issue_auth("backend.example")
    (folder / "certificate.pem").write_bytes(stranger.certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(stranger.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return await instance.ask("GET", "/x", client=BY_CERTIFICATE, **instance.by_https(folder))


async def showing_no_certificate(instance: Instance, _undo: AsyncExitStack) -> Answer:
    return await instance.ask("GET", "/x", client=BY_CERTIFICATE, **instance.by_https())


ROWS = (
    # The caller's mistakes.
    Row("unknown client", PROXY + "UnknownMember", asking(client="KH-SANDBOX/GOV/NSAF/NOBODY")),
    Row("client of another member", PROXY + "UnknownMember", asking(client="KH-SANDBOX/GOV/MOP/IDPOOR")),
    Row("client not registered here", PROXY + "UnknownMember", asking(client=UNREGISTERED)),
    Row("provider unknown at its own server", FAILED + "UnknownMember", to(f"/r1/{UNKNOWN_THERE}/echo"), BOTH_SIDES),
    Row("unknown service", SERVER + "UnknownService", asking(service="nothing"), BOTH_SIDES),
    Row("unknown member", PROXY + "UnknownMember", to("/r1/KH-SANDBOX/GOV/NOBODY/SUB/echo")),
    Row("unknown subsystem", PROXY + "UnknownMember", to("/r1/KH-SANDBOX/GOV/MOP/NOTHING/echo")),
    Row("client by plain HTTP that must use HTTPS", PROXY + TLS, asking(client=BY_HTTPS)),
    Row("client with a certificate, by plain HTTP", PROXY + TLS, asking(client=BY_CERTIFICATE)),
    Row("client with a certificate, showing none", PROXY + TLS, showing_no_certificate),
    Row("client with a certificate that nobody registered", PROXY + TLS, showing_another_certificate),
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
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_it_is_refused(instance: Instance, lines: Lines, row: Row) -> None:
    await check(row, instance, lines)
