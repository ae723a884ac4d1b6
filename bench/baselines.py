"""The two things that the bus is compared with: a bare backend, and plain mutual-TLS reverse proxies in aiohttp.

Neither signs, verifies nor logs anything. Each runs as a process of its own, ``python -m bench.baselines`` with
``backend PORT``, ``near PORT NEXT_URL TLS_DIR`` (HTTP in, mutual TLS out) or ``far PORT NEXT_URL TLS_DIR`` (the
reverse).
"""

import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
LIMIT = 1 << 30
SESSION = web.AppKey("session", aiohttp.ClientSession)


def tls(directory: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    """Build a mutual-TLS context from ``cert.pem``, ``key.pem`` and ``ca.pem``."""
    context = ssl.create_default_context(purpose, cafile=str(directory / "ca.pem"))
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def echo(request: web.Request) -> web.Response:
    """Answer a request with its own body, as a small service would."""
    return web.Response(body=await request.read(), content_type="application/json")


def proxy_app(next_url: str, context: ssl.SSLContext | None) -> web.Application:
    """Build an application that forwards each request to the next hop over pooled connections."""
    app = web.Application(client_max_size=LIMIT)

    async def session(_: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, ssl=context if context is not None else True)
        async with aiohttp.ClientSession(connector=connector) as app[SESSION]:
            yield

    async def forward(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        body = await request.read()
        url = next_url + request.raw_path
        async with request.app[SESSION].request(request.method, url, headers=headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{tail:.*}", forward)
    return app


def main() -> None:
    """Run one of the three roles until the process is terminated."""
    role, port = sys.argv[1], int(sys.argv[2])
    if role == "backend":
        app, server_tls = web.Application(), None
        app.router.add_route("*", "/{tail:.*}", echo)
    else:
        directory = Path(sys.argv[4])
        outgoing = tls(directory, ssl.Purpose.SERVER_AUTH) if role == "near" else None
        app = proxy_app(sys.argv[3], outgoing)
        server_tls = tls(directory, ssl.Purpose.CLIENT_AUTH) if role == "far" else None
    web.run_app(app, host="127.0.0.1", port=port, ssl_context=server_tls, print=None, access_log=None)


if __name__ == "__main__":
    main()
