"""Time-stamps: an approved authority says that these bytes existed at this time (RFC 3161).

It refuses to know HTTP, containers and when to ask for a stamp: bytes, a trust snapshot and a time in, a verdict out.
Logged signatures are stamped in batches over a hash chain; judges of evidence take the stamp's time for theirs.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from xroad import algorithms, ber, errors
from xroad import timestamp_asn1 as shapes
from xroad.algorithms import SHA256, SHA384, SHA512, DigestAlgorithm, SignatureAlgorithm
from xroad.reading import lenient_names

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot

_Shape = TypeVar("_Shape")

MAX_BYTES = ber.MAX_BYTES
CLOCK_SKEW = timedelta(minutes=5)  # an authority's clock may be this far ahead of ours
GRANTED = frozenset({0, 1})  # granted, granted with modifications

DIGEST_OIDS: Mapping[str, DigestAlgorithm] = MappingProxyType(
    {"2.16.840.1.101.3.4.2.1": SHA256, "2.16.840.1.101.3.4.2.2": SHA384, "2.16.840.1.101.3.4.2.3": SHA512}
)
_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"  # the digest is named beside it
_RSA: Mapping[str, SignatureAlgorithm] = MappingProxyType(
    {"sha256": algorithms.RSA_SHA256, "sha384": algorithms.RSA_SHA384, "sha512": algorithms.RSA_SHA512}
)
_SIGNATURE_OIDS: Mapping[str, SignatureAlgorithm] = MappingProxyType(
    {
        "1.2.840.113549.1.1.11": algorithms.RSA_SHA256,
        "1.2.840.113549.1.1.12": algorithms.RSA_SHA384,
        "1.2.840.113549.1.1.13": algorithms.RSA_SHA512,
        "1.2.840.10045.4.3.2": algorithms.ECDSA_SHA256,
        "1.2.840.10045.4.3.3": algorithms.ECDSA_SHA384,
        "1.2.840.10045.4.3.4": algorithms.ECDSA_SHA512,
    }
)


@dataclass(frozen=True, slots=True)
class TimeStampToken:
    """A token, decoded and not verified."""

    gen_time: datetime
    serial: int
    policy: str
    nonce: int | None
    imprint_algorithm: DigestAlgorithm
    imprint: bytes
    info_der: bytes
    signer: shapes.SignerInfo


@dataclass(frozen=True, slots=True)
class VerifiedTimeStamp:
    """An approved authority stamped the bytes at `gen_time`, aware UTC."""

    gen_time: datetime
    serial: int
    policy: str
    certificate: x509.Certificate


def request(
    digest: bytes, algorithm: DigestAlgorithm = SHA512, *, nonce: int | None = None, with_certificate: bool = True
) -> bytes:
    """Return a DER TimeStampReq for a digest; the nonce comes from the caller's source of randomness."""
    return asn1.encode_der(
        shapes.TimeStampReq(
            version=1,
            message_imprint=shapes.MessageImprint(
                hash_algorithm=shapes.AlgorithmIdentifier(algorithm=digest_oid(algorithm), parameters=asn1.Null()),
                hashed_message=digest,
            ),
            req_policy=None,
            nonce=nonce,
            cert_req=with_certificate,
            extensions=None,
        )
    )


def token_of(response_der: bytes, *, nonce: int | None = None) -> bytes:
    """Return the token of a response, DER, not verified yet.

    Raises:
        TimestampingFailed: the authority refused, or answered another request.
    """
    response = _decoded(shapes.TimeStampResp, response_der, _no_stamp)
    if response.status.status not in GRANTED or response.time_stamp_token is None:
        said = "; ".join(response.status.status_string or ())[:200]
        raise errors.TimestampingFailed(
            f"The time-stamping authority refused (status {response.status.status}: {said or 'no reason given'}): "
            "ask its operator."
        )
    token = asn1.encode_der(response.time_stamp_token)
    if nonce is not None and parse(token).nonce != nonce:
        raise errors.TimestampingFailed("The time-stamping authority answered another request: try again.")
    return token


def parse(token_der: bytes) -> TimeStampToken:
    """Decode a token.

    Raises:
        TimestampValidation: not a token, or with digests that are not allowed.
    """
    content = _decoded(shapes.ContentInfo, token_der, _not_valid)
    if content.content_type != shapes.ID_SIGNED_DATA:
        raise _not_valid("it is not signed data")
    signed = _decoded(shapes.SignedData, asn1.encode_der(content.content), _not_valid)
    encapsulated = signed.encapsulated_content
    if encapsulated.content_type != shapes.ID_CT_TST_INFO:
        raise _not_valid("it does not hold a time-stamp")
    signers = signed.signer_infos.as_list()
    if len(signers) != 1:  # RFC 3161 2.4.2: the authority's signature and no other
        raise _not_valid("it must have one signer")
    info = _decoded(shapes.TstInfo, encapsulated.content, _not_valid)
    return TimeStampToken(
        gen_time=info.gen_time.as_datetime(),
        serial=info.serial_number,
        policy=info.policy.dotted_string,
        nonce=info.nonce,
        imprint_algorithm=_digest(info.message_imprint.hash_algorithm),
        imprint=info.message_imprint.hashed_message,
        info_der=encapsulated.content,
        signer=signers[0],
    )


def verify(token_der: bytes, stamped: bytes, trust: "TrustSnapshot", at: datetime) -> VerifiedTimeStamp:
    """Return the verdict that an approved authority stamped exactly these bytes.

    Args:
        token_der: the token (a CMS ContentInfo), DER or BER.
        stamped: the bytes: a hash chain result, or a signature's value.
        trust: names the approved authorities' certificates, which need not lead anywhere: each is approved by itself.
        at: the time of judgement, aware UTC; a stamp from the future is refused.

    Raises:
        MalformedSignature: the stamp is over other bytes.
        TimestampValidation: not by an approved authority, altered, or at a time that cannot be.
    """
    token = parse(token_der)
    # 1. It is over these bytes.
    if not hmac.compare_digest(token.imprint_algorithm.digest(stamped), token.imprint):
        raise errors.MalformedSignature("The time-stamp is over other data: the log or the container was altered.")
    # 2. It is by an authority that the instance approves, for this purpose.
    certificate = _authority(token.signer, trust)
    _check_purpose(certificate)
    # 3. The signature covers the content, and names its certificate.
    _check_attributes(token, certificate)
    _check_signature(token.signer, certificate)
    # 4. The time can be.
    if not certificate.not_valid_before_utc <= token.gen_time <= certificate.not_valid_after_utc:
        raise _not_valid("its authority's certificate was not valid at that time")
    if token.gen_time > at + CLOCK_SKEW:
        raise _not_valid("it is from the future: a clock is wrong, here or at the authority")
    return VerifiedTimeStamp(token.gen_time, token.serial, token.policy, certificate)


def digest_oid(algorithm: DigestAlgorithm) -> x509.ObjectIdentifier:
    """Return the ASN.1 name of a digest."""
    return next(x509.ObjectIdentifier(oid) for oid, each in DIGEST_OIDS.items() if each == algorithm)


def _authority(signer: shapes.SignerInfo, trust: "TrustSnapshot") -> x509.Certificate:
    for certificate in trust.tsa_certificates:
        if _names(signer.sid, certificate):
            return certificate
    raise _not_valid("no time-stamping authority that the global configuration approves made it")


def _names(sid: shapes.IssuerAndSerialNumber | bytes, certificate: x509.Certificate) -> bool:
    if isinstance(sid, bytes):
        return sid == _key_identifier(certificate)
    return sid.serial_number == certificate.serial_number and sid.issuer == certificate.issuer


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return None


def _check_purpose(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise _not_valid("its authority's certificate is not for time-stamping") from error
    if ExtendedKeyUsageOID.TIME_STAMPING not in usage:
        raise _not_valid("its authority's certificate is not for time-stamping")


def _check_attributes(token: TimeStampToken, certificate: x509.Certificate) -> None:
    attributes = _attributes(token.signer)
    content_type = attributes.get(shapes.ID_CONTENT_TYPE)
    if content_type != asn1.encode_der(shapes.ID_CT_TST_INFO):
        raise _not_valid("its signature is over another type of content")
    digest = _digest(token.signer.digest_algorithm).digest(token.info_der)
    if attributes.get(shapes.ID_MESSAGE_DIGEST) != ber.encode(0x04, digest):
        raise _not_valid("its content was altered")
    # RFC 3161 2.4.2: without it another certificate of the same key could be put in the authority's place.
    if not _certificate_named(attributes, certificate.public_bytes(Encoding.DER)):
        raise _not_valid("it does not name the certificate that signed it")


def _attributes(signer: shapes.SignerInfo) -> Mapping[x509.ObjectIdentifier, bytes]:
    found: dict[x509.ObjectIdentifier, bytes] = {}
    for each in signer.signed_attributes or ():
        attribute = _decoded(shapes.Attribute, asn1.encode_der(each), _not_valid)
        values = attribute.values.as_list()
        if attribute.attribute_type in found or len(values) != 1:
            raise _not_valid("one of its attributes has not exactly one value")
        found[attribute.attribute_type] = asn1.encode_der(values[0])
    return found


def _certificate_named(attributes: Mapping[x509.ObjectIdentifier, bytes], der: bytes) -> bool:
    second = attributes.get(shapes.ID_SIGNING_CERTIFICATE_V2)
    if second is not None:
        named = _decoded(shapes.SigningCertificateV2, second, _not_valid).certs[:1]
        return any(hmac.compare_digest(_ess_digest(each, der), each.cert_hash) for each in named)
    first = attributes.get(shapes.ID_SIGNING_CERTIFICATE)
    if first is None:
        return False
    # SHA-1 by RFC 2634; the certificate itself is pinned by the global configuration, so nothing rests on it.
    digest = hashlib.sha1(der).digest()  # noqa: S324
    return any(
        hmac.compare_digest(digest, each.cert_hash)
        for each in _decoded(shapes.SigningCertificate, first, _not_valid).certs[:1]
    )


def _ess_digest(named: shapes.EssCertIdV2, der: bytes) -> bytes:
    algorithm = SHA256 if named.hash_algorithm is None else _digest(named.hash_algorithm)
    return algorithm.digest(der)


def _check_signature(signer: shapes.SignerInfo, certificate: x509.Certificate) -> None:
    name = signer.signature_algorithm.algorithm.dotted_string
    digest = _digest(signer.digest_algorithm)
    algorithm = _RSA[digest.name] if name == _RSA_ENCRYPTION else _SIGNATURE_OIDS.get(name)
    if algorithm is None or algorithm.digest != digest:
        raise _not_valid("it is signed with an algorithm that is not allowed")
    # RFC 5652 5.4: what is signed is the attributes as a SET, not under the tag that they are sent with.
    attributes = b"".join(asn1.encode_der(each) for each in signer.signed_attributes or ())
    try:
        algorithm.verify(certificate.public_key(), signer.signature, ber.encode(shapes.TAG_SET, attributes))
    except (InvalidSignature, errors.UnsupportedAlgorithm) as error:
        raise _not_valid("its signature does not hold") from error


def _digest(identifier: shapes.AlgorithmIdentifier) -> DigestAlgorithm:
    found = DIGEST_OIDS.get(identifier.algorithm.dotted_string)
    if found is None:
        raise _not_valid("it uses a digest that is not allowed")
    return found


def _decoded(shape: type[_Shape], data: bytes, refuse: Callable[[str], errors.XRoadError]) -> _Shape:
    if len(data) > MAX_BYTES:
        raise refuse("it is longer than time-stamps are")
    try:
        with lenient_names():
            return asn1.decode_der(shape, data)
    except ValueError:
        return _decoded_from_ber(shape, data, refuse)


def _decoded_from_ber(shape: type[_Shape], data: bytes, refuse: Callable[[str], errors.XRoadError]) -> _Shape:
    try:
        with lenient_names():
            return asn1.decode_der(shape, ber.to_der(data))
    except ValueError as error:
        raise refuse("it is not readable") from error


def _not_valid(reason: str) -> errors.XRoadError:
    return errors.TimestampValidation(f"The time-stamp does not hold: {reason}.")


def _no_stamp(reason: str) -> errors.XRoadError:
    return errors.TimestampingFailed(f"The time-stamping authority's answer is of no use: {reason}.")
