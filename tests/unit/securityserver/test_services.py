"""Calls to an institution's services: what goes out, what comes back, and whose fault each failure is."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.internaltls import InternalKey
from securityserver.messagelog import Body
from securityserver.serverconf import Service
from securityserver.services import ServiceClient
from tests.support.little import Backend, http_server
from xroad.errors import XRoadError
from xroad.identifiers import ServiceId
from xroad.rest import RestRequest

NAME = ServiceId.parse("KH-SANDBOX/GOV/MOP/IDPOOR/echo")


@pytest_asyncio.fixture
async def backend() -> AsyncIterator[Backend]:
    async with Backend.serving("127.0.0.1") as running:
        yield running


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[ServiceClient]:
    key = InternalKey(tmp_path / "internal")
    key.create("ss1", datetime.now(UTC))
    services = ServiceClient(key)
    yield services
    await services.close()


def service(url: str, timeout: float = 5.0) -> Service:
    return Service(NAME, url, timeout, tls_certificate=None, disabled=None, endpoints=())


def request(verb: str = "GET", path: str = "/x?y=1") -> RestRequest:
    headers = (("X-Road-Client", "KH-SANDBOX/GOV/NSAF/PACKAGE"), ("X-Two", "a"), ("X-Two", "b"))
    return RestRequest.from_http(verb, f"/r1/{NAME}{path}", headers, request_id="r", default_query_id="q")


async def call(client: ServiceClient, to: Service, asked: RestRequest, body: Body | None = None) -> bytes:
    async with client.call(to, asked, body) as answer:
        return b"".join([piece async for piece in answer.body])


@pytest.mark.parametrize("url", ["{}/base", "{}/base/"])
async def test_the_address_is_joined_and_left_as_it_is(client: ServiceClient, backend: Backend, url: str) -> None:
    await call(client, service(url.format(backend.url)), request(path="/a%2Fb/%E1%9E%80?q=%20+x"))
    assert backend.calls[0].target == "/base/a%2Fb/%E1%9E%80?q=%20+x"


async def test_nothing_is_added_to_what_the_caller_sent(client: ServiceClient, backend: Backend) -> None:
    await call(client, service(backend.url), request())
    names = {name.lower() for name, _ in backend.calls[0].headers}
    assert names == {"host", "x-road-client", "x-two", "x-road-request-id", "x-road-id"}
    assert [value for name, value in backend.calls[0].headers if name == "X-Two"] == ["a", "b"]


async def test_a_body_goes_with_its_length(client: ServiceClient, backend: Backend) -> None:
    assert await call(client, service(backend.url), request("POST"), Body.of(b"hello")) == b"hello"
    assert ("Content-Length", "5") in backend.calls[0].headers


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/slow", "IOError"),
        ("/cut", "IOError"),
        ("/garbage", "InvalidResponse"),
        ("/many-headers", "InvalidResponse"),
        ("/long-header", "InvalidResponse"),
    ],
)
async def test_a_service_that_breaks_its_answer(client: ServiceClient, backend: Backend, path: str, code: str) -> None:
    with pytest.raises(XRoadError) as refused:
        await call(client, service(backend.url, timeout=0.3), request(path=path))
    assert (refused.value.bare_code, refused.value.blame.value) == (code, "service")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "ServiceMissingUrl"),
        ("ftp://127.0.0.1/", "ServiceMalformedUrl"),
        ("http://127.0.0.1:99999/", "ServiceMalformedUrl"),
        ("http://127.0.0.1:9", "NetworkError"),
        ("http://no.such.host.invalid", "NetworkError"),
    ],
)
async def test_a_service_that_cannot_be_called(client: ServiceClient, url: str, code: str) -> None:
    with pytest.raises(XRoadError) as refused:
        await call(client, service(url), request())
    assert refused.value.bare_code == code


async def test_a_service_that_speaks_no_tls(client: ServiceClient, backend: Backend) -> None:
    with pytest.raises(XRoadError) as refused:
        await call(client, service(backend.url.replace("http:", "https:")), request())
    assert refused.value.bare_code == "ServiceFailed.SslAuthenticationFailed"


@pytest.mark.parametrize(("base", "path"), [("/base", "/base"), ("/base/", "/base/"), ("", "/"), ("/", "/")])
async def test_a_request_without_a_path_goes_to_the_address(
    client: ServiceClient, backend: Backend, base: str, path: str
) -> None:
    await call(client, service(f"{backend.url}{base}"), request(path="?q="))
    assert backend.calls[0].target == f"{path}?q="


def identity(folder: Path) -> tuple[InternalKey, bytes]:
    """Make a key, and tell its certificate."""
    key = InternalKey(folder)
    key.create("127.0.0.1", datetime.now(UTC))
    pem = key.certificate_file.read_bytes()
    return key, x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@asynccontextmanager
async def over_tls(key: InternalKey) -> AsyncIterator[Backend]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key.load_into(context)
    backend = Backend()
    async with http_server(backend.handle, "127.0.0.1", tls=context) as port:
        backend.url = f"https://127.0.0.1:{port}"
        yield backend


async def test_a_service_over_tls_shows_the_pinned_certificate(client: ServiceClient, tmp_path: Path) -> None:
    key, certificate = identity(tmp_path / "service")
    async with over_tls(key) as backend:
        pinned = replace(service(backend.url), tls_certificate=certificate)
        assert await call(client, pinned, request("POST"), Body.of(b"hello")) == b"hello"


@pytest.mark.parametrize("pinned", [True, False], ids=["another is pinned", "its authority is unknown"])
async def test_a_service_whose_certificate_is_not_trusted_gets_nothing(
    client: ServiceClient, tmp_path: Path, *, pinned: bool
) -> None:
    other = identity(tmp_path / "other")[1] if pinned else None
    async with over_tls(identity(tmp_path / "service")[0]) as backend:
        with pytest.raises(XRoadError) as refused:
            await call(client, replace(service(backend.url), tls_certificate=other), request())
    assert refused.value.bare_code == "ServiceFailed.SslAuthenticationFailed"
    assert not backend.calls


async def test_a_connection_carries_the_next_request(client: ServiceClient) -> None:
    async with once_only() as (url, connections):
        for _ in range(3):
            assert await call(client, service(url), request(path="/keep")) == b"ok"
    assert len(connections) == 1


async def test_what_may_be_sent_twice_is_sent_again_when_a_kept_connection_was_closed(client: ServiceClient) -> None:
    async with once_only() as (url, connections):
        assert await call(client, service(url), request(path="/keep")) == b"ok"
        assert await call(client, service(url), request(path="/close")) == b"ok"
        assert len(connections) == 2


async def test_what_may_not_be_sent_twice_is_not(client: ServiceClient) -> None:
    """The service may have done its work before it left: a payment would be made twice."""
    async with once_only() as (url, connections):
        assert await call(client, service(url), request(path="/keep")) == b"ok"
        with pytest.raises(XRoadError) as refused:
            await call(client, service(url), request("POST", path="/close"))
        assert len(connections) == 1
    assert refused.value.bare_code == "IOError"


@asynccontextmanager
async def once_only() -> AsyncIterator[tuple[str, list[int]]]:
    """Serve any number of requests on a connection, but leave without a word at one to /close that is not the first."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                connections[-1] += 1
                if b"/close" in head and connections[-1] > 1:
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname()), connections
