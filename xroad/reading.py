"""Reads certificates that come from outside, whole: `cryptography` parses lazily, and would fail later, anywhere.

It refuses to know what a certificate is good for: it only makes sure that every field that is looked at can be.
Signatures, OCSP responses and handshakes pass their certificates through here before anybody judges them.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from xroad import errors

# All that `cryptography` raises over certificates and OCSP responses that somebody spoilt.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

# Peers show the same few certificates with every message; to read one whole takes longer than to verify a signature.
_REMEMBERED = 4096


@contextmanager
def lenient_names() -> Iterator[None]:
    """Keep `cryptography` quiet about names that break X.520's lengths, which authorities do write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@lru_cache(maxsize=_REMEMBERED)
def load_certificate(der: bytes) -> x509.Certificate:
    """Return a certificate from its DER.

    Raises:
        IncorrectCertificate: it, or any field of it that is looked at, cannot be read.
    """
    try:
        with lenient_names():
            certificate = x509.load_der_x509_certificate(der)
    except UNREADABLE as error:
        raise _unreadable() from error
    return check_readable(certificate)


@lru_cache(maxsize=_REMEMBERED)  # a refusal is not remembered: it is an exception
def check_readable(certificate: x509.Certificate) -> x509.Certificate:
    """Return the certificate if all of its fields that are looked at can be read.

    Raises:
        IncorrectCertificate: they cannot.
    """
    try:
        with lenient_names():
            serial = _touch(certificate)
    except UNREADABLE as error:
        raise _unreadable() from error
    if serial <= 0:  # RFC 5280 4.1.2.2; OCSP could not tell such certificates apart
        raise _unreadable()
    return certificate


def _touch(certificate: x509.Certificate) -> int:
    certificate.public_key()
    certificate.subject.rfc4514_string()
    certificate.issuer.rfc4514_string()
    _ = certificate.extensions, certificate.signature_algorithm_oid
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.serial_number


def _unreadable() -> errors.IncorrectCertificate:
    return errors.IncorrectCertificate("A certificate is not readable: its holder must get a new one.")
