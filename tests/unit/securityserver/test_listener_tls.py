"""TLS at the node's listeners: any certificate comes in with proof of its key; what else fails is reported."""

import asyncio
import os
import ssl
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from securityserver.listenertls import ListenerContext, Served, server_context
from securityserver.tls import CLIENT_SUITES, PEER_SUITES, peer_certificate, peer_client_context
from tests.support.pki import AT, Pki, leaf, name
from tests.support.stamps import Issued

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authority() -> Pki:
    return Pki.create()


def serving(issued: Issued, suites: str = PEER_SUITES) -> SSL.Context:
    context = server_context(suites)
    context.use_certificate(issued.certificate)
    context.use_privatekey(issued.key)
    return context


def listener(issued: Issued, told: list[str] | None = None, suites: str = PEER_SUITES) -> ListenerContext:
    context = serving(issued, suites)
    return ListenerContext(lambda: context, (told if told is not None else []).append)


def calling(
    authority: Pki, shown: Issued | None = None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    context = peer_client_context(authority.ca_certificates)
    context.maximum_version = version
    if shown is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.write(shown.certificate.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
    return context


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell which certificate came, then send back all that comes."""
    shown = peer_certificate(writer.get_extra_info("ssl_object"))
    writer.write(b"%d\n" % len(shown or b""))
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[int]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def shown_to(port: int, context: ssl.SSLContext) -> int:
    """Connect, and give the length of the certificate that the listener saw."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        line = await reader.readline()
        if not line:
            raise ConnectionResetError
        return int(line)
    finally:
        writer.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bad", ["expired", "unknown authority", "for signing"])
async def test_any_certificate_comes_in_to_be_judged(authority: Pki, version: ssl.TLSVersion, bad: str) -> None:
    shown = {
        "expired": lambda: leaf(authority.root, name("old"), "ec-p256", AT, "auth", not_after=AT - timedelta(days=20)),
        "unknown authority": lambda: Pki.create(label="Other").issue_auth(),
        "for signing": lambda: authority.issue_auth(usage="sign"),
    }[bad]()
    async with listening(listener(authority.issue_auth())) as port:
        assert await shown_to(port, calling(authority, shown, version)) == len(
            shown.certificate.public_bytes(Encoding.DER)
        )


async def test_no_certificate_comes_in_too(authority: Pki) -> None:
    async with listening(listener(authority.issue_auth(), suites=CLIENT_SUITES)) as port:
        assert await shown_to(port, calling(authority)) == 0


def _exchange(client: ssl.SSLObject, to_server: ssl.MemoryBIO, from_server: ssl.MemoryBIO, server: Served) -> None:
    """Carry handshake bytes to and fro, and spoil the signature in the client's CertificateVerify on the way."""
    incoming, outgoing = server._incoming, server._outgoing
    for _round in range(4):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        incoming.write(_spoiled(to_server.read()))
        with suppress(ssl.SSLWantReadError):
            server.do_handshake()
        from_server.write(outgoing.read())


def _spoiled(flight: bytes) -> bytes:
    """TLS 1.2 sends CertificateVerify (handshake type 15, RFC 5246 7.4.8) in plain, in a record of its own."""
    place = 0
    while place < len(flight):
        length = int.from_bytes(flight[place + 3 : place + 5], "big")
        if flight[place] == 22 and flight[place + 5] == 15:
            end = place + 5 + length - 1
            return flight[:end] + bytes([flight[end] ^ 1]) + flight[end + 1 :]
        place += 5 + length
    return flight


def test_a_certificate_without_proof_of_its_key_does_not(authority: Pki) -> None:
    told: list[str] = []
    incoming, outgoing, to_server, from_server = (ssl.MemoryBIO() for _ in range(4))
    server = listener(authority.issue_auth(), told).wrap_bio(incoming, outgoing, server_side=True)
    caller = calling(authority, authority.issue_auth("peer"), ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError, match="signature"):
        _exchange(caller.wrap_bio(from_server, to_server), to_server, from_server, server)
    assert told
    assert server.certificate is None


@pytest.mark.parametrize("version", VERSIONS)
async def test_much_data_passes_both_ways(authority: Pki, version: ssl.TLSVersion) -> None:
    data = os.urandom(3_000_001)
    async with listening(listener(authority.issue_auth())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=calling(authority, None, version))
        await reader.readline()
        async with asyncio.TaskGroup() as both:
            both.create_task(_send(writer, data))
            received = both.create_task(reader.readexactly(len(data)))
        assert received.result() == data
        writer.close()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_the_end_of_a_connection_is_an_end(authority: Pki) -> None:
    async with listening(listener(authority.issue_auth())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=calling(authority))
        await reader.readline()
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), 5)
        again, other = await asyncio.open_connection("127.0.0.1", port, ssl=calling(authority))
        await again.readline()
        other.transport.abort()
        assert await shown_to(port, calling(authority)) == 0


async def test_old_protocols_are_refused_and_reported(authority: Pki) -> None:
    told: list[str] = []
    old = calling(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with listening(listener(authority.issue_auth(), told)) as port:
        with pytest.raises(OSError):  # noqa: PT011  # an alert or a reset, as the timing has it
            await shown_to(port, old)
    assert told == ["unsupported protocol"]
    assert peer_client_context(()).minimum_version == ssl.TLSVersion.TLSv1_2


async def test_what_is_no_tls_is_refused_and_reported(authority: Pki) -> None:
    told: list[str] = []
    async with listening(listener(authority.issue_auth(), told)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
    assert told == ["http request"]


async def test_each_connection_gets_the_context_of_the_moment(authority: Pki) -> None:
    current: SSL.Context | None = None
    told: list[str] = []
    base = ListenerContext(lambda: current, told.append)
    async with listening(base) as port:
        with pytest.raises(OSError):  # noqa: PT011  # nothing to serve with yet
            await shown_to(port, calling(authority, authority.issue_auth("peer")))
        current = serving(authority.issue_auth())
        assert await shown_to(port, calling(authority, authority.issue_auth("peer"))) > 100
    assert told == ["this server has no certificate yet"]


def test_it_is_for_listeners_only(authority: Pki) -> None:
    with pytest.raises(ValueError, match="listener"):
        listener(authority.issue_auth()).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


async def test_openssl_speaks_with_it(authority: Pki) -> None:
    async with listening(listener(authority.issue_auth())) as port:
        ran = await asyncio.to_thread(
            subprocess.run,
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", "-tls1_3"],
            input=b"hello\n",
            capture_output=True,
            timeout=10,
            check=False,
        )
    assert b"Protocol version: TLSv1.3" in ran.stderr
