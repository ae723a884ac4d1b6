"""Messages and heads that X-Road itself wrote decode into their parts, and re-encode byte for byte."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from xroad import rest, transport, xmlsafe
from xroad.errors import InvalidContentType, MissingRest

Shared = Callable[[str], Path]
FOLDER = "vectors/xroad/transport"


def read(message: bytes, role: transport.Role, *, protocol: transport.Protocol, step: int) -> list[transport.Event]:
    boundary = message[2 : message.index(b"\n")].decode().strip()
    decoder = transport.Decoder(f"multipart/mixed; charset=UTF-8; boundary={boundary}", role, protocol=protocol)
    events = [event for at in range(0, len(message), step) for event in decoder.feed(message[at : at + step])]
    return events + decoder.finish()


def role_of(name: str) -> transport.Role:
    return "response" if name.endswith(".response") else "request"


@pytest.mark.parametrize("step", [1_000_000, 1000, 7])
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("normal.request", ["SoapPart", "Signature", "End"]),
        ("normal.response", ["SoapPart", "Signature", "End"]),
        ("ocsp.request", ["OcspPart", "SoapPart", "Signature", "End"]),
        ("attachment.request", ["SoapPart", "AttachmentsStart", "AttachmentsChunk", "Signature", "End"]),
    ],
)
def test_messages_of_x_road_decode_into_their_parts(shared: Shared, name: str, kinds: list[str], step: int) -> None:
    events = read((shared(FOLDER) / name).read_bytes(), role_of(name), protocol="soap", step=step)

    found = [type(event).__name__ for event in events]
    assert [kind for place, kind in enumerate(found) if found[place - 1 : place] != [kind]] == kinds
    documents = [event.data for event in events if isinstance(event, transport.SoapPart | transport.Signature)]
    assert [xmlsafe.local_name(xmlsafe.parse(document)) for document in documents] == ["Envelope", "XAdESSignatures"]


def test_an_attachment_is_found_inside_its_nested_multipart(shared: Shared) -> None:
    events = read((shared(FOLDER) / "attachment.request").read_bytes(), "request", protocol="soap", step=10)

    nested = b"".join(event.data for event in events if isinstance(event, transport.AttachmentsChunk))
    assert b"\nblaah\n--xatt569125687hcu8vfma--" in nested


def test_a_der_response_comes_out_whole(shared: Shared) -> None:
    events = read((shared(FOLDER) / "ocsp.request").read_bytes(), "request", protocol="soap", step=64)

    (response,) = [event.data for event in events if isinstance(event, transport.OcspPart)]
    assert response[:2] == b"\x30\x82"
    assert int.from_bytes(response[2:4]) == len(response) - 4


@pytest.mark.parametrize(("name", "error"), [("normal.request", MissingRest), ("normal.response", InvalidContentType)])
def test_a_soap_message_is_not_taken_for_rest(shared: Shared, name: str, error: type[Exception]) -> None:
    message = (
        (shared(FOLDER) / name).read_bytes().replace(b"Content-Type: text/xml", b"Content-Type: application/xop+xml")
    )
    expected = InvalidContentType if error is InvalidContentType else (InvalidContentType, MissingRest)

    with pytest.raises(expected):
        read(message, role_of(name), protocol="rest", step=10_000)


def test_a_response_head_of_x_road_is_read_and_written_again(shared: Shared) -> None:
    with zipfile.ZipFile(shared("vectors/xroad/asic/valid-non-batch-rest.asice")) as container:
        head = container.read("message.xml")

    response = rest.RestResponse.from_head(head)

    lines = [str(response.status), response.reason, *(f"{name}:{value}" for name, value in response.headers), ""]
    assert "\r\n".join(lines).encode() == head
    assert (str(response.client), str(response.service)) == (
        "DEV/COM/4422/TestClient",
        "DEV/COM/1234/TestService/mock1",
    )
    assert len(response.request_hash) == 64


def test_our_response_to_the_same_answer_is_x_roads_byte_for_byte(shared: Shared) -> None:
    with zipfile.ZipFile(shared("vectors/xroad/asic/valid-non-batch-rest.asice")) as container:
        head = container.read("message.xml")
    theirs = rest.RestResponse.from_head(head)
    request = rest.RestRequest.from_http(
        "GET",
        "/r1/DEV/COM/1234/TestService/mock1",
        [("X-Road-Client", "DEV/COM/4422/TestClient")],
        request_id=theirs.request_id,
        default_query_id=theirs.query_id,
    )
    own = [header for header in theirs.headers if not header[0].startswith("x-road-")]

    ours = rest.RestResponse.for_request(request, 200, "OK", own, theirs.request_hash)

    assert ours.head == head
