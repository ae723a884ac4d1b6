"""Reads a signature that stands in exactly the form that this software writes, without making an XML tree.

It refuses all else by giving None, and then `form` reads it: a shorter way to the same answer, never a wider one.
In this form the canonical octets of SignedInfo and of the signed properties are those of the document, with the root's
namespaces put in; a test holds both ways equal, on good documents and on spoilt ones.
"""

import binascii
import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Final

from xroad import errors
from xroad.algorithms import digest_by_uri, signature_algorithm_by_uri
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
_SIGNED_INFO: Final = (
    f'><ds:CanonicalizationMethod Algorithm="{re.escape(C14N)}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="(?P<method>{_URI})"></ds:SignatureMethod>(?P<parts>(?:{_part()})+)'
    f'<ds:Reference Id="signature-reference-{_DIGITS}" Type="{re.escape(names.SIGNED_PROPERTIES_TYPE)}" '
    f'URI="#signed-properties">{_COVERING}</ds:Reference></ds:SignedInfo>'
)
_PROPERTIES: Final = (
    r' Id="signed-properties"><xades:SignedSignatureProperties>'
    r"<xades:SigningTime>(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z</xades:SigningTime>"
    f"<xades:SigningCertificate><xades:Cert>{_NAMED}</xades:Cert></xades:SigningCertificate>"
    f"{re.escape(POLICY_XML)}</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
    rf'(?:<xades:DataObjectFormat ObjectReference="#signature-reference-{_DIGITS}"><xades:MimeType>{_TEXT}'
    "</xades:MimeType></xades:DataObjectFormat>)+</xades:SignedDataObjectProperties></xades:SignedProperties>"
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
_DOCUMENT: Final = re.compile(
    r'<\?xml version="1\.0" encoding="UTF-8" standalone="no"\?>'
    rf'<asic:XAdESSignatures {re.escape(names.NAMESPACES)}><ds:Signature Id="signature"><ds:SignedInfo'
    rf'(?P<signed_info>{_SIGNED_INFO})<ds:SignatureValue Id="signature-value">(?P<value>{_BASE64})</ds:SignatureValue>'
    rf"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>(?P<certificate>{_BASE64})</ds:X509Certificate></ds:X509Data>"
    rf'</ds:KeyInfo><ds:Object><xades:QualifyingProperties Target="#signature"><xades:SignedProperties'
    rf"(?P<signed_properties>{_PROPERTIES}){_UNSIGNED}"
    "</xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
)
_PARTS: Final = re.compile(_part(f"({_URI})", f"({_URI})", f"({_BASE64})"))
_OCSPS: Final = re.compile(_ocsp(f"({_BASE64})"))
_EXTRAS: Final = re.compile(_extra(f"({_BASE64})"))
_IDS: Final = re.compile(r' Id="([^"]*)"')


def read(xml: bytes) -> Opened | None:
    """Return what the document says, or None when it is of another form or breaks any rule: `form` then says which."""
    if len(xml) > MAX_BYTES:
        return None
    try:
        found = _DOCUMENT.fullmatch(xml.decode("utf-8"))
        return None if found is None else _read(found)
    except (errors.XRoadError, ValueError, binascii.Error):
        return None


def _read(found: re.Match[str]) -> Opened | None:
    identifiers = _IDS.findall(found.string)
    extra, responses = _all(_EXTRAS, found["extra"]), _all(_OCSPS, found["ocsp"])
    parts = {uri: _reference(uri, algorithm, digest) for uri, algorithm, digest in _PARTS.findall(found["parts"])}
    unique = len(set(identifiers)) == len(identifiers) and len(parts) == found["parts"].count("<ds:Reference ")
    if not unique or len(parts) > MAX_PARTS or len(extra) > MAX_CERTIFICATES or len(responses) > MAX_OCSP_RESPONSES:
        return None
    return Opened(
        signed_info_octets=f"<ds:SignedInfo {names.NAMESPACES}{found['signed_info']}".encode(),
        signed_info=SignedInfo(
            signature_algorithm_by_uri(found["method"]),
            parts,
            _reference("#signed-properties", found["properties_algorithm"], found["properties"]),
        ),
        signature_value=_bytes(found["value"]),
        certificate=_bytes(found["certificate"]),
        properties_octets=f"<xades:SignedProperties {names.NAMESPACES}{found['signed_properties']}".encode(),
        properties=SignedProperties(
            datetime.fromisoformat(found["time"]).replace(tzinfo=UTC),
            digest_by_uri(found["named_algorithm"]),
            _bytes(found["named"]),
        ),
        extra_certificates=extra,
        ocsp_responses=responses,
        time_stamps=(),
    )


def _all(pattern: re.Pattern[str], text: str | None) -> tuple[bytes, ...]:
    return tuple(map(_bytes, pattern.findall(text))) if text else ()


def _reference(uri: str, algorithm: str, digest: str) -> Reference:
    return Reference(uri, digest_by_uri(algorithm), _bytes(digest), None)


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)
