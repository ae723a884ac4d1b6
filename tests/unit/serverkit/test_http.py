import asyncio
import io
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from serverkit.http import Handler, HttpServer, Listen, RequestLimits, new_application, stop_signal

LOCAL = Listen("127.0.0.1", 0)


@asynccontextmanager
async def serving(handler: web.Application | Handler, **options: Any) -> AsyncIterator[tuple[HttpServer, str]]:
    server = await HttpServer.start(handler, [LOCAL], **options)
    try:
        yield server, f"http://{server.addresses[0]}"
    finally:
        await server.close()


def application(handler: Any) -> web.Application:
    app = new_application()
    app.router.add_route("*", "/{tail:.*}", handler)
    return app


async def hello(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        ("[::1]:0", Listen("::1", 0)),
        ("node.example:65535", Listen("node.example", 65535)),
    ],
)
def test_addresses(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert str(listen) == text


@pytest.mark.parametrize(
    "text", ["", "80", ":80", "host", "host:", "host:x", "host:65536", "::1:80", "host:-1", "host:8²"]
)
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Listen.parse(text)


async def test_several_addresses_with_real_ports() -> None:
    server = await HttpServer.start(application(hello), [LOCAL, LOCAL])
    ports = {address.port for address in server.addresses}
    assert len(ports) == 2
    assert 0 not in ports
    async with aiohttp.ClientSession() as session:
        for address in server.addresses:
            async with session.get(f"http://{address}/") as response:
                assert await response.text() == "hello"
                assert "Server" not in response.headers
    await server.close()


async def test_all_addresses_or_none() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await HttpServer.start(hello, [Listen("127.0.0.1", free), Listen("127.0.0.1", taken.getsockname()[1])])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", free)


async def test_a_bare_handler_gets_every_request() -> None:
    async def show(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    async with serving(show) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0].port)
        writer.write(
            b"GET http://other.example/a%2Fb/../c?d HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"
        )
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.endswith(b"http://other.example/a%2Fb/../c?d")


@pytest.mark.parametrize("target", [{"path": "/" + "x" * 2000}, {"headers": {"X-Long": "x" * 2000}}])
async def test_limits(target: dict[str, Any]) -> None:
    limits = RequestLimits(max_line_size=1000, max_field_size=1000)
    path, headers = target.get("path", "/"), target.get("headers")
    async with (
        serving(application(hello), limits=limits) as (_, url),
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=headers) as response,
    ):
        assert response.status == 400


async def test_bodies_have_no_limit_of_their_own() -> None:
    async def size(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async with (
        serving(application(size)) as (_, url),
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(bytes(3_000_000))) as response,
    ):
        assert await response.text() == "3000000"


async def test_close_lets_requests_in_flight_finish_and_accepts_no_more() -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await finish.wait()
        return web.Response(text="done")

    server = await HttpServer.start(slow, [LOCAL])
    url = f"http://{server.addresses[0]}"
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        answer = group.create_task(session.get(url))
        await started.wait()
        closing = group.create_task(server.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.addresses[0].port)
        finish.set()
        response = await answer
        assert await response.text() == "done"


async def test_close_cuts_what_takes_too_long() -> None:
    started = asyncio.Event()

    async def hang(_request: web.BaseRequest) -> web.StreamResponse:
        started.set()
        await asyncio.Event().wait()
        return web.Response()

    server = await HttpServer.start(hang, [LOCAL], shutdown_seconds=0.1)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        answer = group.create_task(failing_get(session, f"http://{server.addresses[0]}"))
        await started.wait()
        async with asyncio.timeout(3):
            await server.close()
        assert await answer


async def failing_get(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url):
            return False
    except aiohttp.ClientError:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stop_signal(number: signal.Signals) -> None:
    asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), number)
    assert await stop_signal() is number
