"""Makes time-stamp tokens for tests, good ones and ones with a single thing wrong, out of the project's own shapes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from xroad import algorithms, ber
from xroad import timestamp_asn1 as shapes
from xroad.algorithms import SHA256, SHA512
from xroad.timestamp import digest_oid

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey


_SHA256_NAME = digest_oid(SHA256)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a token is made of; tests change one ingredient."""

    signer: Issued
    digest: bytes
    at: datetime
    named: x509.Certificate
    content_type: x509.ObjectIdentifier = shapes.ID_CT_TST_INFO
    attribute_type: x509.ObjectIdentifier = shapes.ID_CT_TST_INFO
    nonce: int | None = None
    signers: int = 1
    by_key_identifier: bool = False
    with_certificate_attribute: bool = True
    first_version: bool = False
    doubled_attributes: bool = False
    digest_name: x509.ObjectIdentifier = _SHA256_NAME
    signature_name: x509.ObjectIdentifier | None = None
    tamper_content: Callable[[bytes], bytes] = bytes


def recipe(signer: Issued, digest: bytes, at: datetime) -> Recipe:
    """Return the ingredients of a good token."""
    return Recipe(signer, digest, at, signer.certificate)


def token(signer: Issued, digest: bytes, at: datetime) -> bytes:
    """Return a good token over a SHA-512 digest, DER."""
    return cook(recipe(signer, digest, at))


def cook(made_of: Recipe) -> bytes:
    """Return the token of a recipe, DER."""
    info = asn1.encode_der(_info(made_of))
    signed = asn1.encode_der(
        shapes.SignedData(
            version=3,
            digest_algorithms=asn1.SetOf([_algorithm(digest_oid(SHA256))]),
            encapsulated_content=shapes.EncapsulatedContent(
                content_type=made_of.content_type, content=made_of.tamper_content(info)
            ),
            certificates=[shapes.tlv(made_of.signer.certificate.public_bytes(Encoding.DER))],
            crls=None,
            signer_infos=asn1.SetOf(
                [_signer_info(made_of, info, version) for version in range(1, made_of.signers + 1)]
            ),
        )
    )
    content = shapes.ContentInfo(content_type=shapes.ID_SIGNED_DATA, content=shapes.tlv(signed))
    return asn1.encode_der(content)


def response(made_of: Recipe, *, status: int = 0, text: str | None = None) -> bytes:
    """Return a TimeStampResp with the token, or without one when the status is a refusal."""
    granted = status in (0, 1)
    return asn1.encode_der(
        shapes.TimeStampResp(
            status=shapes.PkiStatusInfo(status=status, status_string=[text] if text else None, fail_info=None),
            time_stamp_token=asn1.decode_der(shapes.ContentInfo, cook(made_of)) if granted else None,
        )
    )


def _info(made_of: Recipe) -> shapes.TstInfo:
    return shapes.TstInfo(
        version=1,
        policy=x509.ObjectIdentifier("1.2.3.4.1"),
        message_imprint=shapes.MessageImprint(
            hash_algorithm=_algorithm(digest_oid(SHA512)), hashed_message=made_of.digest
        ),
        serial_number=7,
        gen_time=asn1.GeneralizedTime(made_of.at),
        accuracy=shapes.Accuracy(seconds=1, millis=None, micros=None),
        ordering=False,
        nonce=made_of.nonce,
        tsa=None,
        extensions=None,
    )


def _signer_info(made_of: Recipe, info: bytes, version: int) -> shapes.SignerInfo:
    attributes = sorted(_attributes(made_of, info) * (2 if made_of.doubled_attributes else 1))
    is_rsa = isinstance(made_of.signer.key, rsa.RSAPrivateKey)
    algorithm = algorithms.RSA_SHA256 if is_rsa else algorithms.ECDSA_SHA256
    oid = x509.ObjectIdentifier("1.2.840.113549.1.1.11" if is_rsa else "1.2.840.10045.4.3.2")
    value = algorithm.sign(made_of.signer.key, ber.encode(shapes.TAG_SET, b"".join(attributes)))
    certificate = made_of.signer.certificate
    return shapes.SignerInfo(
        version=version,
        sid=x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
        if made_of.by_key_identifier
        else shapes.IssuerAndSerialNumber(issuer=certificate.issuer, serial_number=certificate.serial_number),
        digest_algorithm=_algorithm(made_of.digest_name),
        signed_attributes=[shapes.tlv(each) for each in attributes],
        signature_algorithm=_algorithm(made_of.signature_name or oid),
        signature=value,
        unsigned_attributes=None,
    )


def _attributes(made_of: Recipe, info: bytes) -> list[bytes]:
    found = [
        _attribute(shapes.ID_CONTENT_TYPE, asn1.encode_der(made_of.attribute_type)),
        _attribute(shapes.ID_MESSAGE_DIGEST, ber.encode(0x04, SHA256.digest(info))),
    ]
    der = made_of.named.public_bytes(Encoding.DER)
    if made_of.with_certificate_attribute and made_of.first_version:
        sha1 = hashlib.sha1(der).digest()  # noqa: S324 — RFC 2634
        first = shapes.SigningCertificate(certs=[shapes.EssCertId(cert_hash=sha1, issuer_serial=None)], policies=None)
        found.append(_attribute(shapes.ID_SIGNING_CERTIFICATE, asn1.encode_der(first)))
    elif made_of.with_certificate_attribute:
        second = shapes.EssCertIdV2(hash_algorithm=None, cert_hash=SHA256.digest(der), issuer_serial=None)
        named = shapes.SigningCertificateV2(certs=[second], policies=None)
        found.append(_attribute(shapes.ID_SIGNING_CERTIFICATE_V2, asn1.encode_der(named)))
    return found


def _attribute(kind: x509.ObjectIdentifier, value: bytes) -> bytes:
    return asn1.encode_der(shapes.Attribute(attribute_type=kind, values=asn1.SetOf([shapes.tlv(value)])))


def _algorithm(oid: x509.ObjectIdentifier) -> shapes.AlgorithmIdentifier:
    return shapes.AlgorithmIdentifier(algorithm=oid, parameters=None)


__all__ = ["Issued", "PrivateKey", "Recipe", "cook", "recipe", "replace", "response", "token"]
