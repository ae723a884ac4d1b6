import asyncio
import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.ocsp import (
    OCSPCertStatus,
    OCSPRequestBuilder,
    OCSPResponse,
    OCSPResponseStatus,
    load_der_ocsp_response,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.authority import Authority, run
from pki.authority.ocsp import Responder
from pki.authority.server import LARGEST_REQUEST
from pki.authority.state import Services
from pki.authority.tsa import POLICY, TimeStamper
from pki.errors import AuthorityError
from pki.token import SoftwareToken
from tests.support.authority import AT, PIN, TurnedClock, certified, new_authority, opened, serving, trust_in
from xroad import timestamp
from xroad.algorithms import SHA256, SHA384, SHA512, DigestAlgorithm
from xroad.errors import XRoadError
from xroad.timestamp_asn1 import (
    AlgorithmIdentifier,
    MessageImprint,
    SignedData,
    TimeStampReq,
    TimeStampResp,
    TstInfo,
    tlv,
)

SHA256_OID = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
SHA1_OID = ObjectIdentifier("1.3.14.3.2.26")
OCSP_TYPE = {"Content-Type": "application/ocsp-request"}
TSA_TYPE = {"Content-Type": "application/timestamp-query"}


def _imprint(algorithm: ObjectIdentifier, length: int) -> MessageImprint:
    named = AlgorithmIdentifier(algorithm=algorithm, parameters=asn1.Null())
    return MessageImprint(hash_algorithm=named, hashed_message=b"d" * length)


class Pilot(NamedTuple):
    directory: Path
    authority: Authority
    services: Services
    certificate: x509.Certificate


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    directory = tmp_path_factory.mktemp("pilot")
    new_authority(directory / "ca").close()
    token = SoftwareToken.create(directory / "token", PIN)
    services = Services.open(directory / "ca", PIN)
    with opened(directory / "ca") as authority:
        certificate = certified(token, authority).certificate
        assert certificate is not None
        yield Pilot(directory / "ca", authority, services, certificate)
    services.index.close()


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])  # noqa: S303  names only
def test_status_is_told_for_whatever_names_the_issuer(pilot: Pilot, algorithm: hashes.SHA1 | hashes.SHA256) -> None:
    response = _answer(pilot, _request(pilot, algorithm))
    assert response.certificate_status is OCSPCertStatus.GOOD
    assert (response.this_update_utc, response.next_update_utc) == (AT, AT + timedelta(hours=1))
    assert response.certificates == [pilot.authority.ocsp_certificate]


def test_a_certificate_never_issued_is_unknown(pilot: Pilot) -> None:
    builder = OCSPRequestBuilder().add_certificate(
        pilot.authority.issuer_certificate, pilot.authority.issuer_certificate, hashes.SHA256()
    )
    assert _answer(pilot, builder.build().public_bytes(Encoding.DER)).certificate_status is OCSPCertStatus.UNKNOWN


def test_another_authoritys_certificates_are_not_spoken_for(pilot: Pilot, tmp_path: Path) -> None:
    other = new_authority(tmp_path / "other")
    other.close()
    request = OCSPRequestBuilder().add_certificate(other.tsa_certificate, other.issuer_certificate, hashes.SHA256())
    response = _answer(pilot, request.build().public_bytes(Encoding.DER))
    assert response.response_status is OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_is_echoed(pilot: Pilot, length: int) -> None:
    nonce = x509.OCSPNonce(b"n" * length)
    response = _answer(pilot, _request(pilot, hashes.SHA256(), nonce))
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value == nonce


@pytest.mark.parametrize("length", [0, 129, 4000])
def test_a_nonce_of_no_decent_length_is_refused(pilot: Pilot, length: int) -> None:
    response = _answer(pilot, _request(pilot, hashes.SHA256(), x509.OCSPNonce(b"n" * length)))
    assert response.response_status is OCSPResponseStatus.MALFORMED_REQUEST


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_get_an_ocsp_answer(pilot: Pilot, junk: bytes) -> None:
    assert _answer(pilot, junk).response_status is OCSPResponseStatus.MALFORMED_REQUEST


@given(data=st.data())
def test_any_altered_ocsp_request_gets_an_answer(pilot: Pilot, data: st.DataObject) -> None:
    request = bytearray(_request(pilot, hashes.SHA256(), x509.OCSPNonce(b"n" * 16)))
    request[data.draw(st.integers(0, len(request) - 1))] ^= data.draw(st.integers(1, 255))
    assert _answer(pilot, bytes(request)).response_status in OCSPResponseStatus


def test_a_negative_serial_number_gets_an_answer(pilot: Pilot) -> None:
    serial = pilot.certificate.serial_number
    octets = serial.to_bytes((serial.bit_length() + 7) // 8, "big")
    request = _request(pilot, hashes.SHA256(), x509.OCSPNonce(b"n" * 16))
    # DER puts a zero before octets whose first bit is set; that bit is the sign.
    place = request.index(octets) - octets[0] // 0x80
    negative = request[:place] + bytes([request[place] | 0x80]) + request[place + 1 :]
    assert _answer(pilot, negative).response_status is OCSPResponseStatus.MALFORMED_REQUEST


async def test_stamps_hold_what_was_asked(pilot: Pilot) -> None:
    response = await _stamp(pilot, nonce=2**64, cert_req=True, req_policy=POLICY)
    signed = _signed(response)
    info = asn1.decode_der(TstInfo, signed.encapsulated_content.content)
    assert (info.nonce, info.policy, info.gen_time.as_datetime()) == (2**64, POLICY, AT)
    assert info.message_imprint.hashed_message == b"d" * 32
    assert signed.certificates is not None
    assert [asn1.encode_der(each) for each in signed.certificates] == [
        pilot.authority.tsa_certificate.public_bytes(Encoding.DER)
    ]


@pytest.mark.parametrize("algorithm", [SHA256, SHA384, SHA512])
async def test_stamps_verify_as_a_node_verifies_them(pilot: Pilot, algorithm: DigestAlgorithm) -> None:
    asked = timestamp.request(algorithm.digest(b"evidence"), algorithm, nonce=7)
    token = timestamp.token_of(await TimeStamper(pilot.services).answer(asked, AT), nonce=7)
    trust = trust_in(pilot.authority, "http://127.0.0.1:1/ocsp")
    assert timestamp.verify(token, b"evidence", trust, AT).gen_time == AT
    with pytest.raises(XRoadError):
        timestamp.verify(token, b"other evidence", trust, AT)


async def test_the_certificate_is_left_out_unless_asked_for(pilot: Pilot) -> None:
    assert _signed(await _stamp(pilot)).certificates is None


@pytest.mark.parametrize(
    ("change", "bit"),
    [
        ({"message_imprint": _imprint(SHA1_OID, 20)}, 0),
        ({"version": 2}, 2),
        ({"message_imprint": _imprint(SHA256_OID, 31)}, 5),
        ({"req_policy": ObjectIdentifier("1.2.3")}, 15),
        ({"extensions": [tlv(bytes.fromhex("300602012a020100"))]}, 16),
    ],
    ids=["badAlg", "badRequest", "badDataFormat", "unacceptedPolicy", "unacceptedExtension"],
)
async def test_bad_requests_are_rejected_with_their_reason(pilot: Pilot, change: dict[str, object], bit: int) -> None:
    response = await _stamp(pilot, **change)
    assert (response.status.status, response.time_stamp_token) == (2, None)
    assert _bits(response) == [bit]


async def test_every_stamp_has_a_number_of_its_own(pilot: Pilot) -> None:
    responses = await asyncio.gather(*(_stamp(pilot) for _ in range(20)))
    contents = [_signed(response).encapsulated_content.content for response in responses]
    infos = [asn1.decode_der(TstInfo, content) for content in contents]
    assert len({info.serial_number for info in infos}) == 20


@given(junk=st.binary(max_size=200))
async def test_any_bytes_get_a_rejection(pilot: Pilot, junk: bytes) -> None:
    response = asn1.decode_der(TimeStampResp, await TimeStamper(pilot.services).answer(junk, AT))
    assert _bits(response) == [5]


async def test_both_ways_of_http_work(pilot: Pilot) -> None:
    request = _request(pilot, hashes.SHA256())
    path = quote(base64.b64encode(request).decode(), safe="")
    async with serving(pilot.directory, TurnedClock()) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/ocsp", data=request, headers=OCSP_TYPE) as posted:
            assert posted.content_type == "application/ocsp-response"
            assert load_der_ocsp_response(await posted.read()).certificate_status is OCSPCertStatus.GOOD
        async with session.get(f"{url}/ocsp/{path}") as got:
            assert load_der_ocsp_response(await got.read()).certificate_status is OCSPCertStatus.GOOD
        async with session.get(f"{url}/healthz") as healthy:
            assert healthy.status == 200


async def test_bad_http_is_refused(pilot: Pilot) -> None:
    large = b"\0" * (LARGEST_REQUEST + 1)
    async with serving(pilot.directory) as url, aiohttp.ClientSession() as session:
        for method, path, body, headers, status in (
            ("POST", "/ocsp", b"", {"Content-Type": "text/plain"}, 415),
            ("POST", "/tsa", b"", OCSP_TYPE, 415),
            ("POST", "/ocsp", large, OCSP_TYPE, 413),
            ("POST", "/tsa", large, TSA_TYPE, 413),
            ("GET", "/ocsp/not*base64", None, {}, 400),
            ("POST", "/sign", b"", {}, 404),
        ):
            async with session.request(method, url + path, data=body, headers=headers) as response:
                assert response.status == status, (method, path)


@pytest.mark.parametrize("listen", ["", "8080", "127.0.0.1", ":80", "127.0.0.1:http", "127.0.0.1:²"])
async def test_addresses_that_cannot_be_are_refused(pilot: Pilot, listen: str) -> None:
    with pytest.raises(AuthorityError, match="host:port"):
        await run(pilot.directory, listen, pin=PIN, stop=asyncio.Event(), ready=lambda _url: None)


async def test_a_taken_port_is_told(pilot: Pilot) -> None:
    async with serving(pilot.directory) as url:
        with pytest.raises(AuthorityError, match="cannot listen"):
            await run(
                pilot.directory, url.removeprefix("http://"), pin=PIN, stop=asyncio.Event(), ready=lambda _url: None
            )


def _request(pilot: Pilot, algorithm: hashes.SHA1 | hashes.SHA256, nonce: x509.OCSPNonce | None = None) -> bytes:
    builder = OCSPRequestBuilder().add_certificate(pilot.certificate, pilot.authority.issuer_certificate, algorithm)
    if nonce is not None:
        builder = builder.add_extension(nonce, critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _answer(pilot: Pilot, request: bytes) -> OCSPResponse:
    return load_der_ocsp_response(Responder(pilot.services).answer(request, AT))


async def _stamp(pilot: Pilot, **change: object) -> TimeStampResp:
    usual: dict[str, object] = {
        "version": 1,
        "message_imprint": _imprint(SHA256_OID, 32),
        "req_policy": None,
        "nonce": None,
        "cert_req": False,
        "extensions": None,
    }
    request = TimeStampReq(**usual | change)  # type: ignore[arg-type]  # fields by name, as the table has them
    return asn1.decode_der(TimeStampResp, await TimeStamper(pilot.services).answer(asn1.encode_der(request), AT))


def _signed(response: TimeStampResp) -> SignedData:
    assert response.time_stamp_token is not None
    return asn1.decode_der(SignedData, asn1.encode_der(response.time_stamp_token.content))


def _bits(response: TimeStampResp) -> list[int]:
    failure = response.status.fail_info
    assert failure is not None
    octets = failure.as_bytes()
    return [bit for bit in range(8 * len(octets)) if octets[bit // 8] & 0x80 >> bit % 8]
