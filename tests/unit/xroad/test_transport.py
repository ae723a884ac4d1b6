"""Messages between security servers: framing, order, limits."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from xroad import transport
from xroad.errors import (
    InvalidContentType,
    InvalidMessage,
    MimeParsingFailed,
    MissingRest,
    MissingSignature,
    MissingSoap,
    XRoadError,
)

BOUNDARY = "xtopABC"
CONTENT_TYPE = f"multipart/mixed; charset=UTF-8; boundary={BOUNDARY}"
SMALL = transport.Limits(
    ocsp_responses=2,
    ocsp_response=10,
    rest_head=10,
    soap=10,
    hash_chain=10,
    signature=10,
    fault=10,
    part_headers=60,
    body=10,
)

Part = tuple[str, bytes]
OCSP: Part = ("application/ocsp-response", b"ocsp")
HEAD: Part = ("application/x-road-rest-request", b"GET")
ANSWER: Part = ("application/x-road-rest-response", b"200")
BODY: Part = ("application/x-road-rest-body", b"body")
RESULT: Part = ("application/hash-chain-result", b"result")
CHAIN: Part = ("application/hash-chain", b"chain")
SIGNATURE: Part = ("signature/bdoc-1.0/ts", b"sig")
FAULT: Part = ("text/xml; charset=UTF-8", b"fault")
SOAP: Part = ("text/xml; charset=UTF-8", b"soap")
ATTACHMENTS: Part = ("multipart/mixed; boundary=xatt", b"--xatt--")


def frame(*parts: Part, close: bool = True) -> bytes:
    framed = "\r\n".join(f"--{BOUNDARY}\r\ncontent-type: {kind}\r\n\r\n{data.decode()}" for kind, data in parts)
    return (framed + (f"\r\n--{BOUNDARY}--\r\n" if close else "")).encode()


def read(
    pieces: Sequence[bytes],
    role: transport.Role = "request",
    *,
    content_type: str = CONTENT_TYPE,
    limits: transport.Limits = transport.DEFAULT_LIMITS,
    protocol: transport.Protocol = "rest",
) -> list[transport.Event]:
    decoder = transport.Decoder(content_type, role, limits, protocol=protocol)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()


def test_a_request_is_framed_byte_for_byte_as_the_reference_does() -> None:
    encoder = transport.Encoder("request", boundary=BOUNDARY)

    written = (
        encoder.ocsp(b"\x30\x82")
        + encoder.rest_head(b"GET\r\n/r1/x\r\n")
        + encoder.body_begin()
        + b"bo"
        + b"dy"
        + encoder.hash_chain(b"<r/>", b"<c/>")
        + encoder.signature(b"<s/>")
        + encoder.close()
    )

    assert encoder.content_type == "multipart/mixed; charset=UTF-8; boundary=xtopABC"
    assert written == (
        b"--xtopABC\r\ncontent-type: application/ocsp-response\r\n\r\n\x30\x82\r\n"
        b"--xtopABC\r\ncontent-type: application/x-road-rest-request\r\n\r\nGET\r\n/r1/x\r\n\r\n"
        b"--xtopABC\r\ncontent-type: application/x-road-rest-body\r\n\r\nbody\r\n"
        b"--xtopABC\r\ncontent-type: application/hash-chain-result\r\n\r\n<r/>\r\n"
        b"--xtopABC\r\ncontent-type: application/hash-chain\r\n\r\n<c/>\r\n"
        b"--xtopABC\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\n<s/>\r\n"
        b"--xtopABC--\r\n"
    )


def test_a_response_names_its_head_as_such_and_may_end_in_a_fault() -> None:
    encoder = transport.Encoder("response", boundary=BOUNDARY)

    written = encoder.rest_head(b"200") + encoder.fault(b"fault") + encoder.close()

    assert written == frame(ANSWER, FAULT)


def test_boundaries_are_those_of_x_road_and_never_the_same() -> None:
    boundary = transport.new_boundary()

    assert boundary.startswith("xtop")
    assert boundary.isalpha()
    assert len(boundary) == 34
    assert boundary != transport.new_boundary()


def test_the_names_around_the_message_are_those_of_the_reference() -> None:
    assert (transport.HASH_ALGORITHM_HEADER, transport.HASH_ALGORITHM) == ("x-hash-algorithm", "SHA-512")
    assert (transport.MESSAGE_TYPE_HEADER, transport.MESSAGE_TYPE_REST) == ("x-road-message-type", "REST")


def test_a_whole_request_is_given_part_by_part() -> None:
    assert read([frame(OCSP, OCSP, HEAD, BODY, RESULT, CHAIN, SIGNATURE)]) == [
        transport.OcspPart(b"ocsp"),
        transport.OcspPart(b"ocsp"),
        transport.RestHead(b"GET"),
        transport.BodyStart(),
        transport.BodyChunk(b"body"),
        transport.HashChainResult(b"result"),
        transport.HashChain(b"chain"),
        transport.Signature(b"sig"),
        transport.End(),
    ]


def test_no_body_and_an_empty_body_are_two_things() -> None:
    head, signature = transport.RestHead(b"GET"), transport.Signature(b"sig")

    assert read([frame(HEAD, SIGNATURE)]) == [head, signature, transport.End()]
    assert read([frame(HEAD, (BODY[0], b""), SIGNATURE)]) == [head, transport.BodyStart(), signature, transport.End()]


@pytest.mark.parametrize("parts", [(FAULT,), (ANSWER, FAULT), (ANSWER, BODY, FAULT)])
def test_a_fault_may_stand_wherever_a_provider_gives_up(parts: tuple[Part, ...]) -> None:
    assert read([frame(*parts)], "response")[-2:] == [transport.Fault(b"fault"), transport.End()]


def test_a_bare_fault_is_a_response_of_its_own() -> None:
    events = read([b"<fa", b"ult/>"], "response", content_type="text/xml;charset=utf-8")

    assert events == [transport.Fault(b"<fault/>"), transport.End()]


def test_media_types_are_read_in_any_case() -> None:
    assert len(read([frame((HEAD[0].upper(), b"GET"), SIGNATURE)])) == 3


def test_soap_messages_pass_unread() -> None:
    events = read([frame(OCSP, SOAP, ATTACHMENTS, SIGNATURE)], protocol="soap")

    assert events == [
        transport.OcspPart(b"ocsp"),
        transport.SoapPart(b"soap", SOAP[0], {"content-type": SOAP[0]}),
        transport.AttachmentsStart(ATTACHMENTS[0]),
        transport.AttachmentsChunk(b"--xatt--"),
        transport.Signature(b"sig"),
        transport.End(),
    ]
    assert transport.Fault(b"fault") in read([frame(SOAP, FAULT)], "response", protocol="soap")


DISORDER: list[tuple[str, transport.Role, tuple[Part, ...], type[XRoadError]]] = [
    ("nothing", "request", (OCSP,), MissingRest),
    ("no head", "request", (OCSP, SIGNATURE), MissingRest),
    ("no head but a body", "request", (BODY, SIGNATURE), MissingRest),
    ("no head in a response", "response", (SIGNATURE,), MissingRest),
    ("soap as rest", "request", (SOAP, SIGNATURE), MissingRest),
    ("no signature", "request", (HEAD, BODY), MissingSignature),
    ("no signature, no body", "response", (ANSWER,), MissingSignature),
    ("no signature after a hash chain", "request", (HEAD, RESULT, CHAIN), MissingSignature),
    ("head twice", "request", (HEAD, HEAD, SIGNATURE), InvalidMessage),
    ("body twice", "request", (HEAD, BODY, BODY, SIGNATURE), InvalidMessage),
    ("signature twice", "request", (HEAD, SIGNATURE, SIGNATURE), InvalidMessage),
    ("hash chain result twice", "request", (HEAD, RESULT, RESULT, CHAIN, SIGNATURE), InvalidMessage),
    ("hash chain twice", "request", (HEAD, RESULT, CHAIN, CHAIN, SIGNATURE), InvalidMessage),
    ("hash chain without result", "request", (HEAD, CHAIN, SIGNATURE), InvalidMessage),
    ("result without hash chain", "request", (HEAD, RESULT, SIGNATURE), InvalidMessage),
    ("chain before result", "request", (HEAD, CHAIN, RESULT, SIGNATURE), InvalidMessage),
    ("ocsp after head", "request", (HEAD, OCSP, SIGNATURE), InvalidMessage),
    ("ocsp in a response", "response", (OCSP, ANSWER, SIGNATURE), InvalidMessage),
    ("body after signature", "request", (HEAD, SIGNATURE, BODY), InvalidMessage),
    ("body after hash chain", "request", (HEAD, RESULT, CHAIN, BODY, SIGNATURE), InvalidMessage),
    ("fault after signature", "response", (ANSWER, SIGNATURE, FAULT), InvalidMessage),
    ("signature after fault", "response", (FAULT, SIGNATURE), InvalidMessage),
    ("fault in place of a request", "request", (FAULT,), MissingRest),
    ("response in place of a request", "request", (ANSWER, SIGNATURE), InvalidContentType),
    ("request in place of a response", "response", (HEAD, SIGNATURE), InvalidContentType),
    ("surplus part", "request", (HEAD, ("application/json", b"{}"), SIGNATURE), InvalidContentType),
    ("attachments in rest", "request", (HEAD, ATTACHMENTS, SIGNATURE), InvalidContentType),
    ("fault in another charset", "response", (("text/xml; charset=utf-16", b"f"),), InvalidContentType),
    ("no content type", "request", (("", b"GET"), SIGNATURE), InvalidContentType),
]


@pytest.mark.parametrize(
    ("role", "parts", "error"), [case[1:] for case in DISORDER], ids=[case[0] for case in DISORDER]
)
def test_disorder_is_refused_by_name(role: transport.Role, parts: tuple[Part, ...], error: type[XRoadError]) -> None:
    with pytest.raises(error) as refused:
        read([frame(*parts)], role)

    assert type(refused.value) is error


def test_a_soap_message_without_soap_is_named_so() -> None:
    with pytest.raises(MissingSoap):
        read([frame(SIGNATURE)], protocol="soap")
    with pytest.raises(InvalidContentType):
        read([frame(HEAD, SIGNATURE)], protocol="soap")


@pytest.mark.parametrize("cut", range(1, len(frame(OCSP, HEAD, BODY, SIGNATURE)) - 4))
def test_a_message_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises((MimeParsingFailed, MissingRest)):
        read([frame(OCSP, HEAD, BODY, SIGNATURE)[:cut]])


def over(part: Part) -> Part:
    return part[0], b"x" * 11


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        pytest.param("request", (over(OCSP), HEAD, SIGNATURE), id="ocsp_response"),
        pytest.param("request", (over(HEAD), SIGNATURE), id="rest_head"),
        pytest.param("request", (HEAD, over(BODY), SIGNATURE), id="body"),
        pytest.param("request", (HEAD, over(RESULT), CHAIN, SIGNATURE), id="hash_chain_result"),
        pytest.param("request", (HEAD, RESULT, over(CHAIN), SIGNATURE), id="hash_chain"),
        pytest.param("request", (HEAD, over(SIGNATURE)), id="signature"),
        pytest.param("response", (over(FAULT),), id="fault"),
        pytest.param("request", ((HEAD[0] + "; x=" + "y" * 60, b"GET"), SIGNATURE), id="part_headers"),
    ],
)
def test_each_limit_holds_whole_and_in_pieces(role: transport.Role, parts: tuple[Part, ...]) -> None:
    message = frame(*parts)

    for pieces in ([message], [bytes([byte]) for byte in message]):
        with pytest.raises(MimeParsingFailed):
            read(pieces, role, limits=SMALL)


def test_too_many_ocsp_responses_are_refused() -> None:
    assert len(read([frame(OCSP, OCSP, HEAD, SIGNATURE)], limits=SMALL)) == 5
    with pytest.raises(InvalidMessage):
        read([frame(OCSP, OCSP, OCSP, HEAD, SIGNATURE)], limits=SMALL)


def test_a_bare_fault_has_its_limit_too() -> None:
    with pytest.raises(MimeParsingFailed):
        read([b"x" * 11], "response", content_type="text/xml", limits=SMALL)


def test_a_body_is_never_held() -> None:
    decoder = transport.Decoder(CONTENT_TYPE, "request", replace(SMALL, body=10**9))
    decoder.feed(frame(HEAD, (BODY[0], b""), close=False))

    for _ in range(100):
        assert decoder.feed(b"x" * 10_000) == [transport.BodyChunk(b"x" * 10_000)]


@pytest.mark.parametrize(
    ("content_type", "role"),
    [
        ("text/xml", "request"),
        ("application/json", "request"),
        ("multipart/mixed", "request"),
        ("multipart/related; boundary=b", "request"),
        ("multipart/mixed; charset=utf-16; boundary=b", "request"),
        ("text/xml; charset=latin-1", "response"),
        ("", "response"),
    ],
)
def test_another_content_type_is_refused_at_once(content_type: str, role: transport.Role) -> None:
    with pytest.raises(InvalidContentType):
        transport.Decoder(content_type, role)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda message: b"junk" + message,
        lambda message: message + b"junk",
        lambda message: message.replace(b"ABC", b"ABD"),
    ],
    ids=["preamble", "trailing data", "wrong boundary"],
)
def test_bytes_around_the_message_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises((MimeParsingFailed, InvalidMessage)):
        read([spoil(frame(HEAD, SIGNATURE))])
