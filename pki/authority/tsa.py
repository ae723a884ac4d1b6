"""The time-stamping authority: a request in, a signed token or a reasoned refusal out (RFC 3161).

It refuses to know HTTP, and what is stamped: it sees digests. ``server`` hands it the bytes of a request and the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.authority.state import Services
from xroad import timestamp_asn1 as shapes
from xroad.algorithms import ECDSA_SHA512, RSA_SHA512, SHA256, SHA384, SHA512
from xroad.timestamp import digest_oid

POLICY: Final = ObjectIdentifier("2.999.1")
"""Under the arc that is kept for examples: a pilot's stamps must not pass for an accredited authority's."""
ACCURACY_SECONDS: Final = 1

IMPRINTS: Final[Mapping[ObjectIdentifier, int]] = {
    digest_oid(algorithm): len(algorithm.digest(b"")) for algorithm in (SHA256, SHA384, SHA512)
}
"""Digests that may be stamped, and their lengths in octets; SHA-1 collides."""

_GRANTED, _REJECTION = 0, 2

_log = structlog.get_logger(__name__)


class Failure(IntEnum):
    """PKIFailureInfo, RFC 3161 section 2.4.2: the number is the bit's."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16


class _Rejected(Exception):  # noqa: N818  never leaves this module
    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class TimeStamper:
    """The time-stamping service of one authority."""

    services: Services

    async def answer(self, der: bytes, at: datetime) -> bytes:
        """Answer a request (DER) with a response (DER)."""
        try:
            request = _accepted(der)
        except _Rejected as rejected:
            _log.info("time_stamp_rejected", failure=rejected.failure.name.lower(), reason=str(rejected))
            return _rejection(rejected)
        token = await self._stamp(request, at)
        status = shapes.PkiStatusInfo(status=_GRANTED, status_string=None, fail_info=None)
        return asn1.encode_der(shapes.TimeStampResp(status=status, time_stamp_token=token))

    async def _stamp(self, request: shapes.TimeStampReq, at: datetime) -> shapes.ContentInfo:
        serial = self.services.index.next_time_stamp_serial()
        info = asn1.encode_der(_info(request, serial, at))
        _log.info("time_stamp_granted", serial=serial)
        signed = await self._signed(info, [self.services.time_stamper.certificate] if request.cert_req else None)
        return shapes.ContentInfo(content_type=shapes.ID_SIGNED_DATA, content=_tlv(signed))

    async def _signed(self, info: bytes, certificates: list[x509.Certificate] | None) -> shapes.SignedData:
        return shapes.SignedData(
            version=_SIGNED_DATA_VERSION,
            digest_algorithms=asn1.SetOf([_SHA512]),
            encapsulated_content=shapes.EncapsulatedContent(content_type=shapes.ID_CT_TST_INFO, content=info),
            certificates=None if certificates is None else [_tlv(certificate) for certificate in certificates],
            crls=None,
            signer_infos=asn1.SetOf([await self._signer_info(info)]),
        )

    async def _signer_info(self, info: bytes) -> shapes.SignerInfo:
        key = self.services.time_stamper
        attributes = _signed_attributes(info, key.certificate)
        # RFC 5652 section 5.4: signed is the SET OF itself, not the [0] that stands for it in the structure.
        to_sign = asn1.encode_der(asn1.SetOf(attributes))
        by_rsa = isinstance(key.certificate.public_key(), rsa.RSAPublicKey)
        signature = await self.services.token.sign(key.key_id, to_sign, RSA_SHA512 if by_rsa else ECDSA_SHA512)
        return shapes.SignerInfo(
            version=1,
            sid=shapes.IssuerAndSerialNumber(
                issuer=key.certificate.issuer, serial_number=key.certificate.serial_number
            ),
            digest_algorithm=_SHA512,
            signed_attributes=attributes,
            signature_algorithm=_RSA if by_rsa else _ECDSA,
            signature=signature,
            unsigned_attributes=None,
        )


_SIGNED_DATA_VERSION: Final = 3
"""RFC 5652 section 5.1: the content is not plain data."""
_SHA512: Final = shapes.AlgorithmIdentifier(algorithm=digest_oid(SHA512), parameters=None)
_RSA: Final = shapes.AlgorithmIdentifier(algorithm=SignatureAlgorithmOID.RSA_WITH_SHA512, parameters=asn1.Null())
_ECDSA: Final = shapes.AlgorithmIdentifier(algorithm=SignatureAlgorithmOID.ECDSA_WITH_SHA512, parameters=None)


def _accepted(der: bytes) -> shapes.TimeStampReq:
    try:
        request = asn1.decode_der(shapes.TimeStampReq, der)
    except ValueError as error:
        raise _Rejected(Failure.BAD_DATA_FORMAT, "this is no TimeStampReq") from error
    if request.version != 1:
        raise _Rejected(Failure.BAD_REQUEST, f"version {request.version} is not 1")
    length = IMPRINTS.get(request.message_imprint.hash_algorithm.algorithm)
    if length is None:
        raise _Rejected(Failure.BAD_ALG, "the imprint's digest is none of SHA-256, SHA-384, SHA-512")
    if len(request.message_imprint.hashed_message) != length:
        raise _Rejected(Failure.BAD_DATA_FORMAT, f"the imprint does not have its digest's {length} octets")
    if request.req_policy not in (None, POLICY):
        raise _Rejected(Failure.UNACCEPTED_POLICY, f"the only policy here is {POLICY.dotted_string}")
    if request.extensions:
        raise _Rejected(Failure.UNACCEPTED_EXTENSION, "no extension is understood here")
    return request


def _rejection(rejected: _Rejected) -> bytes:
    used = rejected.failure + 1
    bits = (1 << (-used % 8)).to_bytes(-(-used // 8), "big")
    status = shapes.PkiStatusInfo(
        status=_REJECTION, status_string=[str(rejected)], fail_info=asn1.BitString(bits, padding_bits=-used % 8)
    )
    return asn1.encode_der(shapes.TimeStampResp(status=status, time_stamp_token=None))


def _info(request: shapes.TimeStampReq, serial: int, at: datetime) -> shapes.TstInfo:
    imprint = request.message_imprint
    return shapes.TstInfo(
        version=1,
        policy=POLICY,
        message_imprint=shapes.MessageImprint(
            hash_algorithm=imprint.hash_algorithm, hashed_message=imprint.hashed_message
        ),
        serial_number=serial,
        gen_time=asn1.GeneralizedTime(at.replace(microsecond=0)),
        accuracy=shapes.Accuracy(seconds=ACCURACY_SECONDS, millis=None, micros=None),
        ordering=False,
        nonce=request.nonce,
        tsa=None,
        extensions=None,
    )


def _signed_attributes(info: bytes, certificate: x509.Certificate) -> list[asn1.TLV]:
    pinned = shapes.EssCertIdV2(
        hash_algorithm=_SHA512, cert_hash=certificate.fingerprint(SHA512.primitive), issuer_serial=None
    )
    values = {
        shapes.ID_CONTENT_TYPE: _tlv(shapes.ID_CT_TST_INFO),
        shapes.ID_MESSAGE_DIGEST: _tlv(SHA512.digest(info)),
        # Without it, a token could be passed off as that of another certificate over the same key.
        shapes.ID_SIGNING_CERTIFICATE_V2: _tlv(shapes.SigningCertificateV2(certs=[pinned], policies=None)),
    }
    encoded = (
        asn1.encode_der(shapes.Attribute(attribute_type=oid, values=asn1.SetOf([value])))
        for oid, value in values.items()
    )
    # In the order of a DER set: the signature is over the attributes as they stand in the structure.
    return [shapes.tlv(attribute) for attribute in sorted(encoded)]


def _tlv(
    content: ObjectIdentifier | bytes | x509.Certificate | shapes.SigningCertificateV2 | shapes.SignedData,
) -> asn1.TLV:
    return shapes.tlv(asn1.encode_der(content))
