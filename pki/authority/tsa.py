"""The time-stamping authority: a request in, a signed token or a reasoned refusal out (RFC 3161).

It refuses to know HTTP, and what is stamped: it sees digests. ``server`` hands it the bytes of a request and the time.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.authority import tsa_asn1
from pki.authority.state import Services
from pki.authority.tsa_asn1 import (
    Accuracy,
    AlgorithmIdentifier,
    Attribute,
    ContentInfo,
    EncapsulatedContentInfo,
    ESSCertIDv2,
    IssuerAndSerialNumber,
    MessageImprint,
    PKIStatusInfo,
    SignedData,
    SignerInfo,
    SigningCertificateV2,
    TimeStampReq,
    TimeStampResp,
    TSTInfo,
)
from xroad.algorithms import ECDSA_SHA512, RSA_SHA512

POLICY: Final = ObjectIdentifier("2.999.1")
"""Under the arc that is kept for examples: a pilot's stamps must not pass for an accredited authority's."""
ACCURACY_SECONDS: Final = 1

_SHA256: Final = ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_SHA384: Final = ObjectIdentifier("2.16.840.1.101.3.4.2.2")
_SHA512: Final = ObjectIdentifier("2.16.840.1.101.3.4.2.3")
IMPRINTS: Final[Mapping[ObjectIdentifier, int]] = {_SHA256: 32, _SHA384: 48, _SHA512: 64}
"""Digests that may be stamped, and their lengths in octets; SHA-1 collides."""

_SIGNED_DATA: Final = ObjectIdentifier("1.2.840.113549.1.7.2")
_TST_INFO: Final = ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = ObjectIdentifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = ObjectIdentifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2: Final = ObjectIdentifier("1.2.840.113549.1.9.16.2.47")
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
        status = PKIStatusInfo(status=_GRANTED, status_string=None, fail_info=None)
        return asn1.encode_der(TimeStampResp(status=status, time_stamp_token=token))

    async def _stamp(self, request: TimeStampReq, at: datetime) -> ContentInfo:
        serial = self.services.index.next_time_stamp_serial()
        info = asn1.encode_der(_info(request, serial, at))
        _log.info("time_stamp_granted", serial=serial)
        return ContentInfo(content_type=_SIGNED_DATA, content=await self._signed(info, bool(request.cert_req)))

    async def _signed(self, content: bytes, with_certificate: bool) -> SignedData:  # noqa: FBT001  a field of the request
        certificate = self.services.time_stamper.certificate
        sha512 = AlgorithmIdentifier(algorithm=_SHA512, parameters=None)
        return SignedData(
            version=3,
            digest_algorithms=asn1.SetOf([sha512]),
            encap_content_info=EncapsulatedContentInfo(content_type=_TST_INFO, content=content),
            certificates=asn1.SetOf([certificate]) if with_certificate else None,
            signer_infos=asn1.SetOf([await self._signer_info(content, certificate, sha512)]),
        )

    async def _signer_info(
        self, content: bytes, certificate: x509.Certificate, digest: AlgorithmIdentifier
    ) -> SignerInfo:
        attributes = _signed_attributes(content, certificate)
        # RFC 5652 section 5.4: signed is the SET OF itself, not the [0] that stands for it in the structure.
        to_sign = asn1.encode_der(attributes)
        by_rsa = isinstance(certificate.public_key(), rsa.RSAPublicKey)
        algorithm = RSA_SHA512 if by_rsa else ECDSA_SHA512
        return SignerInfo(
            version=1,
            sid=IssuerAndSerialNumber(
                issuer=tsa_asn1.raw(certificate.issuer.public_bytes()), serial_number=certificate.serial_number
            ),
            digest_algorithm=digest,
            signed_attrs=attributes,
            signature_algorithm=_RSA if by_rsa else _ECDSA,
            signature=await self.services.token.sign(self.services.time_stamper.key_id, to_sign, algorithm),
        )


_RSA: Final = AlgorithmIdentifier(algorithm=SignatureAlgorithmOID.RSA_WITH_SHA512, parameters=asn1.Null())
_ECDSA: Final = AlgorithmIdentifier(algorithm=SignatureAlgorithmOID.ECDSA_WITH_SHA512, parameters=None)


def _accepted(der: bytes) -> TimeStampReq:
    try:
        request = asn1.decode_der(TimeStampReq, der)
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
    status = PKIStatusInfo(
        status=_REJECTION, status_string=[str(rejected)], fail_info=asn1.BitString(bits, padding_bits=-used % 8)
    )
    return asn1.encode_der(TimeStampResp(status=status, time_stamp_token=None))


def _info(request: TimeStampReq, serial: int, at: datetime) -> TSTInfo:
    imprint = request.message_imprint
    return TSTInfo(
        version=1,
        policy=POLICY,
        message_imprint=MessageImprint(hash_algorithm=imprint.hash_algorithm, hashed_message=imprint.hashed_message),
        serial_number=serial,
        gen_time=asn1.GeneralizedTime(at.replace(microsecond=0)),
        accuracy=Accuracy(seconds=ACCURACY_SECONDS, millis=None, micros=None),
        ordering=False,
        nonce=request.nonce,
    )


def _signed_attributes(content: bytes, certificate: x509.Certificate) -> asn1.SetOf[Attribute]:
    identifier = ESSCertIDv2(
        hash_algorithm=AlgorithmIdentifier(algorithm=_SHA512, parameters=None),
        cert_hash=certificate.fingerprint(hashes.SHA512()),
    )
    values = {
        _CONTENT_TYPE: _TST_INFO,
        _MESSAGE_DIGEST: hashlib.sha512(content).digest(),
        # Without it, a token could be passed off as that of another certificate over the same key.
        _SIGNING_CERTIFICATE_V2: SigningCertificateV2(certs=[identifier]),
    }
    return asn1.SetOf([Attribute(type=oid, values=asn1.SetOf([tsa_asn1.value(of)])) for oid, of in values.items()])
