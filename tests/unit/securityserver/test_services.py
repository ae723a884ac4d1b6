"""Calls to an institution's services: what goes out, what comes back, and whose fault each failure is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from securityserver.internaltls import InternalKey
from securityserver.messagelog import Body
from securityserver.serverconf import Service
from securityserver.services import ServiceClient
from tests.support.little import Backend
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
    return Service(NAME, url, timeout, tls_verify=True, tls_certificate=None, disabled=None, endpoints=())


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
