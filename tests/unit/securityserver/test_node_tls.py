"""TLS contexts: who is let into a handshake, what a refused one tells, and how contexts change under a listener."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from securityserver.tls import (
    NodeContext,
    client_server_context,
    peer_certificate,
    peer_client_context,
    peer_server_context,
    switching,
)
from tests.support.pki import AT, Pki, leaf, name
from tests.support.stamps import Issued


def loaded(context: NodeContext, issued: Issued) -> NodeContext:
    with tempfile.NamedTemporaryFile() as file:
        file.write(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(issued.certificate.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = peer_certificate(writer.get_extra_info("ssl_object"))
        writer.write(b"%d" % len(shown or b""))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def reading(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.fixture(scope="module")
def authority() -> Pki:
    return Pki.create()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_expired_certificate_is_left_to_our_own_check(authority: Pki, version: ssl.TLSVersion) -> None:
    expired = leaf(authority.root, name("old"), "ec-p256", AT, "auth", not_after=AT - timedelta(days=20))
    inward = loaded(peer_server_context(authority.ca_certificates), authority.issue_auth())
    outward = loaded(peer_client_context(authority.ca_certificates), expired)
    outward.maximum_version = version
    async with listening(inward) as port:
        assert int(await reading(port, outward)) > 100


async def test_a_strange_authority_is_refused_and_reported(authority: Pki) -> None:
    told: list[str] = []
    inward = loaded(peer_server_context(authority.ca_certificates, told.append), authority.issue_auth())
    outward = loaded(peer_client_context(authority.ca_certificates), Pki.create(label="Other").issue_auth())
    outward.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(inward) as port:
        with pytest.raises(OSError):  # noqa: PT011  # an alert or a reset, as the timing has it
            await reading(port, outward)
    assert told == ["unable to get local issuer certificate"]


async def test_no_certificate_is_refused_at_the_message_port(authority: Pki) -> None:
    told: list[str] = []
    inward = loaded(peer_server_context(authority.ca_certificates, told.append), authority.issue_auth())
    outward = peer_client_context(authority.ca_certificates)
    outward.maximum_version = ssl.TLSVersion.TLSv1_2
    async with listening(inward) as port:
        with pytest.raises(OSError):  # noqa: PT011  # as above
            await reading(port, outward)
    assert told


async def test_old_protocols_are_refused(authority: Pki) -> None:
    inward = loaded(peer_server_context(authority.ca_certificates), authority.issue_auth())
    assert inward.minimum_version == ssl.TLSVersion.TLSv1_2
    assert peer_client_context(()).minimum_version == ssl.TLSVersion.TLSv1_2


async def test_clients_may_come_without_a_certificate_or_with_a_registered_one(authority: Pki) -> None:
    client = authority.issue_auth("client.example")
    inward = loaded(client_server_context((client.certificate,)), authority.issue_auth())
    async with listening(inward) as port:
        assert await reading(port, peer_client_context(authority.ca_certificates)) == b"0"
        assert int(await reading(port, loaded(peer_client_context(authority.ca_certificates), client))) > 100


async def test_a_listener_serves_each_connection_with_the_context_of_the_moment(authority: Pki) -> None:
    current: NodeContext | None = None
    base = switching(lambda: current, peer_server_context(()))
    outward = loaded(peer_client_context(authority.ca_certificates), authority.issue_auth("peer"))
    async with listening(base) as port:
        with pytest.raises(OSError):  # noqa: PT011  # nothing to serve with yet
            await reading(port, outward)
        current = loaded(peer_server_context(authority.ca_certificates), authority.issue_auth())
        assert int(await reading(port, outward)) > 100
