"""What may happen to a message on its way between two servers: one row an alteration."""

import pytest

from tests.support import forging
from tests.support.forging import BODY, HEAD, OCSP, SIGNATURE
from tests.support.instance import Instance
from tests.support.loglines import Lines
from tests.support.misbehaving import (
    BOMB,
    BOTH_SIDES,
    DTD,
    EXTERNAL,
    FAILED,
    FAULT_PART,
    MY_FAILED,
    MY_VERIFICATION,
    NESTED,
    PROXY,
    TLS,
    VERIFICATION,
    Row,
    check,
    replayed,
    request,
    response,
    xml,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = (  # Messages altered on the way.
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
async def test_it_is_refused(instance: Instance, lines: Lines, row: Row) -> None:
    await check(row, instance, lines)
