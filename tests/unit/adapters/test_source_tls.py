"""Services on other machines are spoken to in TLS, and only when their certificate is one that is trusted."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.errors import ConfigError, SourceError
from adapters.source import Comparison, Operator, Query, open_source, parse_source, read_connection
from tests.support.adapters import dump

SOURCE = {
    "source": "people",
    "kind": "rest",
    "version": "1.0.0",
    "synthetic": True,
    "timeout_ms": 2000,
    "requests": [{"path": "/people", "by": {"SPID": "spid"}}],
    "record": {"fields": ["spid"]},
    "queries": {"attributes": {"SPID": {"type": "string", "field": "spid"}}},
}


def certificate(folder: Path, name: str) -> Path:
    """Write a certificate for 127.0.0.1 with its key in front, and return the certificate's file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    return path


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[str]:
    """Run a service with a certificate that its own file trusts."""
    certificate(tmp_path, "service")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "service.key")

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response([{"spid": "S1"}])

    app = web.Application()
    app.router.add_get("/people", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def found(url: str, folder: Path, **more: str) -> int:
    said = {"kind": "rest", "url": url, **more}
    connection = read_connection(said, file="adapter.yaml", folder=folder)
    source = open_source(parse_source(dump(SOURCE), name="source.yaml"), connection)
    try:
        return (await source.search(Query(Comparison("SPID", Operator.EQ, ("S1",)), (), 0, 1, 1))).total
    finally:
        await source.close()


async def test_only_a_service_whose_certificate_is_trusted_is_asked(service: str, tmp_path: Path) -> None:
    assert await found(service, tmp_path, ca_file="service.pem") == 1
    certificate(tmp_path, "other")
    for more in ({}, {"ca_file": "other.pem"}):
        with pytest.raises(SourceError, match="cannot be reached"):
            await found(service, tmp_path, **more)


async def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("nothing.pem", "empty.pem"):
        with pytest.raises(ConfigError) as caught:
            await found("https://127.0.0.1:1", tmp_path, ca_file=name)
        assert caught.value.key == "source.ca_file"
