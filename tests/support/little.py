"""The small servers around two nodes: a backend, an OCSP responder, a configuration source, and a man in the middle."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.x509.ocsp import load_der_ocsp_request

from securityserver.tls import peer_client_context
from tests.support.pki import Pki
from tests.support.serverside import strict_server_context

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def http_server(
    handler: Handler, host: str, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve every request with one handler; give the port."""
    runner = web.ServerRunner(web.Server(handler, access_log=None, auto_decompress=False), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def whole(request: web.BaseRequest) -> bytes:
    """Read a body of any size; aiohttp's own ``read`` has a limit."""
    return b"".join([piece async for piece in request.content.iter_any()])


# Answers that no HTTP library would write.
RAW_ANSWERS: Final = {
    "/garbage": b"this is no HTTP\r\n\r\n",
    "/many-headers": b"HTTP/1.1 200 OK\r\n" + b"X-Many: a\r\n" * 500 + b"Content-Length: 0\r\n\r\n",
    "/long-header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "/untyped": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
}


@dataclass(slots=True)
class Call:
    """One request as the backend got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_size: int


@dataclass(slots=True)
class Backend:
    """The institution's service: echoes, and misbehaves under some paths."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def serving(cls, host: str) -> AsyncIterator[Self]:
        backend = cls()
        async with http_server(backend.handle, host) as port:
            backend.url = f"http://{host}:{port}"
            yield backend

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.called.set()
        if "/keep" not in request.raw_path:
            body = await whole(request)
        else:
            body, size = b"", 0
            async for piece in request.content.iter_any():
                size += len(piece)
            self.calls.append(Call(request.method, request.raw_path, list(request.headers.items()), size))
            return web.Response(text=str(size))
        self.calls.append(Call(request.method, request.raw_path, list(request.headers.items()), len(body)))
        path = request.raw_path.partition("?")[0].removeprefix("/base")
        special = {"/slow": self._slow, "/cut": self._cut, "/redirect": self._redirect, "/big": self._big}
        for prefix, answer in special.items():
            if path.startswith(prefix):
                return await answer(request)
        if path in RAW_ANSWERS:
            return self._raw(request, RAW_ANSWERS[path])
        if path.startswith("/status/"):
            return web.Response(status=int(path.rpartition("/")[2]), text="as asked")
        return self._echo(request, body)

    def _echo(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        if request.raw_path.startswith("/base/empty"):
            return web.Response(status=204)
        if request.method == "HEAD":
            return web.Response(headers={"X-Echo-Method": "HEAD"})
        headers = {"X-Echo-Method": request.method, "X-Echo-Target": request.raw_path, "Server": "leaky/1.0"}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        return web.Response(body=body, headers=headers)

    async def _slow(self, _request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(2)
        return web.Response(text="late")

    async def _cut(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"only this")
        assert request.transport is not None
        request.transport.abort()
        return answer

    def _raw(self, request: web.BaseRequest, answer: bytes) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(answer)
        request.transport.close()
        return web.StreamResponse()

    async def _redirect(self, _request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    async def _big(self, request: web.BaseRequest) -> web.StreamResponse:
        size, piece = int(request.raw_path.partition("?")[2]), b"x" * 65536
        answer = web.StreamResponse()
        answer.content_length = size
        await answer.prepare(request)
        while size:
            await answer.write(piece[: min(size, len(piece))])
            size -= min(size, len(piece))
        return answer


@dataclass(slots=True)
class OcspServer:
    """The authority's responder; ``status`` by serial number, good where nothing is said."""

    authority: Pki
    now: Callable[[], datetime]
    url: str = ""
    known: dict[int, x509.Certificate] = field(default_factory=dict)
    status: dict[int, Any] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def serving(cls, host: str, authority: Pki, now: Callable[[], datetime]) -> AsyncIterator[Self]:
        server = cls(authority, now)
        async with http_server(server.handle, host) as port:
            server.url = f"http://{host}:{port}/ocsp"
            yield server

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        serial = load_der_ocsp_request(await request.read()).serial_number
        if serial not in self.known or self.status.get(serial) == "none":
            return web.Response(status=500)
        return web.Response(body=self.response(self.known[serial]), content_type="application/ocsp-response")

    def response(self, certificate: x509.Certificate, *, age: timedelta = timedelta(minutes=5)) -> bytes:
        status = self.status.get(certificate.serial_number, "good")
        return self.authority.ocsp(certificate, status=status, this_update=self.now() - age)


@dataclass(slots=True)
class ConfigurationServer:
    """Serves the signed directory and its parts; ``away`` makes it answer nothing of use, ``wait`` nothing for now."""

    url: str = ""
    directory: bytes = b""
    contents: dict[str, bytes] = field(default_factory=dict)
    away: bool = False
    wait: asyncio.Event | None = None
    redirect: str | None = None

    @classmethod
    @asynccontextmanager
    async def serving(cls, host: str) -> AsyncIterator[Self]:
        server = cls()
        async with http_server(server.handle, host) as port:
            server.url = f"http://{host}:{port}"
            yield server

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if self.wait is not None:
            await self.wait.wait()
        if self.away:
            return web.Response(status=503)
        if self.redirect is not None and "?" in request.raw_path:
            return web.Response(status=302, headers={"Location": self.redirect})
        if path == "/internalconf":
            return web.Response(body=self.directory)
        content = self.contents.get(path)
        return web.Response(status=404) if content is None else web.Response(body=content)


@dataclass(slots=True)
class Middle:
    """Stands at the provider's registered address, with both servers' keys; passes on unless told otherwise."""

    instance: Any
    own: tuple[Any, Any] = (None, None)
    inward: Any = None
    outward: Any = None
    on_request: Callable[[bytes], bytes] = bytes
    on_response: Callable[[bytes], bytes] = bytes
    on_relay: Callable[[str], bytes | None] | None = None
    on_connection: Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]] | None = None
    session: Any = None
    headers: dict[str, str | None] = field(default_factory=dict)
    seen: list[bytes] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def standing(cls, instance: Any) -> AsyncIterator[Self]:
        from tests.support.instance import CONSUMER, PROVIDER  # noqa: PLC0415  # the two modules need each other

        middle = cls(instance)
        authorities = instance.authority.ca_certificates
        inward, outward = strict_server_context(authorities), peer_client_context(authorities)
        instance.keys[PROVIDER].token.load_into(inward, instance.keys[PROVIDER].auth.id)
        instance.keys[CONSUMER].token.load_into(outward, instance.keys[CONSUMER].auth.id)
        middle.own = middle.inward, middle.outward = inward, outward

        def choose(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = middle.inward

        listener = strict_server_context(authorities)
        listener.sni_callback = choose
        async with (
            http_server(middle.handle, instance.address(11), 5500, listener),
            http_server(middle.relay, instance.address(11), 5577),
            aiohttp.ClientSession(auto_decompress=False) as session,
        ):
            middle.session = session
            yield middle

    async def relay(self, request: web.BaseRequest) -> web.StreamResponse:
        """Be the provider's OCSP relay, or answer in its place."""
        if self.on_relay is not None:
            answer = self.on_relay(request.raw_path.rpartition("=")[2])
            if answer is None:
                return web.Response(status=500)
            body = b"--b\r\nContent-Type: application/ocsp-response\r\n\r\n" + answer + b"\r\n--b--\r\n"
            return web.Response(body=body, headers={"Content-Type": "multipart/related; boundary=b"})
        url = f"http://{self.instance.address(12)}:5577{request.raw_path}"
        async with self.session.get(url) as got:
            kept = {name: value for name, value in got.headers.items() if name.lower() not in HOP}
            return web.Response(status=got.status, headers=kept, body=await got.read())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.on_connection is not None:
            answer = await self.on_connection(request)
            if answer is not None:
                return answer
        raw = self.on_request(await whole(request))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        headers |= {name: value for name, value in self.headers.items() if value is not None}
        for name in [name for name, value in self.headers.items() if value is None]:
            headers.pop(name, None)
        url = f"https://{self.instance.address(12)}:5500/"
        async with self.session.post(url, data=io.BytesIO(raw), headers=headers, ssl=self.outward) as got:
            body = self.on_response(await got.read())
            self.seen.append(body)
            kept = {name: value for name, value in got.headers.items() if name.lower() not in HOP}
            return web.Response(status=got.status, headers=kept, body=body)

    def reset(self) -> None:
        """Pass everything on again."""
        self.on_request = self.on_response = bytes
        self.on_connection = self.on_relay = None
        self.inward, self.outward = self.own
        self.headers.clear()


HOP = frozenset({"host", "transfer-encoding", "content-length", "connection", "date", "server"})


def split_parts(raw: bytes) -> tuple[bytes, list[bytes]]:
    """Take a transport message apart: its boundary, and each part with its headers."""
    boundary = raw.partition(b"\r\n")[0]
    pieces = (b"\r\n" + raw).split(b"\r\n" + boundary)
    return boundary, [piece.removeprefix(b"\r\n") for piece in pieces[1:-1]]


def join_parts(boundary: bytes, parts: Iterable[bytes]) -> bytes:
    """Put a transport message together."""
    return b"".join(boundary + b"\r\n" + part + b"\r\n" for part in parts) + boundary + b"--\r\n"


def find_part(parts: list[bytes], media_type: bytes) -> int:
    """Give the place of the first part of a type."""
    return next(place for place, part in enumerate(parts) if media_type in part.partition(b"\r\n\r\n")[0])


def describe(raw: bytes) -> str:
    """Show a fault or error for assertions' messages."""
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False)
    except ValueError:
        return repr(raw[:500])
