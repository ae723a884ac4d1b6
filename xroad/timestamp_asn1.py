"""The ASN.1 of time-stamps: RFC 3161 requests, responses and tokens, and as much of CMS (RFC 5652) as tokens use.

It refuses to know digests, keys and trust: these are shapes, encoded and decoded by `cryptography`'s declarative ASN.1.
`xroad.timestamp` reads and verifies with them, the pilot authority's time-stamping service builds with them.

Two things cannot be said in declarative ASN.1 and are said otherwise. Optional values of any type are lists under an
implicit tag, which encode alike. Sets whose order a writer may have got wrong are lists under their implicit tag too.
"""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV, Default, Explicit, Implicit

Oid = x509.ObjectIdentifier

ID_SIGNED_DATA = Oid("1.2.840.113549.1.7.2")
ID_CT_TST_INFO = Oid("1.2.840.113549.1.9.16.1.4")
ID_CONTENT_TYPE = Oid("1.2.840.113549.1.9.3")
ID_MESSAGE_DIGEST = Oid("1.2.840.113549.1.9.4")
ID_SIGNING_TIME = Oid("1.2.840.113549.1.9.5")
ID_SIGNING_CERTIFICATE = Oid("1.2.840.113549.1.9.16.2.12")
ID_SIGNING_CERTIFICATE_V2 = Oid("1.2.840.113549.1.9.16.2.47")

TAG_SET = 0x31


@asn1.sequence
class AlgorithmIdentifier:
    """An algorithm; parameters are NULL or absent in all algorithms that are allowed."""

    algorithm: Oid
    parameters: asn1.Null | None


@asn1.sequence
class MessageImprint:
    """The digest of what is stamped (RFC 3161, 2.4.1)."""

    hash_algorithm: AlgorithmIdentifier
    hashed_message: bytes


@asn1.sequence
class TimeStampReq:
    """A request (RFC 3161, 2.4.1)."""

    version: int
    message_imprint: MessageImprint
    req_policy: Oid | None
    nonce: int | None
    cert_req: Annotated[bool, Default(value=False)]
    extensions: Annotated[list[TLV] | None, Implicit(0)]


@asn1.sequence
class PkiStatusInfo:
    """Why there is a token or not (RFC 3161, 2.4.2); 0 granted, 1 granted with modifications."""

    status: int
    status_string: list[str] | None
    fail_info: asn1.BitString | None


@asn1.sequence
class ContentInfo:
    """A CMS value and its type (RFC 5652, 3)."""

    content_type: Oid
    content: Annotated[TLV, Explicit(0)]


@asn1.sequence
class TimeStampResp:
    """A response (RFC 3161, 2.4.2)."""

    status: PkiStatusInfo
    time_stamp_token: ContentInfo | None


@asn1.sequence
class Accuracy:
    """How far the time may be off (RFC 3161, 2.4.2)."""

    seconds: int | None
    millis: Annotated[int | None, Implicit(0)]
    micros: Annotated[int | None, Implicit(1)]


@asn1.sequence
class TstInfo:
    """What a time-stamping authority signs (RFC 3161, 2.4.2)."""

    version: int
    policy: Oid
    message_imprint: MessageImprint
    serial_number: int
    gen_time: asn1.GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, Default(value=False)]
    nonce: int | None
    tsa: Annotated[list[TLV] | None, Implicit(0)]
    extensions: Annotated[list[TLV] | None, Implicit(1)]


@asn1.sequence
class EncapsulatedContent:
    """The signed content, as octets (RFC 5652, 5.2)."""

    content_type: Oid
    content: Annotated[bytes, Explicit(0)]


@asn1.sequence
class IssuerAndSerialNumber:
    """Names a certificate (RFC 5652, 10.2.4)."""

    issuer: x509.Name
    serial_number: int


@asn1.sequence
class Attribute:
    """A signed attribute; each that matters has exactly one value (RFC 5652, 5.3)."""

    attribute_type: Oid
    values: asn1.SetOf[TLV]


@asn1.sequence
class SignerInfo:
    """One signature over the attributes (RFC 5652, 5.3)."""

    version: int
    sid: IssuerAndSerialNumber | Annotated[bytes, Implicit(0)]
    digest_algorithm: AlgorithmIdentifier
    signed_attributes: Annotated[list[TLV] | None, Implicit(0)]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    unsigned_attributes: Annotated[list[TLV] | None, Implicit(1)]


@asn1.sequence
class SignedData:
    """Content, certificates and signatures (RFC 5652, 5.1)."""

    version: int
    digest_algorithms: asn1.SetOf[AlgorithmIdentifier]
    encapsulated_content: EncapsulatedContent
    certificates: Annotated[list[TLV] | None, Implicit(0)]
    crls: Annotated[list[TLV] | None, Implicit(1)]
    signer_infos: asn1.SetOf[SignerInfo]


@asn1.sequence
class EssCertId:
    """A certificate by its SHA-1 (RFC 2634, 5.4.1)."""

    cert_hash: bytes
    issuer_serial: list[TLV] | None


@asn1.sequence
class SigningCertificate:
    """The signed attribute that pins the authority's certificate (RFC 2634, 5.4)."""

    certs: list[EssCertId]
    policies: list[TLV] | None


@asn1.sequence
class EssCertIdV2:
    """A certificate by another digest, SHA-256 when none is named (RFC 5035, 4)."""

    hash_algorithm: AlgorithmIdentifier | None
    cert_hash: bytes
    issuer_serial: list[TLV] | None


@asn1.sequence
class SigningCertificateV2:
    """As `SigningCertificate`, with an agile digest (RFC 5035, 3)."""

    certs: list[EssCertIdV2]
    policies: list[TLV] | None


def tlv(der: bytes) -> TLV:
    """Return a value of any type from its DER, to be put into a shape."""
    return asn1.decode_der(TLV, der)
