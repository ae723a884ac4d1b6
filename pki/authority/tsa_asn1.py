"""The structures of time-stamping (RFC 3161) and of the signed data around a token (RFC 5652, RFC 5035).

It refuses to know policy, keys and time. ``tsa`` reads requests and writes answers with it.
"""

from typing import Annotated, Any, TypeVar

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

T = TypeVar("T")


@asn1.sequence
class AlgorithmIdentifier:
    """RFC 5280 section 4.1.1.2; parameters are NULL or absent for all that is used here."""

    algorithm: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class MessageImprint:
    """RFC 3161 section 2.4.1: what is to be stamped."""

    hash_algorithm: AlgorithmIdentifier
    hashed_message: bytes


@asn1.sequence
class Extension:
    """RFC 5280 section 4.1."""

    extn_id: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(value=False)]
    extn_value: bytes


@asn1.sequence
class TimeStampReq:
    """RFC 3161 section 2.4.1."""

    version: int
    message_imprint: MessageImprint
    req_policy: ObjectIdentifier | None
    nonce: int | None
    cert_req: Annotated[bool, asn1.Default(value=False)]
    extensions: Annotated[list[Extension] | None, asn1.Implicit(0)]


@asn1.sequence
class Accuracy:
    """RFC 3161 section 2.4.2."""

    seconds: int | None
    millis: Annotated[int | None, asn1.Implicit(0)]
    micros: Annotated[int | None, asn1.Implicit(1)]


@asn1.sequence
class TSTInfo:
    """RFC 3161 section 2.4.2, without the authority's name, which its certificate tells better."""

    version: int
    policy: ObjectIdentifier
    message_imprint: MessageImprint
    serial_number: int
    gen_time: asn1.GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, asn1.Default(value=False)]
    nonce: int | None


@asn1.sequence
class PKIStatusInfo:
    """RFC 3161 section 2.4.2."""

    status: int
    status_string: list[str] | None
    fail_info: asn1.BitString | None


@asn1.sequence
class EncapsulatedContentInfo:
    """RFC 5652 section 5.2."""

    content_type: ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class Attribute:
    """RFC 5652 section 5.3."""

    type: ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652 section 10.2.4."""

    issuer: asn1.TLV
    serial_number: int


@asn1.sequence
class SignerInfo:
    """RFC 5652 section 5.3, version 1: the signer by issuer and serial number."""

    version: int
    sid: IssuerAndSerialNumber
    digest_algorithm: AlgorithmIdentifier
    signed_attrs: Annotated[asn1.SetOf[Attribute], asn1.Implicit(0)]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes


@asn1.sequence
class SignedData:
    """RFC 5652 section 5.1; certificates are of X.509 only, and there are no revocation lists."""

    version: int
    digest_algorithms: asn1.SetOf[AlgorithmIdentifier]
    encap_content_info: EncapsulatedContentInfo
    certificates: Annotated[asn1.SetOf[x509.Certificate] | None, asn1.Implicit(0)]
    signer_infos: asn1.SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """RFC 5652 section 3, with signed data in it."""

    content_type: ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class TimeStampResp:
    """RFC 3161 section 2.4.2."""

    status: PKIStatusInfo
    time_stamp_token: ContentInfo | None


@asn1.sequence
class ESSCertIDv2:
    """RFC 5035 section 4."""

    hash_algorithm: AlgorithmIdentifier
    cert_hash: bytes


@asn1.sequence
class SigningCertificateV2:
    """RFC 5035 section 3."""

    certs: list[ESSCertIDv2]


def value(content: Any) -> asn1.TLV:  # noqa: ANN401  whatever the library can encode
    """Wrap an encodable value for a field of open type."""
    return raw(asn1.encode_der(content))


def raw(der: bytes) -> asn1.TLV:
    """Wrap what is DER already for a field of open type."""
    return asn1.decode_der(asn1.TLV, der)
