"""Verifies signatures over messages: who signed exactly these parts, with a certificate that held at this time.

It refuses to know transports, logs and access rights: it takes bytes, digests of parts, a trust snapshot and a time.
Both pipelines call it before a body is forwarded in either direction, and the judge of evidence calls it years later.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from xroad import errors, hashchain
from xroad.algorithms import SHA512, DigestAlgorithm, SignatureAlgorithm, check_key_strength, ecdsa_raw_to_der
from xroad.certificates import (
    ChainVerdict,
    SigningCertificate,
    check_signer,
    check_signing_usage,
    nested,
    verify_chain,
)
from xroad.hashchain import DigestValue
from xroad.identifiers import ClientId
from xroad.reading import load_certificate
from xroad.verdicts import VerdictCache
from xroad.xades import form, template
from xroad.xades.names import SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT, is_attachment_name, is_part_name

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot


class VerifiedSignature(NamedTuple):
    """A signature that held: `parts` are the digests that it covers, all of them and nothing else."""

    signer: ClientId
    certificate: SigningCertificate
    signing_time: datetime
    algorithm: SignatureAlgorithm
    chain: ChainVerdict
    parts: Mapping[str, bytes]
    value: bytes
    time_stamps: tuple[bytes, ...]


class _Message(NamedTuple):
    """What was received beside the signature."""

    parts: Mapping[str, bytes]
    digest: DigestAlgorithm
    hash_chain_result: bytes | None
    hash_chain: bytes | None
    document: Mapping[str, bytes] | None


@dataclass(frozen=True, slots=True)
class _Certified:
    """A readable certificate with a key that is allowed; `value_bytes` is the width of its ECDSA values."""

    certificate: x509.Certificate
    public_key: PublicKeyTypes
    value_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """A signing certificate of this member that held, with the OCSP responses that came with it."""

    certified: _Certified
    chain: ChainVerdict


def verify(
    xml: bytes,
    parts: Mapping[str, bytes],
    trust: "TrustSnapshot",
    at: datetime,
    signer: ClientId,
    *,
    digest: DigestAlgorithm = SHA512,
    hash_chain_result: bytes | None = None,
    hash_chain: bytes | None = None,
    document: Mapping[str, bytes] | None = None,
    cache: VerdictCache | None = None,
) -> VerifiedSignature:
    """Return the verified signature of a member over all parts of a message, in the order of X-Road's own checks.

    Args:
        xml: the signature document.
        parts: digest by file name (`/message.xml`, `/attachment1`, …) of every part that was received.
        trust: authorities, responders, and whose certificate is whose.
        at: the time of judgement, aware UTC: now for messages, the time of the time-stamp for evidence.
        signer: who is said to have sent the message; only its member counts.
        digest: what made the digests.
        hash_chain_result: the part of that kind, if there was one.
        hash_chain: the part of that kind, if there was one.
        document: all files of the signed document, if it is one: its hash chain may refer to them, and attachments
            that it leaves out and that are not among `parts` stand by their digests, unverified.
        cache: remembers verdicts on certificates.

    Raises:
        InvalidXml, MalformedSignature: not a signature of X-Road's form, or not over all parts;
            with `.HashChainUnusedInputs` and the like when it is the hash chain.
        InvalidReference, UnsupportedAlgorithm: it refers to something else, or uses what is not allowed.
        IncorrectCertificate: another member signed.
        InvalidSignatureValue: the message, the signature or the signed properties were altered.
        CannotCreateCertPath, InvalidCertPath: the certificate does not hold.
    """
    if not parts or not all(is_part_name(name) for name in parts):
        raise ValueError("the parts of a message are /message.xml, /attachment1, …")
    message = _Message(parts, digest, hash_chain_result, hash_chain, document)
    # 1. The form: one signature, unique ids, nothing but what X-Road writes.
    opened = _opened(xml)
    signed_info = opened.signed_info
    # 2. It refers to every part of this message and to nothing else, directly or through the hash chain.
    _check_coverage(signed_info, message)
    # 3. The certificate is a signing certificate, and that of the member who is said to have signed.
    key = (opened.certificate, opened.extra_certificates, opened.ocsp_responses, signer, trust.digest)
    known = cache.get(key, _Standing, at) if cache is not None else None
    certified = _certificate(opened.certificate, trust, at, signer, cache) if known is None else known.certified
    # 4. The value is over these octets, by that certificate's key; the digests in them are those of the parts.
    _check_value(signed_info.algorithm, certified, opened.signature_value, opened.signed_info_octets)
    _check_part_digests(signed_info, message)
    # 5. The signed properties are those of the document, and name the same certificate.
    properties = _verified_properties(opened)
    _check_certificate_named(properties, opened.certificate)
    # 6. The certificate leads to an approved authority and was good.
    chain = _check_chain(opened, certified.certificate, trust, at, signer, cache) if known is None else known.chain
    if cache is not None and known is None:
        # Only after all checks: nobody's junk may push out the certificates of honest members.
        cache.put(key, _Standing(certified, chain), chain.since, chain.until)
    return VerifiedSignature(
        signer.member,
        SigningCertificate(certified.certificate),
        properties.signing_time,
        signed_info.algorithm,
        chain,
        MappingProxyType(dict(parts)),
        opened.signature_value,
        opened.time_stamps,
    )


def _check_coverage(signed_info: form.SignedInfo, message: _Message) -> None:
    referred = set(signed_info.parts)
    if SIG_HASH_CHAIN_RESULT in referred:
        # Beside the chain nothing may be referred to: a part must not be covered in two ways.
        surplus = referred - {SIG_HASH_CHAIN_RESULT}
        _refuse_surplus(surplus)
        _check_hash_chain(message)
        return
    _refuse_surplus(referred - set(message.parts))
    missing = sorted(set(message.parts) - referred)
    if missing:  # an attacker could add a body to a message that was signed without one
        raise errors.MalformedSignature(f"The signature does not cover {', '.join(missing)} of the message.")


def _refuse_surplus(names: set[str]) -> None:
    if names:
        shown = ", ".join(sorted(name[:100] for name in names))
        raise errors.InvalidReference(f"The signature refers to {shown}, which is not part of the message.")


def _check_hash_chain(message: _Message) -> None:
    if message.hash_chain_result is None:
        raise errors.MalformedSignature(
            "The signature is over a hash chain, and the message has none: the peer must send it."
        )
    inputs = {name: DigestValue(message.digest, value) for name, value in message.parts.items()}
    files = dict(message.document or {})
    if message.hash_chain is not None:
        files[SIG_HASH_CHAIN] = message.hash_chain
    is_elsewhere = hashchain.nothing_is_elsewhere if message.document is None else is_attachment_name
    try:
        hashchain.verify(message.hash_chain_result, inputs, files.get, is_elsewhere)
    except errors.XRoadError as error:
        raise nested(errors.MalformedSignature, error) from error


def _certificate(
    der: bytes, trust: "TrustSnapshot", at: datetime, signer: ClientId, cache: VerdictCache | None
) -> _Certified:
    certificate = _loaded(der)
    public_key = certificate.public_key()
    check_key_strength(public_key)
    check_signing_usage(certificate)
    check_signer(certificate, trust, signer, at, cache=cache)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _Certified(certificate, public_key, 2 * ((public_key.curve.key_size + 7) // 8))
    return _Certified(certificate, public_key, None)


def _check_value(algorithm: SignatureAlgorithm, certified: _Certified, value: bytes, octets: bytes) -> None:
    if certified.value_bytes is not None:
        # r and s have the width of the curve: another length would be a second spelling of the same signature.
        if len(value) != certified.value_bytes:
            raise _altered()
        value = ecdsa_raw_to_der(value)
    try:
        algorithm.verify(certified.public_key, value, octets)
    except InvalidSignature as error:
        raise _altered() from error


def _check_part_digests(signed_info: form.SignedInfo, message: _Message) -> None:
    for name, reference in signed_info.parts.items():
        if name == SIG_HASH_CHAIN_RESULT:
            calculated = reference.algorithm.digest(message.hash_chain_result or b"")
        elif reference.algorithm == message.digest:
            calculated = message.parts[name]
        else:
            raise errors.InvalidReference(
                f"The signature has a {reference.algorithm.name} digest of {name}, and the message says that its "
                f"digests are {message.digest.name}: both must be the same."
            )
        if not hmac.compare_digest(calculated, reference.digest):
            raise _altered()


def _opened(xml: bytes) -> form.Opened:
    """Read the document: most are of our own form, which needs no XML tree."""
    return template.read(xml) or form.open_document(xml)


def _verified_properties(opened: form.Opened) -> form.SignedProperties:
    reference, octets = opened.signed_info.properties, opened.properties_octets
    if octets is None:
        raise errors.MalformedSignature("The signature does not cover its signed properties.")
    if not hmac.compare_digest(reference.algorithm.digest(octets), reference.digest):
        raise _altered()
    return opened.properties or form.read_signed_properties(octets)


def _check_certificate_named(properties: form.SignedProperties, der: bytes) -> None:
    # Else a certificate with the same key, issued by somebody else or with other usages, could be put in its place.
    if not hmac.compare_digest(properties.certificate_algorithm.digest(der), properties.certificate_digest):
        raise errors.MalformedSignature("The certificate in the signature is not the one that the signer named.")


def _check_chain(
    opened: form.Opened,
    certificate: x509.Certificate,
    trust: "TrustSnapshot",
    at: datetime,
    signer: ClientId,
    cache: VerdictCache | None,
) -> ChainVerdict:
    if not opened.ocsp_responses:
        raise errors.MalformedSignature(
            "The signature holds no OCSP response: the member's server could not get one from its authority."
        )
    extra = [_loaded(der) for der in opened.extra_certificates]
    return verify_chain(certificate, extra, opened.ocsp_responses, trust, at, "sign", signer.instance, cache=cache)


def _loaded(der: bytes) -> x509.Certificate:
    try:
        return load_certificate(der)
    except errors.IncorrectCertificate as error:
        raise nested(errors.MalformedSignature, error) from error


def _altered() -> errors.InvalidSignatureValue:
    return errors.InvalidSignatureValue(
        "The signature does not hold: the message or the signature was altered on its way, or another key signed it."
    )
