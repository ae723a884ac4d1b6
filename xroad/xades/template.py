"""Reads a signature that stands in exactly the form that this software writes, without making an XML tree.

It refuses all else by giving None, and then `form` reads it: a shorter way to the same answer, never a wider one.
In this form the canonical octets of SignedInfo and of the signed properties are those of the document, with the root's
namespaces put in; a test holds both ways equal, on good documents and on spoilt ones.
"""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from xroad import errors
from xroad.algorithms import DigestAlgorithm, digest_by_uri, signature_algorithm_by_uri
from xroad.xades import names
from xroad.xades.build import POLICY_XML
from xroad.xades.form import (
    MAX_BYTES,
    MAX_CERTIFICATES,
    MAX_OCSP_RESPONSES,
    Opened,
    Reference,
    SignedInfo,
    SignedProperties,
)
from xroad.xmlsafe import C14N

MAX_PARTS: Final = 64  # beyond it the limit on elements counts, which `form` knows

# What canonical text and attributes hold without any escape; names of issuers may also have these three, escaped.
_BASE64: Final = r"[A-Za-z0-9+/]+={0,2}"
_URI: Final = r"[!#-%'-;=?-~]+"
_PLAIN: Final = r"[ -%'-;=?-~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*"
_TEXT: Final = rf"{_PLAIN}(?:&(?:amp|lt|gt);{_PLAIN})*"
_DIGITS: Final = r"[0-9]+"


def _digest(algorithm: str = _URI, value: str = _BASE64) -> str:
    return f'<ds:DigestMethod Algorithm="{algorithm}"></ds:DigestMethod><ds:DigestValue>{value}</ds:DigestValue>'


def _identity(algorithm: str = _URI, value: str = _BASE64) -> str:
    return (
        f"<xades:CertDigest>{_digest(algorithm, value)}</xades:CertDigest><xades:IssuerSerial>"
        f"<ds:X509IssuerName>{_TEXT}</ds:X509IssuerName><ds:X509SerialNumber>{_DIGITS}</ds:X509SerialNumber></xades:IssuerSerial>"
    )


def _part(uri: str = _URI, algorithm: str = _URI, value: str = _BASE64) -> str:
    digest = _digest(algorithm, value)
    return f'<ds:Reference Id="signature-reference-{_DIGITS}" URI="{uri}">{digest}</ds:Reference>'


def _ocsp(value: str = _BASE64) -> str:
    return f'<xades:EncapsulatedOCSPValue Id="ocsp-response-{_DIGITS}">{value}</xades:EncapsulatedOCSPValue>'


def _extra(value: str = _BASE64) -> str:
    name = "xades:EncapsulatedX509Certificate"
    return f'<{name} Id="encapsulated-cert-{_DIGITS}">{value}</{name}>'


_COVERING: Final = _digest(f"(?P<properties_algorithm>{_URI})", f"(?P<properties>{_BASE64})")
_NAMED: Final = _identity(f"(?P<named_algorithm>{_URI})", f"(?P<named>{_BASE64})")
# The document in four: what differs from message to message, what is the signer's own, the time, and the rest of what
# is the signer's own, OCSP responses with it. Each of the four must match as a whole, and so does the document.
_VALUE_END: Final = "</ds:SignatureValue>"
_TIME_BEGIN: Final = "<xades:SigningTime>"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")
_TIME_LENGTH: Final = 23
_SIGNED_INFO: Final = (
    f'><ds:CanonicalizationMethod Algorithm="{re.escape(C14N)}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="(?P<method>{_URI})"></ds:SignatureMethod>(?P<parts>(?:{_part()})+)'
    f'<ds:Reference Id="signature-reference-{_DIGITS}" Type="{re.escape(names.SIGNED_PROPERTIES_TYPE)}" '
    f'URI="#signed-properties">{_COVERING}</ds:Reference></ds:SignedInfo>'
)
_VALUE: Final = re.compile(
    r'<\?xml version="1\.0" encoding="UTF-8" standalone="no"\?>'
    rf'<asic:XAdESSignatures {re.escape(names.NAMESPACES)}><ds:Signature Id="signature"><ds:SignedInfo'
    rf'(?P<signed_info>{_SIGNED_INFO})<ds:SignatureValue Id="signature-value">(?P<value>{_BASE64})'
)
_SIGNER: Final = re.compile(
    rf"{_VALUE_END}<ds:KeyInfo><ds:X509Data><ds:X509Certificate>(?P<certificate>{_BASE64})</ds:X509Certificate>"
    '</ds:X509Data></ds:KeyInfo><ds:Object><xades:QualifyingProperties Target="#signature"><xades:SignedProperties'
    rf'(?P<signed_before> Id="signed-properties"><xades:SignedSignatureProperties>{_TIME_BEGIN})'
)
_UNSIGNED: Final = (
    "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
    '(?:<xades:CompleteCertificateRefs Id="complete-certificate-refs"><xades:CertRefs>'
    f'(?:<xades:Cert URI="#encapsulated-cert-{_DIGITS}">{_identity()}</xades:Cert>)+'
    "</xades:CertRefs></xades:CompleteCertificateRefs><xades:CertificateValues>"
    f"(?P<extra>(?:{_extra()})+)</xades:CertificateValues>)?"
    f"<xades:RevocationValues><xades:OCSPValues>(?P<ocsp>(?:{_ocsp()})*)</xades:OCSPValues>"
    "</xades:RevocationValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
)
_STANDING: Final = re.compile(
    f"(?P<signed_after>Z</xades:SigningTime><xades:SigningCertificate><xades:Cert>{_NAMED}</xades:Cert>"
    f"</xades:SigningCertificate>{re.escape(POLICY_XML)}</xades:SignedSignatureProperties>"
    "<xades:SignedDataObjectProperties>"
    rf'(?:<xades:DataObjectFormat ObjectReference="#signature-reference-{_DIGITS}"><xades:MimeType>{_TEXT}'
    "</xades:MimeType></xades:DataObjectFormat>)+</xades:SignedDataObjectProperties></xades:SignedProperties>)"
    f"{_UNSIGNED}</xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
)
_PARTS: Final = re.compile(_part(f"({_URI})", f"({_URI})", f"({_BASE64})"))
_OCSPS: Final = re.compile(_ocsp(f"({_BASE64})"))
_EXTRAS: Final = re.compile(_extra(f"({_BASE64})"))
_IDS: Final = re.compile(r' Id="([^"]*)"')


@dataclass(frozen=True, slots=True)
class _Signer:
    """What a signer writes into thousands of signatures, until its certificate or its OCSP response is another."""

    certificate: bytes
    named_algorithm: DigestAlgorithm
    named: bytes
    extra_certificates: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    signed_before: str
    signed_after: str
    identifiers: frozenset[str]


def read(xml: bytes) -> Opened | None:
    """Return what the document says, or None when it is of another form or breaks any rule: `form` then says which."""
    if len(xml) > MAX_BYTES:
        return None
    try:
        return _read(xml.decode("utf-8"))
    except (errors.XRoadError, ValueError, binascii.Error):
        return None


def _read(text: str) -> Opened | None:
    value_end = text.find(_VALUE_END)
    time = text.find(_TIME_BEGIN, value_end) + len(_TIME_BEGIN)
    time_end = time + _TIME_LENGTH
    found = _VALUE.fullmatch(text, 0, value_end) if value_end >= 0 else None
    if found is None or _TIME.fullmatch(text, time, time_end) is None:
        return None
    signer = _signer(text[value_end:time], text[time_end:])
    parts = {uri: _reference(uri, algorithm, digest) for uri, algorithm, digest in _PARTS.findall(found["parts"])}
    identifiers = _IDS.findall(text, 0, value_end)
    unique = signer is not None and signer.identifiers.isdisjoint(identifiers)
    once_each = len(set(identifiers)) == len(identifiers) and len(parts) == found["parts"].count("<ds:Reference ")
    if signer is None or not (unique and once_each) or len(parts) > MAX_PARTS:
        return None
    signing_time = text[time:time_end]
    properties = f"{signer.signed_before}{signing_time}{signer.signed_after}"
    return Opened(
        signed_info_octets=f"<ds:SignedInfo {names.NAMESPACES}{found['signed_info']}".encode(),
        signed_info=SignedInfo(
            signature_algorithm_by_uri(found["method"]),
            parts,
            _reference("#signed-properties", found["properties_algorithm"], found["properties"]),
        ),
        signature_value=_bytes(found["value"]),
        certificate=signer.certificate,
        properties_octets=f"<xades:SignedProperties {names.NAMESPACES}{properties}".encode(),
        properties=SignedProperties(
            datetime.fromisoformat(signing_time).replace(tzinfo=UTC), signer.named_algorithm, signer.named
        ),
        extra_certificates=signer.extra_certificates,
        ocsp_responses=signer.ocsp_responses,
        time_stamps=(),
    )


@lru_cache(maxsize=512)  # a few KB each: the members that one server hears of within minutes
def _signer(before_time: str, after_time: str) -> _Signer | None:
    first, second = _SIGNER.fullmatch(before_time), _STANDING.fullmatch(after_time)
    if first is None or second is None:
        return None
    identifiers = _IDS.findall(before_time) + _IDS.findall(after_time)
    extra, responses = _all(_EXTRAS, second["extra"]), _all(_OCSPS, second["ocsp"])
    unique = len(set(identifiers)) == len(identifiers)
    if not unique or len(extra) > MAX_CERTIFICATES or len(responses) > MAX_OCSP_RESPONSES:
        return None
    return _Signer(
        _bytes(first["certificate"]),
        digest_by_uri(second["named_algorithm"]),
        _bytes(second["named"]),
        extra,
        responses,
        first["signed_before"],
        second["signed_after"],
        frozenset(identifiers),
    )


def _all(pattern: re.Pattern[str], text: str | None) -> tuple[bytes, ...]:
    return tuple(map(_bytes, pattern.findall(text))) if text else ()


def _reference(uri: str, algorithm: str, digest: str) -> Reference:
    return Reference(uri, digest_by_uri(algorithm), _bytes(digest), None)


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)
