"""Builds signatures: the signed octets directly in canonical form, so that no XML tree is made on the way out.

It refuses to know private keys: a token signs `data_to_sign` wherever it is, and `complete` puts the value in.
The form is the one that X-Road 7.2 to 7.8 write; a test holds the templates equal to canonicalization of the result.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from xroad import hashchain
from xroad.algorithms import SHA512, DigestAlgorithm, SignatureAlgorithm, ecdsa_der_to_raw
from xroad.xades import names
from xroad.xmlsafe import C14N

_HASH_CHAIN_RESULT_TYPE = "application/hash-chain-result"
# What canonical text escapes, and what XML cannot hold at all (a certificate's issuer name may be anything).
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#xD;"}
_FORBIDDEN = (*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_ESCAPES.update(dict.fromkeys(_FORBIDDEN, "\ufffd"))


class SignedPart(NamedTuple):
    """A part of a message: its file name, its digest, and its type as told to whoever reads the signature."""

    name: str
    digest: bytes
    media_type: str = "text/xml"


class SignatureData(NamedTuple):
    """What goes over the wire and into the log: the signature and, in the chained form, its result and chain."""

    xml: bytes
    hash_chain_result: bytes | None = None
    hash_chain: bytes | None = None


class Unsigned(NamedTuple):
    """A signature that lacks its value: sign `data_to_sign` with `algorithm`, then complete."""

    data_to_sign: bytes
    algorithm: SignatureAlgorithm
    hash_chain_result: bytes | None
    hash_chains: tuple[bytes, ...]
    before: str
    after: str
    curve_bits: int

    def complete(self, signature_value: bytes) -> SignatureData:
        """Put the token's value in: RSA as it is, ECDSA from DER to r||s; the data of the first or only message."""
        return self.complete_batch(signature_value)[0]

    def complete_batch(self, signature_value: bytes) -> tuple[SignatureData, ...]:
        """As `complete`, for each message of a batch: the same signature, each with its own chain."""
        if self.algorithm.scheme == "ecdsa":
            signature_value = ecdsa_der_to_raw(signature_value, self.curve_bits)
        xml = f"{self.before}{_base64(signature_value)}{self.after}".encode()
        if self.hash_chain_result is None:
            return (SignatureData(xml),)
        return tuple(SignatureData(xml, self.hash_chain_result, chain) for chain in self.hash_chains)


def prepare(
    parts: Sequence[SignedPart],
    certificate: x509.Certificate,
    ocsp_responses: Sequence[bytes],
    extra_certificates: Sequence[x509.Certificate],
    algorithm: SignatureAlgorithm,
    at: datetime,
    *,
    digest: DigestAlgorithm = SHA512,
) -> Unsigned:
    """Prepare a signature with one reference for each part.

    Any XAdES verifier takes it, and X-Road from 7.6; older servers take it for messages without a body only.

    Args:
        parts: `/message.xml` first, then `/attachment1`, `/attachment2`, …
        certificate: the member's signing certificate.
        ocsp_responses: DER, for the certificate and those between it and the root.
        extra_certificates: those between the certificate and the root.
        algorithm: that of the key.
        at: the signing time, aware UTC.
        digest: what made the parts' digests; `x-hash-algo` on the wire.
    """
    _check_parts(parts)
    return _prepare(parts, certificate, ocsp_responses, extra_certificates, algorithm, at, digest)


def prepare_chained(
    parts: Sequence[SignedPart],
    certificate: x509.Certificate,
    ocsp_responses: Sequence[bytes],
    extra_certificates: Sequence[x509.Certificate],
    algorithm: SignatureAlgorithm,
    at: datetime,
    *,
    digest: DigestAlgorithm = SHA512,
) -> Unsigned:
    """Prepare a signature as X-Road itself does: over a hash chain when the message has several parts."""
    return prepare_batch([parts], certificate, ocsp_responses, extra_certificates, algorithm, at, digest=digest)


def prepare_batch(
    messages: Sequence[Sequence[SignedPart]],
    certificate: x509.Certificate,
    ocsp_responses: Sequence[bytes],
    extra_certificates: Sequence[x509.Certificate],
    algorithm: SignatureAlgorithm,
    at: datetime,
    *,
    digest: DigestAlgorithm = SHA512,
) -> Unsigned:
    """Prepare one signature over many messages of one member; each gets the same XML and a chain of its own."""
    for parts in messages:
        _check_parts(parts)
    if len(messages) == 1 and len(messages[0]) == 1:
        return _prepare(messages[0], certificate, ocsp_responses, extra_certificates, algorithm, at, digest)
    chains = hashchain.build([[part.digest for part in parts] for parts in messages], digest)
    result = SignedPart(hashchain.SIG_HASH_CHAIN_RESULT, digest.digest(chains.result), _HASH_CHAIN_RESULT_TYPE)
    return _prepare([result], certificate, ocsp_responses, extra_certificates, algorithm, at, digest, chains)


def _check_parts(parts: Sequence[SignedPart]) -> None:
    expected = [names.MESSAGE, *(names.attachment_name(number) for number in range(1, len(parts)))]
    if [part.name for part in parts] != expected:
        raise ValueError("the parts of a message are /message.xml, then /attachment1, /attachment2, … in order")


def _prepare(
    parts: Sequence[SignedPart],
    certificate: x509.Certificate,
    ocsp_responses: Sequence[bytes],
    extra_certificates: Sequence[x509.Certificate],
    algorithm: SignatureAlgorithm,
    at: datetime,
    digest: DigestAlgorithm,
    chains: hashchain.HashChains | None = None,
) -> Unsigned:
    signer = _encoded(certificate, digest)
    properties = _signed_properties(parts, signer, at)
    canonical = f"<xades:SignedProperties {names.NAMESPACES}{properties}"
    signed_info = _signed_info(parts, algorithm, digest, digest.digest(canonical.encode()))
    unsigned = _unsigned_properties(tuple(ocsp_responses), tuple(extra_certificates), digest)
    before = (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
        f'<asic:XAdESSignatures {names.NAMESPACES}><ds:Signature Id="signature"><ds:SignedInfo{signed_info}'
        '<ds:SignatureValue Id="signature-value">'
    )
    after = (
        f"</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{signer.der}</ds:X509Certificate>"
        '</ds:X509Data></ds:KeyInfo><ds:Object><xades:QualifyingProperties Target="#signature">'
        f"<xades:SignedProperties{properties}{unsigned}"
        "</xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
    )
    data_to_sign = f"<ds:SignedInfo {names.NAMESPACES}{signed_info}".encode()
    result, each = (chains.result, chains.chains) if chains is not None else (None, ())
    return Unsigned(data_to_sign, algorithm, result, each, before, after, signer.curve_bits)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A certificate as signatures write it."""

    der: str
    identity: str
    curve_bits: int


@lru_cache(maxsize=64)  # a server signs with few certificates, thousands of times each
def _encoded(certificate: x509.Certificate, digest: DigestAlgorithm) -> _Encoded:
    der = certificate.public_bytes(Encoding.DER)
    public_key = certificate.public_key()
    issuer = certificate.issuer.rfc4514_string().translate(_ESCAPES)
    identity = (
        f"<xades:CertDigest>{_digest_xml(digest, digest.digest(der))}</xades:CertDigest><xades:IssuerSerial>"
        f"<ds:X509IssuerName>{issuer}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate.serial_number}</ds:X509SerialNumber></xades:IssuerSerial>"
    )
    curve_bits = public_key.curve.key_size if isinstance(public_key, ec.EllipticCurvePublicKey) else 0
    return _Encoded(_base64(der), identity, curve_bits)


def _signed_properties(parts: Sequence[SignedPart], signer: _Encoded, at: datetime) -> str:
    """Return what follows the element's name, for the canonical form puts namespaces between the two."""
    formats = "".join(
        f'<xades:DataObjectFormat ObjectReference="#signature-reference-{number}">'
        f"<xades:MimeType>{part.media_type.translate(_ESCAPES)}</xades:MimeType></xades:DataObjectFormat>"
        for number, part in enumerate(parts)
    )
    return (
        ' Id="signed-properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{_time(at)}</xades:SigningTime><xades:SigningCertificate><xades:Cert>{signer.identity}"
        f"</xades:Cert></xades:SigningCertificate>{POLICY_XML}</xades:SignedSignatureProperties>"
        f"<xades:SignedDataObjectProperties>{formats}</xades:SignedDataObjectProperties></xades:SignedProperties>"
    )


def _signed_info(
    parts: Sequence[SignedPart], algorithm: SignatureAlgorithm, digest: DigestAlgorithm, properties_digest: bytes
) -> str:
    references = "".join(
        f'<ds:Reference Id="signature-reference-{number}" URI="{part.name}">{_digest_xml(digest, part.digest)}'
        "</ds:Reference>"
        for number, part in enumerate(parts)
    )
    return (
        f'><ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{algorithm.uri}"></ds:SignatureMethod>{references}'
        f'<ds:Reference Id="signature-reference-{len(parts)}" Type="{names.SIGNED_PROPERTIES_TYPE}" '
        f'URI="#signed-properties">{_digest_xml(digest, properties_digest)}</ds:Reference></ds:SignedInfo>'
    )


@lru_cache(maxsize=64)  # the same for all messages that a key signs, until the next OCSP response
def _unsigned_properties(
    ocsp_responses: tuple[bytes, ...], extra_certificates: tuple[x509.Certificate, ...], digest: DigestAlgorithm
) -> str:
    extra = [_encoded(each, digest) for each in extra_certificates]
    references = "".join(
        f'<xades:Cert URI="#encapsulated-cert-{number}">{each.identity}</xades:Cert>'
        for number, each in enumerate(extra, 1)
    )
    certificates = "".join(
        f'<xades:EncapsulatedX509Certificate Id="encapsulated-cert-{number}">{each.der}'
        "</xades:EncapsulatedX509Certificate>"
        for number, each in enumerate(extra, 1)
    )
    if extra:
        certificates = (
            '<xades:CompleteCertificateRefs Id="complete-certificate-refs"><xades:CertRefs>'
            f"{references}</xades:CertRefs></xades:CompleteCertificateRefs>"
            f"<xades:CertificateValues>{certificates}</xades:CertificateValues>"
        )
    responses = "".join(
        f'<xades:EncapsulatedOCSPValue Id="ocsp-response-{number}">{_base64(response)}</xades:EncapsulatedOCSPValue>'
        for number, response in enumerate(ocsp_responses, 1)
    )
    return (
        f"<xades:UnsignedProperties><xades:UnsignedSignatureProperties>{certificates}<xades:RevocationValues>"
        f"<xades:OCSPValues>{responses}</xades:OCSPValues></xades:RevocationValues>"
        "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    )


def _digest_xml(algorithm: DigestAlgorithm, digest: bytes) -> str:
    return (
        f'<ds:DigestMethod Algorithm="{algorithm.uri}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_base64(digest)}</ds:DigestValue>"
    )


POLICY_XML = (
    "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>"
    f'<xades:Identifier Qualifier="OIDAsURN">{names.POLICY}</xades:Identifier>'
    f"<xades:Description>{names.POLICY_DESCRIPTION}</xades:Description></xades:SigPolicyId><xades:SigPolicyHash>"
    f'<ds:DigestMethod Algorithm="{SHA512.uri}"></ds:DigestMethod>'
    f"<ds:DigestValue>{names.POLICY_SHA512}</ds:DigestValue></xades:SigPolicyHash><xades:SigPolicyQualifiers>"
    f"<xades:SigPolicyQualifier><xades:SPURI>{names.POLICY_ADDRESS}</xades:SPURI></xades:SigPolicyQualifier>"
    "</xades:SigPolicyQualifiers></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>"
)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
