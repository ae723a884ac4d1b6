"""The way out: the own security server and no other, one attempt in a time, an answer within limits."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from adapters.errors import ConfigError
from adapters.outbox import transport
from adapters.outbox.config import ServerConfig
from adapters.outbox.transport import HttpTransport
from adapters.outbox.verdicts import Answer, Trouble
from securityserver.internaltls import InternalKey
from tests.support.outbox import RECEIVER, SENDER
from tests.support.sandboxes import free_ports

Answering = Callable[[web.Request], "asyncio.Future[web.StreamResponse] | object"]


@asynccontextmanager
async def node(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run the client port of a security server."""
    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)  # type: ignore[arg-type]  # a handler, however it answers
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def sent(server: ServerConfig, seconds: float = 20) -> Answer | Trouble:
    way = HttpTransport(server, SENDER, seconds=seconds, file="adapter.yaml")
    try:
        return await way.send(RECEIVER, "/registry/notify", "m-1", b"{}")
    finally:
        await way.close()


async def test_the_message_goes_to_the_service_in_the_own_clients_name() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=503, body=b"x", headers={"X-Road-Error": "Server.X", "Retry-After": "7"})

    async with node(answer) as url:
        assert await sent(ServerConfig(url)) == Answer(503, b"x", "Server.X", "7")
    [request] = seen
    assert request.path == f"/r1/{RECEIVER}/registry/notify"
    assert request.headers["X-Road-Client"] == SENDER
    assert request.headers["X-Road-Id"] == "m-1"
    assert request.headers["Content-Type"] == "application/json"


async def test_no_server_is_unreachable() -> None:
    [port] = free_ports(1)
    assert await sent(ServerConfig(f"http://127.0.0.1:{port}")) is Trouble.UNREACHABLE


async def test_an_attempt_ends_in_its_time() -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async with node(answer) as url:
        assert await sent(ServerConfig(url), seconds=0.2) is Trouble.TOO_SLOW


async def test_an_answer_that_drips_ends_in_its_time() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    async with node(answer) as url:
        assert await sent(ServerConfig(url), seconds=0.3) is Trouble.TOO_SLOW


async def test_an_answer_beyond_the_limit_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b" " * 1001)

    async with node(answer) as url:
        assert await sent(ServerConfig(url)) is Trouble.BROKEN


async def test_half_an_answer_is_broken() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with node(answer) as url:
        assert await sent(ServerConfig(url)) is Trouble.BROKEN


async def test_a_redirect_is_not_followed() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})

    async with node(answer) as url:
        assert await sent(ServerConfig(url)) == Answer(307, b"")


def internal(folder: Path) -> InternalKey:
    made = InternalKey(folder)
    made.create("KH/GOV/SPR/SS1", datetime.now(UTC))
    return made


async def fine(_request: web.Request) -> web.Response:
    return web.Response(body=b"fine")


async def test_only_the_pinned_server_is_spoken_to_and_it_sees_the_own_certificate(tmp_path: Path) -> None:
    server, other, own = (internal(tmp_path / name) for name in ("server", "other", "own"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_into(tls)
    tls.load_verify_locations(own.certificate_file)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    mine = {"certificate_file": own.certificate_file, "key_file": own.directory / "key.pem"}
    async with node(fine, tls) as url:
        assert await sent(ServerConfig(url, server.certificate_file, **mine)) == Answer(200, b"fine")
        assert await sent(ServerConfig(url, other.certificate_file, **mine)) is Trouble.UNREACHABLE
        assert await sent(ServerConfig(url, None, **mine)) is Trouble.UNREACHABLE
        assert isinstance(await sent(ServerConfig(url, server.certificate_file)), Trouble)


def test_keys_that_others_can_read_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    own = internal(tmp_path / "own")
    key = own.directory / "key.pem"
    key.chmod(0o640)
    (tmp_path / "empty.pem").touch()
    for server, problem in (
        (ServerConfig("https://x", own.certificate_file, own.certificate_file, key), "chmod 600"),
        (ServerConfig("https://x", tmp_path / "empty.pem"), "cannot be used"),
        (ServerConfig("https://x", tmp_path / "nothing.pem"), "cannot be used"),
    ):
        with pytest.raises(ConfigError, match=problem):
            HttpTransport(server, SENDER, seconds=1, file="adapter.yaml")
