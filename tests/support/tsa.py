"""Time-stamping authorities on loopback, good ones and ones that misbehave, and trust in them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.globalconf import private_parameters
from tests.support.little import http_server
from tests.support.pki import AT, Pki
from tests.support.stamps import Recipe, recipe, response
from xroad import timestamp_asn1 as shapes
from xroad.globalconf.index import build_index
from xroad.globalconf.parameters.model import SharedParameters, TsaInfo
from xroad.globalconf.snapshot import KnownInstance, TrustSnapshot, snapshot_digest

STRANGER = Pki.create(label="Stranger")
SLOW_SECONDS = 5.0

Behaviour = Callable[["TsaServer", Recipe], Awaitable[web.StreamResponse]]


def reply(der: bytes) -> web.Response:
    return web.Response(body=der, content_type="application/timestamp-reply")


async def _good(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(made_of))


async def _other_imprint(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, digest=bytes(64))))


async def _other_nonce(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, nonce=1 + (made_of.nonce or 0))))


async def _no_nonce(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, nonce=None)))


async def _unapproved(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, signer=STRANGER.tsa, named=STRANGER.tsa.certificate)))


async def _rejection(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(made_of, status=2, text="not today"))


async def _from_the_past(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, at=made_of.at - timedelta(hours=1))))


async def _from_the_future(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    return reply(response(replace(made_of, at=made_of.at + timedelta(hours=1))))


async def _altered(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    der = bytearray(response(made_of))
    der[-1] ^= 1  # the last octet of the signature
    return reply(bytes(der))


async def _garbage(_server: "TsaServer", _made_of: Recipe) -> web.StreamResponse:
    return reply(b"\x30\x03not")


async def _too_long(_server: "TsaServer", _made_of: Recipe) -> web.StreamResponse:
    return reply(bytes(1024 * 1024))


async def _error(_server: "TsaServer", _made_of: Recipe) -> web.StreamResponse:
    return web.Response(status=500, text="<html>out of order</html>")


async def _redirect(server: "TsaServer", _made_of: Recipe) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": server.url})


async def _slow(_server: "TsaServer", made_of: Recipe) -> web.StreamResponse:
    await asyncio.sleep(SLOW_SECONDS)
    return reply(response(made_of))


GOOD: Behaviour = _good
ERROR: Behaviour = _error
# By what is wrong, with a word of the reason that must be told.
BAD: dict[str, tuple[Behaviour, str]] = {
    "wrong imprint": (_other_imprint, "over other data"),
    "wrong nonce": (_other_nonce, "another request"),
    "no nonce": (_no_nonce, "another request"),
    "unapproved signer": (_unapproved, "approves"),
    "rejection": (_rejection, "not today"),
    "from the past": (_from_the_past, "from the past"),
    "from the future": (_from_the_future, "from the future"),
    "altered": (_altered, "does not hold"),
    "garbage": (_garbage, "of no use"),
    "too long": (_too_long, "longer than"),
    "HTTP 500": (_error, "HTTP status 500"),
    "redirect": (_redirect, "HTTP status 302"),
    "slow": (_slow, "no answer within"),
}


@dataclass(slots=True)
class TsaServer:
    """One authority: what it does with a request, and the requests that it got."""

    authority: Pki
    now: Callable[[], datetime]
    behaviour: Behaviour = GOOD
    url: str = ""
    requests: list[shapes.TimeStampReq] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def serving(
        cls, authority: Pki, now: Callable[[], datetime] = lambda: AT, host: str = "127.0.0.1"
    ) -> AsyncIterator[Self]:
        server = cls(authority, now)
        async with http_server(server.handle, host) as port:
            server.url = f"http://{host}:{port}/tsa"
            yield server

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.content_type == "application/timestamp-query"
        asked = asn1.decode_der(shapes.TimeStampReq, await request.read())
        self.requests.append(asked)
        made_of = recipe(self.authority.tsa, asked.message_imprint.hashed_message, self.now())
        return await self.behaviour(self, replace(made_of, nonce=asked.nonce))


def trust_in_tsas(*tsas: tuple[str, str, x509.Certificate], interval: int = 60) -> TrustSnapshot:
    """Give a snapshot that approves time-stamping authorities: name, URL, certificate."""
    shared = SharedParameters(
        instance="KH-SANDBOX",
        ocsp_freshness_seconds=3600,
        approved_tsas=tuple(
            TsaInfo(name, url, certificate.public_bytes(Encoding.DER)) for name, url, certificate in tsas
        ),
    )
    expires = AT + timedelta(days=3650)
    known = {"KH-SANDBOX": KnownInstance(build_index(shared, 6, repr(tsas)), expires)}
    private = replace(private_parameters(), time_stamping_interval_seconds=interval)
    return TrustSnapshot("KH-SANDBOX", snapshot_digest("KH-SANDBOX", known, ""), expires, private, known)
