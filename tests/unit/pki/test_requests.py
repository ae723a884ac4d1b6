import contextlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import RequestRefused
from pki.requests import (
    authentication_request,
    authentication_subject,
    signing_request,
    signing_subject,
    subject_from_text,
)
from pki.token import SoftwareToken, Usage
from tests.support.authority import PIN

FIELDS = {"instance": "CAMBODIA", "member_class": "GOV", "server_code": "CAMDX-SS-1", "organization": "ក្រសួងផែនការ"}


def test_authentication_subject_is_as_camdx_expects() -> None:
    subject = authentication_subject(dns_name="SS1.mop.gov.kh", **FIELDS)
    assert _pairs(subject) == [
        (NameOID.COUNTRY_NAME, "KH"),
        (NameOID.ORGANIZATION_NAME, "ក្រសួងផែនការ"),
        (NameOID.COMMON_NAME, "ss1.mop.gov.kh"),
        (NameOID.SERIAL_NUMBER, "CAMBODIA/CAMDX-SS-1/GOV"),
    ]


def test_signing_subject_is_as_camdx_expects() -> None:
    subject = signing_subject(member_code="CAMDX-20201222", **FIELDS)
    assert _pairs(subject)[2:] == [
        (NameOID.COMMON_NAME, "CAMDX-20201222"),
        (NameOID.SERIAL_NUMBER, "CAMBODIA/CAMDX-SS-1/GOV"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("organization", ""),
        ("organization", "x" * 65),
        ("organization", "a\nb"),
        ("organization", "a\u202eb"),
        ("country", "kh"),
        ("country", "KHM"),
        ("server_code", "a/b"),
        ("server_code", ""),
        ("instance", "x" * 64),
        ("dns_name", "not a name"),
        ("dns_name", "-ss1.gov.kh"),
        ("dns_name", ""),
        ("dns_name", "a" * 64 + ".kh"),
    ],
)
def test_fields_that_cannot_be_are_refused(field: str, value: str) -> None:
    with pytest.raises(RequestRefused):
        authentication_subject(**({"dns_name": "ss1.gov.kh"} | FIELDS | {field: value}))


def test_a_server_code_with_unusual_characters_is_encoded_readably() -> None:
    fields = FIELDS | {"server_code": "SS_១"}
    subject = signing_subject(member_code="MOP", **fields)
    reread = x509.load_der_x509_csr(_request(subject)).subject
    assert reread.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "CAMBODIA/SS_១/GOV"


def test_a_long_khmer_name_fits_the_organization() -> None:
    name = "បេឡាជាតិសន្តិសុខសង្គម នៃព្រះរាជាណាចក្រកម្ពុជា"
    assert _pairs(signing_subject(member_code="MOP", **FIELDS | {"organization": name}))[1][1] == name
    with pytest.raises(RequestRefused, match="octets"):
        subject_from_text(f"CN={name}")


def test_any_subject_can_be_given() -> None:
    subject = subject_from_text(r"C=KH, O=Ministry\, of Planning,OU = ICT,businessCategory=GOV,CN=MOP")
    assert [value for _, value in _pairs(subject)] == ["KH", "Ministry, of Planning", "ICT", "GOV", "MOP"]


@pytest.mark.parametrize("text", ["", "C", "X=1", "C=KH,,O=x", "C=Cambodia"])
def test_subjects_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(RequestRefused):
        subject_from_text(text)


@given(st.text(max_size=80))
def test_a_subject_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(RequestRefused):
        subject_from_text(f"CN={text}")


def test_requests_are_signed_by_their_own_key(tmp_path: Path) -> None:
    token = SoftwareToken.create(tmp_path / "token", PIN)
    key = token.generate_key("auth", "ec-p384", usage=Usage.AUTHENTICATION)
    subject = authentication_subject(dns_name="ss1.gov.kh", **FIELDS)
    request = x509.load_pem_x509_csr(authentication_request(token, key.id, subject, ["ss1.gov.kh", "ss1.mop.gov.kh"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert request.is_signature_valid
    assert request.subject == subject
    assert request.public_key() == token.public_key(key.id)
    assert names.get_values_for_type(x509.DNSName) == ["ss1.gov.kh", "ss1.mop.gov.kh"]
    plain = x509.load_pem_x509_csr(signing_request(token, key.id, subject))
    assert not list(plain.extensions)
    with pytest.raises(RequestRefused, match="no DNS name"):
        authentication_request(token, key.id, subject, ["ss1 gov"])


def _pairs(subject: x509.Name) -> list[tuple[x509.ObjectIdentifier, str | bytes]]:
    return [(attribute.oid, attribute.value) for attribute in subject]


def _request(subject: x509.Name) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
