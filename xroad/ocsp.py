"""OCSP responses: is this certificate good, says somebody who may say so, and recently enough?

It refuses to know where responses come from, and who may exchange what: it takes DER, a trust snapshot and a time.
Certificate paths and signatures call it for each certificate; the keeper of the server's own responses calls it too.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from xroad import errors
from xroad.reading import UNREADABLE, check_readable, lenient_names
from xroad.verdicts import VerdictCache

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot

MAX_RESPONSE_BYTES = 64 * 1024  # real ones are 0.5 to 4 kB; a bound before anything is parsed
CLOCK_SKEW = timedelta(minutes=5)  # a responder's clock may be this far ahead; more is a wrong clock somewhere

# The CertID only names a certificate; its digest protects nothing, so that SHA-1, which every responder uses, may stay.
_CERT_ID_DIGESTS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_SIGNATURE_DIGESTS = frozenset({"sha256", "sha384", "sha512"})

_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OcspVerdict:
    """A certificate's status was good; between `good_since` and `good_until` the response may be believed."""

    serial: int
    this_update: datetime
    next_update: datetime | None
    produced_at: datetime
    good_since: datetime
    good_until: datetime
    responder: x509.Certificate


@asn1.sequence
class _KeyInfo:
    algorithm: asn1.TLV
    key: asn1.BitString


def verify(
    response_der: bytes,
    cert: x509.Certificate,
    issuer: x509.Certificate,
    trust: "TrustSnapshot",
    at: datetime,
    *,
    cache: VerdictCache | None = None,
) -> OcspVerdict:
    """Return the verdict that a certificate is good at this time (RFC 6960 3.2, in the order of X-Road's own checks).

    Args:
        response_der: the OCSPResponse, DER.
        cert: the certificate in question.
        issuer: the approved authority's certificate that issued it.
        trust: gives the registered responders and `ocsp_freshness_seconds`.
        at: the time of judgement, aware UTC.
        cache: remembers good verdicts.

    Raises:
        IncorrectValidationInfo: not readable, of another certificate, badly signed, by somebody who may not, or stale.
        CertValidation: the status is revoked or unknown.
    """
    key = ("ocsp", trust.digest, hashlib.sha256(response_der).digest(), cert, issuer)
    known = cache.get(key, OcspVerdict, at) if cache is not None else None
    if known is not None:
        return known
    verdict = _judge(response_der, cert, issuer, trust, at)
    if cache is not None:
        cache.put(key, verdict, verdict.good_since, verdict.good_until)
    return verdict


def find(responses: Sequence[bytes], cert: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
    """Return the first response that is about this certificate, or None; nothing about it is verified yet."""
    for response in responses:
        try:
            single = _single(_load(response))
        except errors.IncorrectValidationInfo:
            continue  # an unreadable response is as good as none; the caller says that none was found
        if _is_about(single, cert, issuer):
            return response
    return None


def build_request(cert: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return a DER OCSPRequest for one certificate, its CertID in SHA-1 as deployed responders expect."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, hashes.SHA1())  # noqa: S303 - only a name
    return builder.build().public_bytes(Encoding.DER)


def describe(cert: x509.Certificate) -> str:
    """Name a certificate for people: subject and serial number in hexadecimal."""
    return f"“{cert.subject.rfc4514_string()[:200]}” (serial {cert.serial_number:x})"


def _judge(
    response_der: bytes, cert: x509.Certificate, issuer: x509.Certificate, trust: "TrustSnapshot", at: datetime
) -> OcspVerdict:
    response = _load(response_der)
    single = _single(response)
    # 1. It is about this certificate: a good response for another certificate must not vouch for a revoked one.
    if not _is_about(single, cert, issuer):
        raise errors.IncorrectValidationInfo(
            f"The OCSP response is about another certificate than {describe(cert)}: the peer must send its own."
        )
    # 2. It is signed by the responder that it names.
    responder = _responder(response, issuer, trust)
    _check_signature(response, responder)
    # 3. That responder may speak for the issuer: else any certificate holder could clear any other.
    authorised_until = _check_authorised(responder, issuer, trust, at)
    # 4. It is recent: else a response from before the revocation would do for ever.
    good_until = min(authorised_until, _check_freshness(single, cert, trust, at))
    # 5. It says good.
    _check_status(single, cert)
    return OcspVerdict(
        cert.serial_number,
        single.this_update_utc,
        single.next_update_utc,
        response.produced_at_utc,
        max(single.this_update_utc - CLOCK_SKEW, responder.not_valid_before_utc),
        good_until,
        responder,
    )


def _load(response_der: bytes) -> ocsp.OCSPResponse:
    if len(response_der) > MAX_RESPONSE_BYTES:
        raise errors.IncorrectValidationInfo(
            f"The OCSP response is longer than {MAX_RESPONSE_BYTES} bytes: the peer's responder does not answer sanely."
        )
    try:
        with lenient_names():
            response = ocsp.load_der_ocsp_response(response_der)
            _touch(response)
    except UNREADABLE as error:
        raise errors.IncorrectValidationInfo(
            "The OCSP response is not readable: whose certificate it is for must fetch a new one."
        ) from error
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise errors.IncorrectValidationInfo(
            f"The OCSP responder answered {response.response_status.name.lower()} instead of a status: "
            "the certification authority's responder must be repaired."
        )
    return response


def _touch(response: ocsp.OCSPResponse) -> None:
    """Read every field that is looked at, for they are parsed lazily."""
    if response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
        _ = response.responder_name, response.responder_key_hash, response.produced_at_utc
        _ = response.certificates, response.signature_algorithm_oid, response.extensions


def _single(response: ocsp.OCSPResponse) -> ocsp.OCSPSingleResponse:
    """Return the first status, the only one that X-Road looks at."""
    try:
        return next(iter(response.responses))
    except (StopIteration, ValueError) as error:
        raise errors.IncorrectValidationInfo(
            "The OCSP response holds no status: whose certificate it is for must fetch a new one."
        ) from error


def _is_about(single: ocsp.OCSPSingleResponse, cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        digest_name = single.hash_algorithm.name
    except UnsupportedAlgorithm:
        return False
    if digest_name not in _CERT_ID_DIGESTS or single.serial_number != cert.serial_number:
        return False
    name_hash, key_hash = _cert_id(issuer, digest_name)
    return hmac.compare_digest(single.issuer_name_hash, name_hash) and hmac.compare_digest(
        single.issuer_key_hash, key_hash
    )


@lru_cache(maxsize=256)
def _cert_id(issuer: x509.Certificate, digest_name: str) -> tuple[bytes, bytes]:
    digest = _CERT_ID_DIGESTS[digest_name]
    return digest(issuer.subject.public_bytes()).digest(), digest(_key_bits(issuer)).digest()


def _key_bits(cert: x509.Certificate) -> bytes:
    der = cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return asn1.decode_der(_KeyInfo, der).key.as_bytes()


def _responder(response: ocsp.OCSPResponse, issuer: x509.Certificate, trust: "TrustSnapshot") -> x509.Certificate:
    for candidate in _candidates(response, issuer, trust):
        if response.responder_name is not None and candidate.subject == response.responder_name:
            return candidate
        if response.responder_key_hash is not None:
            key_hash = hashlib.sha1(_key_bits(candidate)).digest()  # noqa: S324 - RFC 6960 fixes it; only a name
            if hmac.compare_digest(response.responder_key_hash, key_hash):
                return candidate
    raise errors.IncorrectValidationInfo(
        "The OCSP response names a responder whose certificate is neither in it nor in the global configuration: "
        "the governing authority must register the responder, or the responder must send its certificate."
    )


def _candidates(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, trust: "TrustSnapshot"
) -> Iterator[x509.Certificate]:
    yield from trust.ocsp_responder_certificates(issuer)
    yield issuer
    for certificate in response.certificates:
        try:
            yield check_readable(certificate)
        except errors.IncorrectCertificate:
            continue  # what cannot be read cannot be the responder


def _check_signature(response: ocsp.OCSPResponse, responder: x509.Certificate) -> None:
    try:
        digest = response.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    # SHA-1 signatures can be forged by chosen-prefix collisions: a responder that still makes them is refused.
    if digest is None or digest.name not in _SIGNATURE_DIGESTS:
        raise errors.IncorrectValidationInfo(
            "The OCSP response is signed with an algorithm that is not allowed: the responder must use SHA-256 or more."
        )
    try:
        _verify_value(responder.public_key(), response.signature, response.tbs_response_bytes, digest)
    except (InvalidSignature, ValueError) as error:
        raise errors.IncorrectValidationInfo(
            "The signature on the OCSP response does not hold: it was altered, or another responder made it."
        ) from error


def _verify_value(public_key: object, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> None:
    if isinstance(public_key, rsa.RSAPublicKey):
        public_key.verify(signature, data, padding.PKCS1v15(), digest)
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key.verify(signature, data, ec.ECDSA(digest))
    else:
        raise InvalidSignature


def _check_authorised(
    responder: x509.Certificate, issuer: x509.Certificate, trust: "TrustSnapshot", at: datetime
) -> datetime:
    if responder == issuer or responder in trust.ocsp_responder_certificates(issuer):
        return _FOR_EVER  # the governing authority names it: its own validity adds nothing
    if not _is_delegated(responder, issuer):
        raise errors.IncorrectValidationInfo(
            f"The OCSP responder {describe(responder)} may not answer for this certification authority: it is neither "
            "registered in the global configuration nor delegated by the authority."
        )
    if not responder.not_valid_before_utc <= at <= responder.not_valid_after_utc:
        raise errors.IncorrectValidationInfo(
            f"The certificate of the OCSP responder {describe(responder)} is not valid at {at:%Y-%m-%d %H:%M:%S}Z: "
            "the certification authority must renew it, or a clock is wrong."
        )
    return responder.not_valid_after_utc


def _is_delegated(responder: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        responder.verify_directly_issued_by(issuer)
        usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _check_freshness(
    single: ocsp.OCSPSingleResponse, cert: x509.Certificate, trust: "TrustSnapshot", at: datetime
) -> datetime:
    allowed = timedelta(seconds=trust.ocsp_freshness_seconds)
    this_update, next_update = single.this_update_utc, single.next_update_utc
    if this_update > at + CLOCK_SKEW:
        raise errors.IncorrectValidationInfo(
            f"The OCSP response for {describe(cert)} is from {_span(this_update - at)} in the future: "
            "a clock is wrong, here or at the responder."
        )
    if this_update < at - allowed:
        raise errors.IncorrectValidationInfo(
            f"The OCSP response for {describe(cert)} was produced {_span(at - this_update)} ago, older than the "
            f"{_span(allowed)} that the instance allows: the certificate's server has lost its OCSP responder, "
            "or a clock is wrong."
        )
    if next_update is not None and next_update < at:
        raise errors.IncorrectValidationInfo(
            f"The OCSP response for {describe(cert)} was to be replaced {_span(at - next_update)} ago: the "
            "certificate's server has lost its OCSP responder, or a clock is wrong."
        )
    return min(this_update + allowed, next_update or _FOR_EVER)


def _check_status(single: ocsp.OCSPSingleResponse, cert: x509.Certificate) -> None:
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        raise errors.CertValidation(
            f"The certificate {describe(cert)} was revoked at {single.revocation_time_utc:%Y-%m-%d %H:%M:%S}Z: "
            "its holder must get and register a new one."
        )
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise errors.CertValidation(
            f"The certification authority does not know the certificate {describe(cert)} (OCSP status unknown): "
            "its holder must ask the authority."
        )


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
