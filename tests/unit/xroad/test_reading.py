"""Foreign certificates are read whole, or refused with one kind of error."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.pki import AT, Pki, leaf, name
from xroad import errors
from xroad.reading import load_certificate


@pytest.fixture
def der() -> bytes:
    pki = Pki.create()
    return leaf(pki.issuer, name("someone"), "ec-p256", AT, "auth").certificate.public_bytes(Encoding.DER)


def test_a_good_certificate(der: bytes) -> None:
    assert load_certificate(der) == x509.load_der_x509_certificate(der)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"someone", b"some\xffne"),  # a name that is not UTF-8
        (b"\xa0\x03\x02\x01\x02\x02", b"\xa0\x03\x02\x01\x09\x02"),  # a version that does not exist
        (b"\x06\x03\x55\x1d\x0f", b"\x06\x03\x55\x1d\x13"),  # an extension twice
    ],
)
def test_what_cannot_be_read(der: bytes, old: bytes, new: bytes) -> None:
    assert old in der
    with pytest.raises(errors.IncorrectCertificate):
        load_certificate(der.replace(old, new))


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x30\x00"])
def test_what_is_no_certificate(junk: bytes) -> None:
    with pytest.raises(errors.IncorrectCertificate):
        load_certificate(junk)


def test_serial_numbers_are_positive(der: bytes) -> None:
    start = der.index(b"\xa0\x03\x02\x01\x02\x02") + 7
    negative = der[:start] + bytes([der[start] | 0x80]) + der[start + 1 :]
    with pytest.raises(errors.IncorrectCertificate):
        load_certificate(negative)


def test_names_of_odd_length_are_read() -> None:
    with pytest.warns(UserWarning, match="length"):
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "KHM", _validate=False)])
    pki = Pki.create()
    odd = leaf(pki.issuer, subject, "ec-p256", AT, "auth").certificate
    assert load_certificate(odd.public_bytes(Encoding.DER)) == odd
