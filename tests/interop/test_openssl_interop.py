"""OpenSSL agrees with our verdicts on chains, OCSP responses and time-stamps, good and bad."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from tests.support import stamps
from tests.support.pki import AT, DAY, KeyType, Pki, Status
from tests.support.tools import need_tool, run
from xroad import errors, ocsp, timestamp
from xroad.algorithms import SHA512
from xroad.certificates import build_path

DATA = b"stamped"
AT_SECONDS = str(int(AT.timestamp()))


@pytest.fixture(params=["ec-p256", "rsa-2048"])
def pki(request: pytest.FixtureRequest) -> Pki:
    key_type: KeyType = request.param
    return Pki.create(key_type, intermediate=True)


def pem(folder: Path, name: str, *certificates: object) -> str:
    path = folder / name
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))  # type: ignore[attr-defined]
    return str(path)


@pytest.mark.parametrize(("later", "holds"), [(0, True), (400, False)])
def test_chains(tmp_path: Path, pki: Pki, later: int, *, holds: bool) -> None:
    assert pki.intermediate is not None
    leaf, at = pki.issue_auth().certificate, AT + later * DAY
    said = run(
        need_tool("openssl"),
        "verify",
        "-attime",
        str(int(at.timestamp())),
        "-CAfile",
        pem(tmp_path, "root.pem", pki.root.certificate),
        "-untrusted",
        pem(tmp_path, "middle.pem", pki.intermediate.certificate),
        pem(tmp_path, "leaf.pem", leaf),
        fails=not holds,
    )
    if holds:
        assert "OK" in said
        assert len(build_path(leaf, [pki.intermediate.certificate], [pki.root.certificate], at)) == 3
    else:
        with pytest.raises(errors.CannotCreateCertPath):
            build_path(leaf, [pki.intermediate.certificate], [pki.root.certificate], at)


@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
def test_ocsp(tmp_path: Path, pki: Pki, status: Status) -> None:
    member, issuer = pki.issue_signing().certificate, pki.issuer.certificate
    response = pki.ocsp(member, status=status)
    (tmp_path / "response.der").write_bytes(response)
    said = run(
        need_tool("openssl"),
        "ocsp",
        "-respin",
        str(tmp_path / "response.der"),
        "-issuer",
        pem(tmp_path, "issuer.pem", issuer),
        "-cert",
        pem(tmp_path, "member.pem", member),
        "-CAfile",
        pem(tmp_path, "cas.pem", *pki.ca_certificates),
        "-attime",
        AT_SECONDS,
        "-validity_period",
        str(100 * 365 * 86400),
    )
    assert "Response verify OK" in said
    assert f"member.pem: {status}" in said
    if status == "good":
        ocsp.verify(response, member, issuer, pki.trust(), AT)
    else:
        with pytest.raises(errors.CertValidation):
            ocsp.verify(response, member, issuer, pki.trust(), AT)


def test_our_ocsp_request_reads(tmp_path: Path, pki: Pki) -> None:
    member = pki.issue_signing().certificate
    (tmp_path / "request.der").write_bytes(ocsp.build_request(member, pki.issuer.certificate))
    said = run(need_tool("openssl"), "ocsp", "-reqin", str(tmp_path / "request.der"), "-req_text", "-noverify")
    assert f"{member.serial_number:X}" in said


@pytest.mark.parametrize(("data", "holds"), [(DATA, True), (b"other", False)])
def test_time_stamps(tmp_path: Path, pki: Pki, data: bytes, *, holds: bool) -> None:
    (tmp_path / "token.der").write_bytes(pki.time_stamp(SHA512.digest(DATA)))
    (tmp_path / "data").write_bytes(data)
    run(
        need_tool("openssl"),
        "ts",
        "-verify",
        "-token_in",
        "-in",
        str(tmp_path / "token.der"),
        "-data",
        str(tmp_path / "data"),
        "-CAfile",
        pem(tmp_path, "cas.pem", *pki.ca_certificates),
        "-untrusted",
        pem(tmp_path, "tsa.pem", pki.tsa.certificate),
        "-attime",
        AT_SECONDS,
        fails=not holds,
    )


def test_our_time_stamp_request_reads(tmp_path: Path) -> None:
    (tmp_path / "request.der").write_bytes(timestamp.request(SHA512.digest(DATA), nonce=77))
    said = run(need_tool("openssl"), "ts", "-query", "-in", str(tmp_path / "request.der"), "-text")
    assert "Hash Algorithm: sha512" in said
    assert "0x4D" in said


def test_rfc3161_client_agrees_on_time_stamps() -> None:
    pki = Pki.create("rsa-2048")
    recipe = stamps.recipe(pki.tsa, SHA512.digest(DATA), AT)
    response = decode_timestamp_response(stamps.response(recipe))
    verifier = VerifierBuilder(roots=[pki.root.certificate], tsa_certificate=pki.tsa.certificate).build()
    assert verifier.verify(response, SHA512.digest(DATA))
    with pytest.raises(VerificationError):
        verifier.verify(response, SHA512.digest(b"other"))


def test_a_stale_response_is_our_refusal_alone(pki: Pki) -> None:
    member = pki.issue_signing().certificate
    with pytest.raises(errors.IncorrectValidationInfo):
        ocsp.verify(
            pki.ocsp(member, this_update=AT - timedelta(hours=3)), member, pki.issuer.certificate, pki.trust(), AT
        )
