"""Whatever is made is read again from its head, and no header or identifier is mistaken for another."""

import base64
import contextlib
import string

from hypothesis import given
from hypothesis import strategies as st

from xroad import rest
from xroad.errors import InvalidRest, ProtocolViolation
from xroad.identifiers import ClientId, SecurityServerId, ServiceId, encode_segment

parts = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="%:;/\\\u200b\ufeff"), min_size=1, max_size=20
)
parts = parts.filter(lambda part: part not in {".", ".."})
clients = st.builds(ClientId, parts, parts, parts, st.none() | parts)
services = st.builds(ServiceId, clients, parts)
segments = st.text(string.ascii_letters + string.digits + "-_~!$&'()*+,=:@", min_size=1, max_size=8)
paths = st.lists(segments, max_size=4).map(lambda names: "".join(f"/{name}" for name in names))
queries = st.none() | st.text(string.ascii_letters + "=&/?[]+", max_size=12)
names = st.text(string.ascii_letters + "-", min_size=1, max_size=12).map(lambda name: f"a-{name}")
values = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
headers = st.lists(st.tuples(names, values), max_size=5)


@st.composite
def requests(draw: st.DrawFn) -> rest.RestRequest:
    service, path, query = draw(services), draw(paths), draw(queries)
    target = f"/r1/{service}" + (path if service.client.subsystem_code else "") + ("" if query is None else f"?{query}")
    fields = [("X-Road-Client", str(draw(clients))), *draw(headers)]
    verb = draw(st.sampled_from(sorted(rest.VERBS)))
    return rest.RestRequest.from_http(verb, target, fields, request_id="r", default_query_id="q")


@given(clients, services)
def test_identifiers_are_read_as_they_are_written(client: ClientId, service: ServiceId) -> None:
    assert ClientId.parse(str(client)) == client
    assert ServiceId.parse(str(service)) == service


@given(parts, parts, parts, parts)
def test_servers_are_read_as_they_are_written(instance: str, member_class: str, member: str, server: str) -> None:
    identifier = SecurityServerId(instance, member_class, member, server)

    assert SecurityServerId.parse(str(identifier)) == identifier
    assert "/" not in encode_segment(server)


@given(requests())
def test_a_request_is_read_from_its_head(request: rest.RestRequest) -> None:
    assert rest.RestRequest.from_head(request.head) == request
    assert request.path.endswith(request.service_path)


@given(requests(), st.integers(200, 599), values, headers, st.binary(min_size=1, max_size=64))
def test_a_response_is_read_from_its_head(
    request: rest.RestRequest, status: int, reason: str, fields: list[rest.Header], digest: bytes
) -> None:
    response = rest.RestResponse.for_request(request, status, reason, fields, digest)

    assert rest.RestResponse.from_head(response.head) == response
    assert base64.b64encode(digest) in response.head
    response.check_answers(request, digest)


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=30)), max_size=6))
def test_no_header_writes_another_line_into_the_head(fields: list[rest.Header]) -> None:
    try:
        request = rest.RestRequest.from_http(
            "GET", "/r1/I/C/M/S/svc", [("X-Road-Client", "I/C/M"), *fields], request_id="r", default_query_id="q"
        )
    except ProtocolViolation:
        return
    assert (
        request.head.count(b"\r\n")
        == request.head.count(b"\n")
        == request.head.count(b"\r")
        == 2 + len(request.headers)
    )


@given(st.text(alphabet="/.%25eEfFcC;\\ab?", max_size=24))
def test_no_path_leads_out_of_its_service(tail: str) -> None:
    try:
        request = rest.RestRequest.from_http(
            "GET", f"/r1/I/C/M/S/svc/{tail}", [("X-Road-Client", "I/C/M")], request_id="r", default_query_id="q"
        )
    except ProtocolViolation:
        return
    decoded = request.decoded_service_path
    assert "%" not in decoded
    assert "\\" not in decoded
    assert "//" not in decoded
    assert {segment.split(";")[0] for segment in decoded.split("/")}.isdisjoint({".", ".."})


@given(requests(), st.data())
def test_a_flipped_byte_in_a_head_gives_another_head_or_a_refusal(
    request: rest.RestRequest, draw: st.DataObject
) -> None:
    head = bytearray(request.head)
    head[draw.draw(st.integers(0, len(head) - 1))] ^= draw.draw(st.integers(1, 255))

    with contextlib.suppress(InvalidRest):
        assert rest.RestRequest.from_head(bytes(head)) != request
