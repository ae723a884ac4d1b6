"""Nothing but an `XRoadError` escapes a parser, whatever it is given."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xroad import codes, mime, remedies, rest, soap, transport, xmlsafe
from xroad.errors import AccessDenied, RemoteFault, XRoadError
from xroad.identifiers import ClientId, SecurityServerId, ServiceId, decode_segment

HEAD = b"GET\r\n/r1/I/C/M/S/svc/x?y\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\n"
ANSWER = (
    b"200\r\nOK\r\nx-road-id:1\r\nx-road-client:I/C/M\r\nx-road-service:I/C/M/S/svc\r\nx-road-request-id:2\r\n"
    b"x-road-request-hash:AAAA\r\n"
)
FAULT = soap.fault_xml(RemoteFault("Server.ServerProxy.AccessDenied", "no"))
MESSAGE = (
    b"--b\r\ncontent-type: application/x-road-rest-request\r\n\r\n" + HEAD + b"\r\n--b\r\n"
    b"content-type: application/x-road-rest-body\r\n\r\nbody\r\n--b\r\n"
    b"content-type: signature/bdoc-1.0/ts\r\n\r\ns\r\n--b--\r\n"
)


def mutated(sample: bytes) -> st.SearchStrategy[bytes]:
    """Cut the sample in three at two places and put any bytes between: what random bytes alone would never reach."""
    places = st.integers(0, len(sample))
    between = st.binary(max_size=8) | st.sampled_from([b"\r\n", b"\r", b"\n", b"--b", b":", b"/", b"%", b"<", b"\0"])
    return st.builds(lambda a, b, new: sample[:a] + new + sample[b:], places, places, between)


def decode_message(data: bytes) -> None:
    decoder = transport.Decoder("multipart/mixed; boundary=b", "request")
    decoder.feed(data)
    decoder.finish()


def decode_soap_message(data: bytes) -> None:
    decoder = transport.Decoder("multipart/mixed; boundary=b", "response", protocol="soap")
    decoder.feed(data)
    decoder.finish()


def decode_multipart(data: bytes) -> None:
    decoder = mime.MultipartDecoder(b"b")
    decoder.feed(data)
    decoder.finish()


BYTES_PARSERS: list[tuple[Callable[[bytes], object], bytes]] = [
    (rest.RestRequest.from_head, HEAD),
    (rest.RestResponse.from_head, ANSWER),
    (soap.parse_fault, FAULT),
    (xmlsafe.parse, FAULT),
    (decode_message, MESSAGE),
    (decode_soap_message, MESSAGE),
    (decode_multipart, MESSAGE),
]
TEXT_PARSERS: list[Callable[[str], object]] = [
    ClientId.parse,
    ServiceId.parse,
    SecurityServerId.parse,
    rest.RepresentedParty.parse,
    decode_segment,
    mime.parse_content_type,
    lambda text: mime.boundary_of(mime.parse_content_type(text)),
    lambda text: transport.Decoder(text, "response"),
    lambda text: ClientId(text, text, text, text),
    lambda text: remedies.remedy_for(codes.documented_code(text)),
    lambda text: rest.error_response(RemoteFault(text, text), [text]),
]


@pytest.mark.parametrize(("parse", "sample"), BYTES_PARSERS)
def test_the_samples_themselves_are_good(parse: Callable[[bytes], object], sample: bytes) -> None:
    with contextlib.suppress(XRoadError) if parse is decode_soap_message else contextlib.nullcontext():
        parse(sample)


@pytest.mark.parametrize(("parse", "sample"), BYTES_PARSERS)
@given(data=st.data())
def test_bytes(parse: Callable[[bytes], object], sample: bytes, data: st.DataObject) -> None:
    given_bytes = data.draw(mutated(sample) | st.binary(max_size=200))
    with contextlib.suppress(XRoadError):
        parse(given_bytes)


@pytest.mark.parametrize("parse", TEXT_PARSERS)
@given(text=st.text(max_size=60) | st.text('/%;="\\ab2eE.\r\n', max_size=30))
def test_text(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(XRoadError):
        parse(text)


@given(
    st.text(max_size=8) | st.sampled_from(sorted(rest.VERBS)),
    st.text(max_size=40) | st.text("/r1ICMS%2e.;?#", max_size=40).map(lambda tail: f"/r1/I/C/M/S/svc{tail}"),
    st.lists(
        st.tuples(
            st.text(max_size=10) | st.sampled_from(["X-Road-Client", "X-Road-Id", "Connection"]), st.text(max_size=20)
        )
    ),
)
def test_http_requests(method: str, target: str, headers: list[rest.Header]) -> None:
    with contextlib.suppress(XRoadError):
        rest.RestRequest.from_http(method, target, headers, request_id="r", default_query_id="q")


@given(st.integers(), st.text(max_size=20), st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20))))
def test_service_answers(status: int, reason: str, headers: list[rest.Header]) -> None:
    request = rest.RestRequest.from_head(HEAD)
    with contextlib.suppress(XRoadError):
        rest.RestResponse.for_request(request, status, reason, headers, b"hash")


@given(st.text(max_size=60))
def test_whatever_an_error_says_its_fault_can_be_read(text: str) -> None:
    fault = soap.parse_fault(soap.fault_xml(AccessDenied(text, error_id=text)))

    assert fault.full_code == "AccessDenied"
    assert fault.detail.isprintable() or not fault.detail.isascii()


@given(st.text(max_size=60))
def test_whatever_a_peers_code_is_its_fault_stays_xml(text: str) -> None:
    root = xmlsafe.parse(soap.fault_xml(RemoteFault(text, text, error_id=text)))

    assert xmlsafe.local_name(root) == "Envelope"


@given(st.binary(max_size=300))
def test_a_bare_fault(data: bytes) -> None:
    decoder = transport.Decoder("text/xml", "response")
    with contextlib.suppress(XRoadError):
        decoder.feed(data)
        for event in decoder.finish():
            if isinstance(event, transport.Fault):
                soap.parse_fault(event.data)
