"""The OCSP relay, asked by our own client and by others, and the client against relays that answer nonsense."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from securityserver.frontdoor import FrontDoor
from securityserver.limits import Limits
from securityserver.ocsprelay import OcspRelay
from securityserver.relay_client import RelayAnswer, RelayClient
from serverkit.http import Listen
from tests.support.little import http_server
from tests.support.pki import AT, Pki
from xroad.certificates import relay_hash
from xroad.errors import NetworkError, SslAuthenticationFailed

PKI = Pki.create()
CERTIFICATE = PKI.issue_auth().certificate
# Line breaks and dashes as a boundary has them must not confuse anybody.
RESPONSE = PKI.ocsp(CERTIFICATE) + b"\r\n--\r\n"
NAME = relay_hash(CERTIFICATE)


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Listen]:
    answering = OcspRelay(lambda: {NAME: RESPONSE}, lambda: True)
    door = await FrontDoor.open(answering.handle, answering.unreadable, (Listen("127.0.0.1", 0),), Limits())
    yield door.addresses[0]
    await door.close(1)


async def test_our_client_gets_the_response_and_the_announcement(relay: Listen, session: aiohttp.ClientSession) -> None:
    client = RelayClient(session, relay.port, 5)
    answer = await client.fetch(CERTIFICATE, relay.host, AT)
    assert answer == RelayAnswer(RESPONSE, direct_references=True)


async def test_a_server_that_keeps_no_requests_announces_nothing(session: aiohttp.ClientSession) -> None:
    answering = OcspRelay(lambda: {NAME: RESPONSE}, lambda: False)
    door = await FrontDoor.open(answering.handle, answering.unreadable, (Listen("127.0.0.1", 0),), Limits())
    [place] = door.addresses
    answer = await RelayClient(session, place.port, 5).fetch(CERTIFICATE, place.host, AT)
    await door.close(1)
    assert answer == RelayAnswer(RESPONSE, direct_references=False)


async def test_an_answer_is_remembered_only_once_it_is_verified(relay: Listen, session: aiohttp.ClientSession) -> None:
    client = RelayClient(session, relay.port, 5)
    answer = await client.fetch(CERTIFICATE, relay.host, AT)
    assert client.known(CERTIFICATE, AT) is None
    client.remember(CERTIFICATE, answer, AT + timedelta(hours=1))
    assert client.known(CERTIFICATE, AT) == answer
    assert client.known(CERTIFICATE, AT + timedelta(hours=2)) is None


@pytest.mark.parametrize(
    "query",
    ["", "?cert=", f"?cert={NAME}&cert=00", "?cert=" + "&cert=".join([NAME] * 17), "?x=y"],
    ids=["nothing", "empty", "one-unknown", "too-many", "another-name"],  # the certificate is another in each process
)
async def test_what_the_relay_cannot_answer_is_500(relay: Listen, session: aiohttp.ClientSession, query: str) -> None:
    async with session.get(f"http://{relay}/{query}") as answer:
        assert answer.status == 500


async def test_the_relay_speaks_as_the_protocol_says(relay: Listen, session: aiohttp.ClientSession) -> None:
    async with session.get(f"http://{relay}/?cert={NAME.upper()}&cert={NAME}") as answer:
        assert answer.content_type == "multipart/related"
        boundary = answer.headers["Content-Type"].rpartition("=")[2].encode()
        body = await answer.read()
    assert body.count(b"--" + boundary) == 3
    assert body.count(b"Content-Type: application/ocsp-response\r\n\r\n" + RESPONSE + b"\r\n--" + boundary) == 2
    async with session.head(f"http://{relay}/") as answer:
        assert answer.status == 200
    async with session.post(f"http://{relay}/?cert={NAME}") as answer:
        assert answer.status == 500


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def saying(status: int, body: bytes, content_type: str) -> Handler:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={"Content-Type": content_type})

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        saying(500, b"none", "text/plain"),
        saying(200, b"none", "text/plain"),
        saying(200, b"--b--\r\n", "multipart/related; boundary=b"),
        saying(200, b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--", "multipart/related; boundary=b"),
        saying(200, b"--b\r\n\r\nx\r\n", "multipart/related; boundary=b"),
    ],
)
async def test_nonsense_from_a_relay_is_told_as_the_peers_fault(
    session: aiohttp.ClientSession, answer: Handler
) -> None:
    async with http_server(answer, "127.0.0.1") as port:
        with pytest.raises(SslAuthenticationFailed):
            await RelayClient(session, port, 5).fetch(CERTIFICATE, "127.0.0.1", AT)


async def test_a_relay_that_is_away_or_floods_is_told_with_its_address(session: aiohttp.ClientSession) -> None:
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1, port 9"):
        await RelayClient(session, 9, 5).fetch(CERTIFICATE, "127.0.0.1", AT)
    async with http_server(saying(200, bytes(1_000_000), "multipart/related; boundary=b"), "127.0.0.1") as port:
        with pytest.raises(NetworkError):
            await RelayClient(session, port, 5).fetch(CERTIFICATE, "127.0.0.1", AT)


async def test_a_relay_cannot_send_this_server_elsewhere(relay: Listen, session: aiohttp.ClientSession) -> None:
    async def elsewhere(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"http://{relay}{request.raw_path}"})

    async with http_server(elsewhere, "127.0.0.1") as port:
        with pytest.raises(SslAuthenticationFailed):
            await RelayClient(session, port, 5).fetch(CERTIFICATE, "127.0.0.1", AT)
