from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from pki.authority import Authority
from pki.authority.index import Index
from pki.authority.state import Services
from pki.errors import AuthorityError, PinRefused, TokenPermissions, WrongPin
from pki.keys import public_bytes
from pki.pin import Pin
from pki.token import SoftwareToken, Usage
from tests.support.authority import AT, PIN, certified, csr, new_authority, opened
from xroad.certificates import is_auth_certificate, is_signing_certificate

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pilot") / "ca"
    new_authority(directory, issuing_ca=True).close()
    return directory


@pytest.fixture
def authority(pilot: Path) -> Iterator[Authority]:
    with opened(pilot) as authority:
        yield authority


@pytest.fixture
def token(tmp_path: Path) -> SoftwareToken:
    return SoftwareToken.create(tmp_path / "token", PIN)


def test_authentication_certificates_are_for_authentication(authority: Authority, token: SoftwareToken) -> None:
    certificate = certified(token, authority).certificate
    assert certificate is not None
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert is_auth_certificate(certificate)
    assert not is_signing_certificate(certificate)
    assert usage.digital_signature
    assert usage.key_encipherment
    assert usage.key_agreement
    assert set(purposes) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert names.get_values_for_type(x509.DNSName) == ["ss1.example"]


def test_signing_certificates_are_for_signing_only(authority: Authority, token: SoftwareToken) -> None:
    certificate = certified(token, authority, usage="sign").certificate
    assert certificate is not None
    assert is_signing_certificate(certificate)
    assert not is_auth_certificate(certificate)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage == x509.KeyUsage(
        digital_signature=False,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def test_certificates_point_to_their_issuer_and_responder(authority: Authority, token: SoftwareToken) -> None:
    certificate = certified(token, authority).certificate
    assert certificate is not None
    certificate.verify_directly_issued_by(authority.issuer_certificate)
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    own = authority.issuer_certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert [(one.access_method, one.access_location.value) for one in access] == [
        (AuthorityInformationAccessOID.OCSP, "http://127.0.0.1:1/ocsp")
    ]
    assert issuer.key_identifier == own.digest
    assert certificate.serial_number.bit_length() > 64


def test_validity_is_what_was_asked_for(authority: Authority, token: SoftwareToken) -> None:
    key = token.generate_key("auth", "ec-p256", usage=Usage.AUTHENTICATION)
    usual = authority.issue(csr(token, key), usage="auth", now=AT)
    assert usual.not_valid_before_utc < AT < AT + 700 * DAY < usual.not_valid_after_utc
    expired = authority.issue(csr(token, key), usage="auth", now=AT, not_before=AT - 3 * DAY, validity=DAY)
    assert (expired.not_valid_before_utc, expired.not_valid_after_utc) == (AT - 3 * DAY, AT - 2 * DAY)


def test_a_request_not_signed_by_its_own_key_is_refused(authority: Authority, token: SoftwareToken) -> None:
    key = token.generate_key("auth", "ec-p256", usage=Usage.AUTHENTICATION)
    der = bytearray(x509.load_pem_x509_csr(csr(token, key)).public_bytes(Encoding.DER))
    der[-1] ^= 1
    altered = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    with pytest.raises(AuthorityError, match="not signed by the key"):
        authority.issue(altered, usage="auth", now=AT)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505  to be refused
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["RSA 1024", "secp256k1", "Ed25519"],
)
def test_keys_that_peers_would_refuse_are_refused(
    authority: Authority, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) -> None:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, algorithm).public_bytes(Encoding.PEM)
    with pytest.raises(AuthorityError, match="not accepted"):
        authority.issue(request, usage="auth", now=AT)


def test_what_is_no_request_is_refused(authority: Authority) -> None:
    with pytest.raises(AuthorityError, match="no certificate request"):
        authority.issue(b"-----BEGIN nonsense", usage="auth", now=AT)


def test_a_requested_ca_extension_is_not_granted(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    certificate = authority.issue(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), usage="tls", now=AT)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_issued_and_revoked_are_remembered(authority: Authority, token: SoftwareToken, pilot: Path) -> None:
    certificate = certified(token, authority).certificate
    assert certificate is not None
    authority.revoke(certificate.serial_number, at=AT, reason="superseded")
    index = Index(pilot / "issued.sqlite")
    standing = index.standing(certificate.serial_number)
    index.close()
    assert certificate in authority.issued()
    assert standing is not None
    assert (standing.revoked_at, standing.reason) == (AT, x509.ReasonFlags.superseded)


def test_revoking_is_refused_when_it_means_nothing(authority: Authority, token: SoftwareToken) -> None:
    certificate = certified(token, authority).certificate
    assert certificate is not None
    with pytest.raises(AuthorityError, match="keyCompromise"):
        authority.revoke(certificate.serial_number, at=AT, reason="mood")
    with pytest.raises(AuthorityError, match="no reason to revoke"):
        authority.revoke(certificate.serial_number, at=AT, reason="removeFromCRL")
    with pytest.raises(AuthorityError, match="not issued by this authority"):
        authority.revoke(1, at=AT)
    authority.revoke(certificate.serial_number, at=AT)
    with pytest.raises(AuthorityError, match="revoked already"):
        authority.revoke(certificate.serial_number, at=AT)


def test_time_stamp_numbers_never_repeat(tmp_path: Path) -> None:
    numbers: list[int] = []
    for _ in range(3):
        first, second = Index(tmp_path / "index"), Index(tmp_path / "index")
        numbers += [index.next_time_stamp_serial() for index in (first, second, first, second)]
        first.close()
        second.close()
    assert len(set(numbers)) == len(numbers)


def test_a_block_of_time_stamp_numbers_follows_the_last(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    numbers = [index.next_time_stamp_serial() for _ in range(2500)]
    index.close()
    assert numbers == list(range(1, 2501))


def test_the_network_process_holds_no_issuing_key(pilot: Path, authority: Authority) -> None:
    services = Services.open(pilot, PIN)
    services.index.close()
    held = {public_bytes(services.token.public_key(key.id)) for key in services.token.keys}
    assert held
    assert not held & {public_bytes(certificate.public_key()) for certificate in authority.ca_certificates}


def test_an_authority_is_not_made_twice_nor_opened_by_anyone(pilot: Path, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="not empty"):
        new_authority(pilot)
    with pytest.raises(WrongPin):
        Authority.open(pilot, Pin("another-pin"))
    with pytest.raises(AuthorityError, match="no authority"):
        Authority.open(tmp_path / "absent", PIN)
    with pytest.raises(PinRefused):
        Pin("short").require_strength()


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    new_authority(tmp_path / "ca").close()
    (tmp_path / "ca").chmod(0o755)
    with pytest.raises(TokenPermissions):
        Authority.open(tmp_path / "ca", PIN)
