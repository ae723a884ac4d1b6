"""REST requests and responses between HTTP and the signed head."""

import base64
import hashlib
import json

import pytest

from xroad import rest, xmlsafe
from xroad.errors import (
    AccessDenied,
    BadRequest,
    DuplicateHeaderField,
    InconsistentResponse,
    InvalidClientIdentifier,
    InvalidHttpMethod,
    InvalidRequest,
    InvalidResponse,
    InvalidRest,
    RemoteFault,
    XRoadError,
)
from xroad.identifiers import ClientId, SecurityServerId, ServiceId

PROVIDER = ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR")
SERVICE = "/r1/KH-SANDBOX/GOV/MOP/IDPOOR/household"
CLIENT = ("X-Road-Client", "KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE")
REQUEST_ID = "f92591a3-6bf0-49b1-987b-0dd78c034cc3"


def make(
    method: str = "GET", target: str = SERVICE, headers: tuple[rest.Header, ...] = (CLIENT,), query_id: str = "KH-1"
) -> rest.RestRequest:
    return rest.RestRequest.from_http(method, target, headers, request_id=REQUEST_ID, default_query_id=query_id)


def answer(request: rest.RestRequest, *headers: rest.Header) -> rest.RestResponse:
    return rest.RestResponse.for_request(request, 200, "OK", headers, rest.request_hash(request.head, None))


def test_the_head_is_byte_for_byte_what_the_reference_signs() -> None:
    request = make(
        "POST",
        f"{SERVICE}/registry/sync/search?a=1&b=%20",
        (
            ("Host", "ss"),
            ("x-Road-CLIENT", CLIENT[1]),
            ("User-Agent", "curl"),
            ("Content-Type", "application/json"),
            ("Content-Length", "2"),
            ("X-Road-Request-Id", "forged"),
            ("X-Road-Request-Hash", "forged"),
            ("Accept", "text/html"),
            ("Accept", "*/*"),
        ),
    )

    assert request.head_bytes() == (
        b"POST\r\n"
        b"/r1/KH-SANDBOX/GOV/MOP/IDPOOR/household/registry/sync/search?a=1&b=%20\r\n"
        b"x-Road-CLIENT:KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE\r\n"
        b"Content-Type:application/json\r\n"
        b"Accept:text/html\r\n"
        b"Accept:*/*\r\n"
        b"x-road-request-id:f92591a3-6bf0-49b1-987b-0dd78c034cc3\r\n"
        b"x-road-id:KH-1\r\n"
    )


def test_a_request_says_what_its_head_says() -> None:
    request = make(
        "PUT",
        f"{SERVICE}/a%2Fb/?q",
        (
            CLIENT,
            ("X-Road-Id", "own-id"),
            ("X-Road-UserId", "KH123"),
            ("X-Road-Issue", "case 7"),
            ("X-Road-Represented-Party", "COM/A%20B"),
            ("X-Road-Security-Server", "KH-SANDBOX/GOV/MOP/SS1"),
        ),
    )

    assert (request.verb, request.query, request.service_path) == ("PUT", "q", "/a%2Fb/")
    assert request.decoded_service_path == "/a/b/"
    assert request.service == ServiceId(PROVIDER, "household")
    assert request.client == ClientId("KH-SANDBOX", "GOV", "NSAF", "FAMILY-PACKAGE")
    assert (request.query_id, request.request_id) == ("own-id", REQUEST_ID)
    assert (request.user_id, request.issue) == ("KH123", "case 7")
    assert request.represented_party == rest.RepresentedParty("COM", "A B")
    assert str(request.represented_party) == "COM/A%20B"
    assert request.target_server == SecurityServerId("KH-SANDBOX", "GOV", "MOP", "SS1")
    assert rest.RestRequest.from_head(request.head) == request


def test_a_represented_party_may_lack_its_class() -> None:
    assert rest.RepresentedParty.parse("123") == rest.RepresentedParty(None, "123")
    for text in ("", "/", "a/b/c", "a/", "%zz"):
        with pytest.raises(InvalidClientIdentifier):
            rest.RepresentedParty.parse(text)


@pytest.mark.parametrize("verb", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"])
def test_each_verb_of_the_reference_is_carried(verb: str) -> None:
    assert rest.RestRequest.from_head(make(verb).head).verb == verb


@pytest.mark.parametrize("verb", ["CONNECT", "get", "PROPFIND", "", "GET\r\n"])
def test_another_verb_is_refused(verb: str) -> None:
    with pytest.raises(InvalidHttpMethod):
        make(verb)


def test_a_client_that_wants_a_tunnel_is_told_what_works() -> None:
    with pytest.raises(InvalidHttpMethod, match="no HTTPS proxy"):
        make("CONNECT")


@pytest.mark.parametrize(
    "start", ["http://ss.example", "https://ss.example:8443", "HTTP://127.0.0.1:80", "http://[::1]:1"]
)
def test_a_proxy_clients_absolute_target_is_the_same_request(start: str) -> None:
    assert make(target=f"{start}{SERVICE}/x?y").head == make(target=f"{SERVICE}/x?y").head


@pytest.mark.parametrize(
    ("target", "service", "service_path", "query"),
    [
        ("/r1/I/C/M/svc", ServiceId(ClientId("I", "C", "M"), "svc"), "", None),
        ("/r1/I/C/M/svc?a/b/c", ServiceId(ClientId("I", "C", "M"), "svc"), "", "a/b/c"),
        ("/r1/I/C/M/S/svc", ServiceId(ClientId("I", "C", "M", "S"), "svc"), "", None),
        ("/r1/I/C/M/S/svc/", ServiceId(ClientId("I", "C", "M", "S"), "svc"), "/", None),
        ("/r1/I/C/M/S/svc/a/b?", ServiceId(ClientId("I", "C", "M", "S"), "svc"), "/a/b", ""),
        (
            "/r1/I/C/%E1%9E%80/S/svc/a;v=1/%E1%9E%80",
            ServiceId(ClientId("I", "C", "ក", "S"), "svc"),
            "/a;v=1/%E1%9E%80",
            None,
        ),
    ],
)
def test_targets_with_and_without_subsystem_path_and_query(
    target: str, service: ServiceId, service_path: str, query: str | None
) -> None:
    request = make(target=target)

    assert (request.service, request.service_path, request.query) == (service, service_path, query)
    assert request.head.split(b"\r\n")[1].decode() == target


@pytest.mark.parametrize(
    "target",
    [
        "", "/", "*", "r1/I/C/M/S/svc", "/r1", "/r1/I/C/M", "/r2/I/C/M/S/svc", "/R1/I/C/M/S/svc", "/x/I/C/M/S/svc",
        "//host/r1/I/C/M/S/svc", "//r1/I/C/M/S/svc", "http://host", "http://user@host/r1/I/C/M/S/svc",
        "ftp://host/r1/I/C/M/S/svc", "http:///r1/I/C/M/S/svc", "/r1//C/M/S/svc", "/r1/I/C/M//svc", "/r1/I/C/M/S/",
        "/r1/I/C/M/S/svc/%", "/r1/I/C/M/S/svc/%2", "/r1/I/C/M/S/svc/%zz", "/r1/I/C/M/S/svc/%u002e", "/r1/I/C/M/S/%ff",
        "/r1/I/C/M/S/svc/%ff", "/r1/I/C/M/S/svc/%c0%ae%c0%ae/", "/r1/I/C/M/S/svc/a b", "/r1/I/C/M/S/svc/ក",
        "/r1/I/C/M/S/svc/a\\b", "/r1/I/C/M/S/svc/a\r\nb", "/r1/I/C/M/S/svc?a b", "/r1/I/C/M/S/svc?%",
        "/r1/I/C/M/S/svc#a", "/r1/I/C/M/S/svc?a#b", "/r1/I/C/M/S/svc?{}", "/r1/I/C/M/S%2Fsvc/x/y", "/r1/I/C/M/../svc",
        "/r1/I/C/M/%2e%2e/svc", "/r1/I%2FC%2FM%2FS%2Fsvc", "/r1/I/C/M/S/a:b", "/r1/I/C/M/S/%00",
    ],
)  # fmt: skip
def test_a_target_that_names_no_service_is_refused(target: str) -> None:
    with pytest.raises(BadRequest) as refused:
        make(target=target)

    assert (refused.value.full_code, refused.value.http_status) == ("Client.BadRequest", 400)


@pytest.mark.parametrize(
    "path",
    [
        "/../admin", "/a/../../b", "/a/..", "/.", "/./a", "/%2e%2e/admin", "/%2E%2e/", "/.%2e/", "/a%2F..%2Fb",
        "/..%2fadmin", "/..;/admin", "/..;x=y/admin", "/.;/", "/a//b", "//", "//etc/passwd", "/a/;/b", "/;",
        "/%2F/a", "/a%2F%2Fb", "/%5c", "/..%5cadmin", "/a%5Cb", "/%252e%252e/admin",
        "/%25", "/a%00b", "/a%0d%0ab", "/%7f", "/%C2%85",
    ],
)  # fmt: skip
def test_a_path_that_could_leave_its_service_is_refused_on_both_sides(path: str) -> None:
    with pytest.raises(InvalidRequest):
        make(target=SERVICE + path)

    head = make().head.replace(SERVICE.encode(), (SERVICE + path).encode())
    with pytest.raises(InvalidRest):
        rest.RestRequest.from_head(head)


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/a.b/..c/d..", "/.well-known/x", "/a;b=c/d;e", "/~x/@y/z:1,2", "/%41%2F%42"]
)
def test_an_honest_path_passes_unchanged(path: str) -> None:
    assert make(target=SERVICE + path).service_path == path


def test_limits_hold_to_the_byte() -> None:
    longest = SERVICE + "/" + "x" * (rest.MAX_TARGET_CHARACTERS - len(SERVICE) - 1)
    fields = tuple((f"a{number}", "") for number in range(rest.MAX_HEADERS - 1))
    room = rest.MAX_HEAD_BYTES - len(make(headers=(CLIENT, ("a", ""))).head)

    assert make(target=longest).path == longest
    assert rest.RestRequest.from_head(make(headers=(CLIENT, *fields)).head).headers[1:-2] == fields
    assert len(make(headers=(CLIENT, ("a", "x" * room))).head) == rest.MAX_HEAD_BYTES
    for target, headers in (
        (longest + "x", (CLIENT,)),
        (SERVICE, (CLIENT, *fields, ("b", ""))),
        (SERVICE, (CLIENT, ("a", "x" * (room + 1)))),
    ):
        with pytest.raises(InvalidRequest):
            make(target=target, headers=headers)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        pytest.param((), InvalidClientIdentifier, id="no-client"),
        pytest.param((("X-Road-Client", ""),), InvalidClientIdentifier, id="empty-client"),
        pytest.param((("X-Road-Client", "A/B"),), InvalidClientIdentifier, id="short-client"),
        pytest.param((("X-Road-Client", "A/B/C/D/E"),), InvalidClientIdentifier, id="long-client"),
        pytest.param((("X-Road-Client", "A/B/ក"),), InvalidClientIdentifier, id="bare-khmer-client"),
        pytest.param((CLIENT, CLIENT), DuplicateHeaderField, id="client-twice"),
        pytest.param((CLIENT, ("x-road-client", "A/B/C")), DuplicateHeaderField, id="two-clients"),
        pytest.param((CLIENT, ("X-Road-Id", "1"), ("x-road-id", "2")), DuplicateHeaderField, id="two-ids"),
        pytest.param((CLIENT, ("X-Road-Id", " ")), InvalidRequest, id="empty-id"),
        pytest.param((CLIENT, ("X-Road-Id", "x" * 256)), InvalidRequest, id="long-id"),
        pytest.param((CLIENT, ("X-Road-Security-Server", "A/B/C")), InvalidClientIdentifier, id="short-server"),
        pytest.param((CLIENT, ("X-A", "b\r\nX-Road-Client:A/B/C")), InvalidRequest, id="line-break-in-value"),
        pytest.param((CLIENT, ("X-A", "b\nc")), InvalidRequest, id="line-feed-in-value"),
        pytest.param((CLIENT, ("X-A", "b\x00")), InvalidRequest, id="nul-in-value"),
        pytest.param((CLIENT, ("X-A\r\nX-B", "c")), InvalidRequest, id="line-break-in-name"),
        pytest.param((CLIENT, ("X-A:b", "c")), InvalidRequest, id="colon-in-name"),
        pytest.param((CLIENT, ("", "c")), InvalidRequest, id="no-name"),
    ],
)
def test_headers_that_mislead_are_refused(headers: tuple[rest.Header, ...], error: type[XRoadError]) -> None:
    with pytest.raises(error) as refused:
        make(headers=headers)

    assert refused.value.http_status == 400


def test_headers_of_one_hop_stay_behind() -> None:
    request = make(
        headers=(
            CLIENT,
            *(
                (name, "x")
                for name in (
                    "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
                    "Upgrade", "User-Agent", "Host", "Content-Length", "Server", "Expect", "Proxy-Connection",
                )
            ),
            ("Connection", "close, X-Hop, X-Road-Client"),
            ("X-Hop", "1"),
            ("X-Powered-By", "PHP"),
            ("Cache-Control", "no-cache"),
        )
    )  # fmt: skip

    assert [name for name, _ in request.headers] == [
        "X-Road-Client", "X-Powered-By", "Cache-Control", "x-road-request-id", "x-road-id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [("ក", "ក"), ("caf\udce9", "café"), ("\udce1\udc9e\udc80x\udcff", "á\x9e\x80xÿ")]
)
def test_header_values_that_are_not_ascii_cross_as_utf8(value: str, text: str) -> None:
    request = make(headers=(CLIENT, ("X-A", value)))

    assert ("X-A", text) in request.headers
    assert rest.RestRequest.from_head(request.head).headers == request.headers


@pytest.mark.parametrize(
    "head",
    [
        b"", b"GET", b"GET\r\n", b"GET\r\n\r\n", b"get\r\n/r1/I/C/M/S/svc\r\n", b"GET /r1/I/C/M/S/svc\r\n",
        b"GET\r\nhttp://h/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\n",
        b"GET\r\n//h/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\n",
        b"GET\n/r1/I/C/M/S/svc\nx-road-client:I/C/M\nx-road-id:1\nx-road-request-id:2\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-id:1\r\nx-road-request-id:2\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-request-id:2\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-client:I/C/N\r\nx-road-id:1\r\nx-road-request-id:2\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\nhost:x\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\nno colon\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\na:b\rc:d\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\na:\xff\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\n\r\n",
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\na:" + b"x" * 65536,
        b"GET\r\n/r1/I/C/M/S/svc\r\nx-road-client:I/C/M\r\nx-road-id:1\r\nx-road-request-id:2\r\n" + b"a:b\r\n" * 140,
    ],
)  # fmt: skip
def test_a_head_that_no_x_road_writes_is_refused(head: bytes) -> None:
    with pytest.raises(InvalidRest):
        rest.RestRequest.from_head(head)


def test_a_head_without_its_last_line_end_is_read_as_the_reference_reads_it() -> None:
    head = make().head.removesuffix(b"\r\n")

    assert rest.RestRequest.from_head(head).head == head


def test_the_request_hash_is_the_protocols() -> None:
    head, body = b"head", hashlib.sha512(b"body").digest()
    head_digest = hashlib.sha512(head).digest()

    assert rest.request_hash(head, None) == head_digest
    assert rest.request_hash(head, body) == hashlib.sha512(head_digest + body).digest()


def test_the_response_head_is_byte_for_byte_what_the_reference_signs() -> None:
    request = make(target=SERVICE + "/x")
    digest = rest.request_hash(request.head, None)

    response = answer(
        request,
        ("Content-Type", "application/json"),
        ("Server", "nginx"),
        ("Connection", "close"),
        ("X-Road-Id", "forged"),
        ("X-Road-Client", "forged"),
        ("X-Road-Service", "forged"),
        ("X-Road-Request-Id", "forged"),
        ("X-Road-Request-Hash", "forged"),
        ("X-Road-Error", "forged"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
    )

    assert response.head_bytes() == (
        b"200\r\nOK\r\n"
        b"Content-Type:application/json\r\nSet-Cookie:a=b\r\nSet-Cookie:c=d\r\n"
        b"x-road-id:KH-1\r\n"
        b"x-road-client:KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE\r\n"
        b"x-road-service:KH-SANDBOX/GOV/MOP/IDPOOR/household\r\n"
        b"x-road-request-id:f92591a3-6bf0-49b1-987b-0dd78c034cc3\r\n"
        b"x-road-request-hash:" + base64.b64encode(digest) + b"\r\n"
    )
    assert rest.RestResponse.from_head(response.head) == response


def test_a_response_answers_its_own_request_only() -> None:
    request = make()
    response, digest = answer(request), rest.request_hash(request.head, None)

    response.check_answers(request, digest)
    for other in (
        request._replace(client=PROVIDER),
        request._replace(query_id="another"),
        request._replace(request_id="another"),
        request._replace(service=ServiceId(PROVIDER, "another")),
    ):
        with pytest.raises(InconsistentResponse):
            response.check_answers(other, digest)
    with pytest.raises(InconsistentResponse):
        response.check_answers(request, rest.request_hash(request.head, hashlib.sha512(b"").digest()))


@pytest.mark.parametrize(
    ("status", "reason", "headers"),
    [
        (101, "Switching Protocols", ()), (199, "", ()),
        (99, "", ()), (600, "", ()), (1000, "", ()), (200, "O\r\nK", ()), (200, "OK", (("a", "b\r\nc"),)),
        (200, "OK", (("a", "x" * 70_000),)), (200, "OK", (("X-Road-UserId", "1"), ("X-Road-UserId", "2"))),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_carried_is_the_services_fault(
    status: int, reason: str, headers: tuple[rest.Header, ...]
) -> None:
    with pytest.raises(InvalidResponse):
        rest.RestResponse.for_request(make(), status, reason, headers, b"hash")


def test_an_empty_or_foreign_reason_is_carried() -> None:
    for reason, written in (("", ""), ("Trouv\udce9", "Trouvé")):
        response = rest.RestResponse.for_request(make(), 200, reason, (), b"hash")

        assert rest.RestResponse.from_head(response.head).reason == written


@pytest.mark.parametrize(
    "missing", ["x-road-id", "x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash"]
)
def test_a_response_head_without_its_bonds_is_refused(missing: str) -> None:
    head = answer(make()).head.replace(missing.encode() + b":", b"x-other:")

    with pytest.raises(InvalidRest):
        rest.RestResponse.from_head(head)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"200\r\n", b"101\r\n"),
        (b"200\r\n", b"2OO\r\n"), (b"200\r\n", b"20\r\n"), (b"200\r\n", b"\xd9\xa2\xd9\xa0\xd9\xa0\r\n"),
        (b"x-road-request-hash:", b"x-road-request-hash:!"), (b"x-road-client:", b"x-road-client:%"),
        (b"x-road-service:", b"x-road-service:/"), (b"OK\r\n", b"OK\n"),
    ],
)  # fmt: skip
def test_a_malformed_response_head_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(InvalidRest):
        rest.RestResponse.from_head(answer(make()).head.replace(old, new, 1))


def test_an_error_is_told_in_json_with_blame_and_remedy() -> None:
    error = AccessDenied("Not allowed.").prefixed("Server.ServerProxy")

    told = rest.error_response(error, ["*/*"])

    assert told.status == 500
    assert told.headers == (
        ("Content-Type", "application/json;charset=utf-8"),
        ("X-Road-Error", "Server.ServerProxy.AccessDenied"),
    )
    document = json.loads(told.body)
    assert document["remedy"].keys() == {"en", "km"}
    assert (document["type"], document["message"], document["detail"], document["blame"]) == (
        "Server.ServerProxy.AccessDenied", "Not allowed.", error.error_id, "caller",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/xml", "text/xml"),
        ("application/json;q=0.1, application/xml;q=0.9", "application/xml"),
        ("TEXT/*", "text/xml"),
        ("text/xml, application/json", "text/xml"),
        ("text/html, */*;q=0.8, application/xml;q=0.1", "application/xml"),
    ],
)
def test_an_error_is_told_in_xml_to_whom_accepts_it(accept: str, media_type: str) -> None:
    told = rest.error_response(BadRequest("<&\x00>"), [accept])

    root = xmlsafe.parse(told.body)
    assert told.headers[0] == ("Content-Type", f"{media_type};charset=utf-8")
    assert told.status == 400
    assert [xmlsafe.text(root[place]) for place in range(2)] == ["Client.BadRequest", "<&\ufffd>"]


@pytest.mark.parametrize(
    "accept",
    [
        "application/json, application/xml", "application/json;q=1, text/xml;q=0.5", "application/xml;q=0",
        "text/html", "", ";;q=", "application/json;Q = 0.9;x=y,text/xml ; q=0.8",
    ],
)  # fmt: skip
def test_an_error_is_told_in_json_to_whom_likes_it_as_much(accept: str) -> None:
    told = rest.error_response(BadRequest("x"), [accept])

    assert told.headers[0] == ("Content-Type", "application/json;charset=utf-8")


def test_a_peers_code_writes_no_headers() -> None:
    told = rest.error_response(RemoteFault("Server.X\r\nSet-Cookie: a", "b"))

    assert told.headers[1] == ("X-Road-Error", "Server.XSet-Cookiea")
