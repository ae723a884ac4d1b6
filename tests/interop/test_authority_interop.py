"""What the token and the authority make, judged by OpenSSL's command line and by another time-stamping client."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Authority
from pki.authority.profiles import CertificateUsage
from pki.clock import SystemClock
from pki.pin import Pin
from pki.requests import subject_from_text
from pki.token import KeyInfo, KeyType, SoftwareToken, Usage
from tests.support.authority import PIN, certified, csr, new_authority, pem, serving

DIGESTS = ("sha256", "sha384", "sha512")


class Pilot(NamedTuple):
    """An authority whose files OpenSSL can read, and a token with certificates from it."""

    directory: Path
    authority: Authority
    token: SoftwareToken

    def certified(self, usage: CertificateUsage, key_type: KeyType = "ec-p256") -> tuple[KeyInfo, Path]:
        key = certified(self.token, self.authority, usage=usage, key_type=key_type, at=datetime.now(UTC))
        assert key.certificate is not None
        return key, self.file(f"{key.id}.pem", pem(key.certificate))

    def file(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content)
        return path

    @property
    def root(self) -> Path:
        return self.file("root.pem", pem(self.authority.ca_certificates[0]))

    @property
    def issuing(self) -> Path:
        return self.file("issuing.pem", pem(self.authority.issuer_certificate))


@pytest.fixture(scope="module", params=["ec-p256", "ec-p384", "rsa-2048"])
def pilot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    directory = tmp_path_factory.mktemp("pilot")
    authority = new_authority(directory / "ca", at=datetime.now(UTC), issuing_ca=True, key_type=request.param)
    yield Pilot(directory, authority, SoftwareToken.create(directory / "token", PIN))
    authority.close()


@pytest.fixture
async def url(pilot: Pilot) -> AsyncIterator[str]:
    async with serving(pilot.directory / "ca", SystemClock()) as url:
        yield url


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"])
async def test_openssl_accepts_requests(pilot: Pilot, key_type: KeyType) -> None:
    key = pilot.token.generate_key(f"request {key_type}", key_type, usage=Usage.AUTHENTICATION)
    file = pilot.file("request.pem", csr(pilot.token, key))
    told = await _openssl("req", "-in", file, "-verify", "-noout", "-text", "-nameopt", "utf8,esc_ctrl,sep_comma_plus")
    assert "verify OK" in told
    assert "C=KH,O=Ministry of Planning,CN=ss1.example,serialNumber=KH-SANDBOX/SS1/GOV" in told
    assert "DNS:ss1.example" in told


@pytest.mark.parametrize(
    ("usage", "purpose", "fits"),
    [
        ("auth", "sslclient", True),
        ("auth", "sslserver", True),
        ("tls", "sslserver", True),
        ("tls", "sslclient", False),
        ("sign", "sslclient", False),
        ("sign", "sslserver", False),
        ("sign", "any", True),
    ],
)
async def test_openssl_accepts_chains_for_their_purpose_only(
    pilot: Pilot,
    usage: CertificateUsage,
    purpose: str,
    fits: bool,  # noqa: FBT001  a column of the table
) -> None:
    _, certificate = pilot.certified(usage)
    arguments = ("-x509_strict", "-purpose", purpose, "-CAfile", pilot.root, "-untrusted", pilot.issuing)
    told = await _openssl("verify", *arguments, certificate, succeeds=fits)
    assert ("OK" in told) is fits


async def test_openssl_accepts_the_services_certificates(pilot: Pilot) -> None:
    for certificate, purpose in (
        (pilot.authority.tsa_certificate, "timestampsign"),
        (pilot.authority.ocsp_certificate, "ocsphelper"),
    ):
        file = pilot.file("service.pem", pem(certificate))
        arguments = ("-x509_strict", "-purpose", purpose, "-CAfile", pilot.root, "-untrusted", pilot.issuing)
        assert "OK" in await _openssl("verify", *arguments, file)


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
async def test_openssl_reads_each_status(pilot: Pilot, url: str, digest: str) -> None:
    key, certificate = pilot.certified("auth")
    assert key.certificate is not None
    assert f"{certificate}: good" in await _ocsp(pilot, url, digest, pilot.issuing, "-cert", certificate)
    pilot.authority.revoke(key.certificate.serial_number, at=datetime.now(UTC), reason="keyCompromise")
    told = await _ocsp(pilot, url, digest, pilot.issuing, "-cert", certificate)
    assert f"{certificate}: revoked" in told
    assert "Reason: keyCompromise" in told
    assert "12345: unknown" in await _ocsp(pilot, url, digest, pilot.issuing, "-serial", "12345")


async def test_openssl_reads_the_issuing_authoritys_status(pilot: Pilot, url: str) -> None:
    told = await _ocsp(pilot, url, "sha256", pilot.root, "-cert", pilot.issuing)
    assert f"{pilot.issuing}: good" in told


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("options", [("-cert",), ("-cert", "-no_nonce"), ("-cert", "-tspolicy", "2.999.1")])
async def test_openssl_verifies_time_stamps(pilot: Pilot, url: str, digest: str, options: tuple[str, ...]) -> None:
    data = pilot.file("data", b"evidence")
    query = pilot.directory / "query.tsq"
    await _openssl("ts", "-query", "-data", data, f"-{digest}", *options, "-out", query)
    reply = pilot.file("reply.tsr", await _posted(f"{url}/tsa", query.read_bytes()))
    arguments = ("-in", reply, "-CAfile", pilot.root, "-untrusted", pilot.issuing)
    assert "Verification: OK" in await _openssl("ts", "-verify", *arguments, "-queryfile", query)
    assert "Verification: OK" in await _openssl("ts", "-verify", *arguments, "-data", data)
    other = pilot.file("other", b"other evidence")
    assert "message imprint mismatch" in await _openssl("ts", "-verify", *arguments, "-data", other, succeeds=False)


async def test_openssl_verifies_a_stamp_without_a_certificate_in_it(pilot: Pilot, url: str) -> None:
    data, query = pilot.file("data", b"evidence"), pilot.directory / "query.tsq"
    await _openssl("ts", "-query", "-data", data, "-sha256", "-out", query)
    reply = pilot.file("reply.tsr", await _posted(f"{url}/tsa", query.read_bytes()))
    chain = pilot.file("chain.pem", pem(pilot.authority.tsa_certificate) + pilot.issuing.read_bytes())
    arguments = ("-in", reply, "-CAfile", pilot.root, "-untrusted", chain, "-queryfile", query)
    assert "Verification: OK" in await _openssl("ts", "-verify", *arguments)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-sha1",), "unrecognized or unsupported algorithm identifier"),
        (("-tspolicy", "1.2.3"), "policy is not supported"),
    ],
)
async def test_openssl_reads_why_a_stamp_was_refused(
    pilot: Pilot, url: str, options: tuple[str, ...], reason: str
) -> None:
    query = pilot.directory / "query.tsq"
    await _openssl("ts", "-query", "-data", pilot.file("data", b"evidence"), *options, "-out", query)
    reply = pilot.file("reply.tsr", await _posted(f"{url}/tsa", query.read_bytes()))
    told = await _openssl("ts", "-reply", "-in", reply, "-text")
    assert "Status: Rejected." in told
    assert reason in told


async def test_another_client_verifies_time_stamps(pilot: Pilot, url: str) -> None:
    request = (
        rfc3161_client.TimestampRequestBuilder().data(b"evidence").nonce(nonce=True).cert_request(cert_request=True)
    )
    built = request.build()
    response = rfc3161_client.decode_timestamp_response(await _posted(f"{url}/tsa", built.as_bytes()))
    verifier = (
        rfc3161_client.VerifierBuilder.from_request(built)
        .add_root_certificate(pilot.authority.ca_certificates[0])
        .add_intermediate_certificate(pilot.authority.issuer_certificate)
        .build()
    )
    assert verifier.verify(response, hashlib.sha512(b"evidence").digest())


async def test_openssl_opens_an_exported_key(pilot: Pilot) -> None:
    key, certificate = pilot.certified("sign")
    file = pilot.file("key.p12", pilot.token.export_pkcs12(key.id, Pin("for-the-move")))
    told = await _openssl("pkcs12", "-in", file, "-passin", "pass:for-the-move", "-nokeys")
    assert certificate.read_text().strip() in told


async def test_openssl_reads_a_subject_in_khmer(pilot: Pilot) -> None:
    key = pilot.token.generate_key("khmer", "ec-p256", usage=Usage.SIGNING)
    builder = x509.CertificateSigningRequestBuilder(subject_from_text("C=KH,O=ក្រសួងផែនការ,serialNumber=KH/ស_១/GOV"))
    file = pilot.file("khmer.pem", pilot.token.sign_builder(key.id, builder).public_bytes(Encoding.PEM))
    told = await _openssl("req", "-in", file, "-verify", "-noout", "-subject", "-nameopt", "utf8")
    assert "ក្រសួងផែនការ" in told
    assert "KH/ស_១/GOV" in told


async def _ocsp(pilot: Pilot, url: str, digest: str, issuer: Path, *asked: str | Path) -> str:
    arguments = ("-url", f"{url}/ocsp", f"-{digest}", "-issuer", issuer, *asked)
    told = await _openssl("ocsp", *arguments, "-CAfile", pilot.root, "-verify_other", pilot.issuing)
    assert "Response verify OK" in told
    assert "WARNING: no nonce" not in told
    return told


async def _posted(url: str, query: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query"}
    async with aiohttp.ClientSession() as session, session.post(url, data=query, headers=headers) as response:
        assert response.content_type == "application/timestamp-reply"
        return await response.read()


async def _openssl(*arguments: str | Path, succeeds: bool = True) -> str:
    process = await asyncio.create_subprocess_exec(
        "openssl", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert (process.returncode == 0) is succeeds, told.decode()
    return told.decode()
