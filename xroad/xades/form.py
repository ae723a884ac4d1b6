"""Reads a signature's XML: where its pieces are, and what the signed octets say, without believing any of it yet.

It refuses to know digests of messages, trust and time, and any form but X-Road's: one signature, one set of properties.
`verify` canonicalizes what this module located, checks the octets, and reads them again here: what was verified is what
is used, so that moving or doubling elements (signature wrapping) gains nothing.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from lxml import etree

from xroad import errors, xmlsafe
from xroad.algorithms import DigestAlgorithm, SignatureAlgorithm, digest_by_uri, signature_algorithm_by_uri
from xroad.xades.names import ASIC_NAMESPACES, DS, SIGNED_PROPERTIES_TYPE, XADES

MAX_BYTES = 256 * 1024  # a signature with a chain of 10 certificates and their OCSP responses is 60 kB
MAX_DEPTH = 128  # X-Road's form is 12 deep; with this bound documents of less than 128 tags need no walk
MAX_ELEMENTS = 2000  # a message with 500 attachments in direct references
MAX_CERTIFICATES = 10
MAX_OCSP_RESPONSES = 10

_CANONICALIZATIONS = frozenset({xmlsafe.C14N, xmlsafe.C14N_EXCLUSIVE})
_DS = f"{{{DS}}}"
_XADES = f"{{{XADES}}}"
# Whatever some other software may take for an identifier must be unique as well.
_IDS = etree.XPath("//@Id | //@ID | //@id", smart_strings=False)


@dataclass(frozen=True, slots=True)
class Located:
    """The pieces of a signature document, by place alone."""

    signed_info: etree._Element
    canonicalization: str
    signature_value: bytes
    certificate: bytes
    signed_properties: etree._Element
    properties_id: str
    extra_certificates: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    time_stamps: tuple[bytes, ...]


class Reference(NamedTuple):
    """One reference of the SignedInfo: an empty canonicalization means that the octets are taken as they are."""

    uri: str
    algorithm: DigestAlgorithm
    digest: bytes
    canonicalization: str | None


class SignedInfo(NamedTuple):
    """What the signature value is over."""

    algorithm: SignatureAlgorithm
    parts: Mapping[str, Reference]
    properties: Reference


class SignedProperties(NamedTuple):
    """What the signer says about itself: when, and with which certificate."""

    signing_time: datetime
    certificate_algorithm: DigestAlgorithm
    certificate_digest: bytes


class Opened(NamedTuple):
    """A signature document with its signed octets, and what the SignedInfo says; nothing is verified.

    `properties_octets` are those that the reference leads to, or None when it leads elsewhere; `properties` is what
    they say, if that is known already.
    """

    signed_info_octets: bytes
    signed_info: SignedInfo
    signature_value: bytes
    certificate: bytes
    properties_octets: bytes | None
    properties: SignedProperties | None
    extra_certificates: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    time_stamps: tuple[bytes, ...]


def open_document(xml: bytes) -> Opened:
    """Locate the pieces and canonicalize what is signed.

    Raises:
        InvalidXml, MalformedSignature, UnsupportedAlgorithm: as `locate` and `read_signed_info`.
    """
    located = locate(xml)
    octets = xmlsafe.canonicalize(located.signed_info, located.canonicalization)
    signed_info = read_signed_info(octets)
    reference, covered = signed_info.properties, None
    # The reference must lead to the properties that are used, and not to a copy elsewhere.
    if located.properties_id and reference.uri == f"#{located.properties_id}":
        covered = xmlsafe.canonicalize(located.signed_properties, reference.canonicalization or xmlsafe.C14N)
    return Opened(
        signed_info_octets=octets,
        signed_info=signed_info,
        signature_value=located.signature_value,
        certificate=located.certificate,
        properties_octets=covered,
        properties=None,
        extra_certificates=located.extra_certificates,
        ocsp_responses=located.ocsp_responses,
        time_stamps=located.time_stamps,
    )


def locate(xml: bytes) -> Located:
    """Find the pieces of the one signature in a document.

    Raises:
        InvalidXml: not well-formed, or with what XML of X-Road never has.
        MalformedSignature: not of X-Road's form.
    """
    root = xmlsafe.parse(xml, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH, max_elements=MAX_ELEMENTS)
    signature = _only_signature(root)
    _refuse_ambiguous_ids(root)
    try:
        return _locate(signature)
    except errors.InvalidXml as error:
        raise errors.MalformedSignature(f"The signature is not of X-Road's form: {error.detail}") from error


def read_signed_info(canonical: bytes) -> SignedInfo:
    """Read the octets of a SignedInfo.

    Raises:
        MalformedSignature: a reference twice, none or two to the signed properties, a transform that is not allowed.
        UnsupportedAlgorithm: an algorithm that is not on the list.
    """
    try:
        return _read_signed_info(xmlsafe.parse(canonical, max_bytes=MAX_BYTES))
    except errors.InvalidXml as error:
        raise errors.MalformedSignature(f"The signature is not of X-Road's form: {error.detail}") from error


def read_signed_properties(canonical: bytes) -> SignedProperties:
    """Read the octets of the signed properties.

    Raises:
        MalformedSignature: no signing time or no signing certificate.
        UnsupportedAlgorithm: a digest that is not on the list.
    """
    try:
        return _read_signed_properties(xmlsafe.parse(canonical, max_bytes=MAX_BYTES))
    except errors.InvalidXml as error:
        raise errors.MalformedSignature(f"The signature is not of X-Road's form: {error.detail}") from error


def _only_signature(root: etree._Element) -> etree._Element:
    signatures = list(root.iter(f"{_DS}Signature"))
    # A second signature could be the valid one while another is looked at.
    if len(signatures) != 1:
        raise errors.MalformedSignature(f"The document has {len(signatures)} signatures instead of one.")
    signature = signatures[0]
    if signature is root:
        return signature
    name = etree.QName(root)
    if (
        name.localname != "XAdESSignatures"
        or name.namespace not in ASIC_NAMESPACES
        or signature.getparent() is not root
    ):
        raise errors.MalformedSignature("The signature is not where X-Road's documents have it: directly in the root.")
    return signature


def _refuse_ambiguous_ids(root: etree._Element) -> None:
    # With two elements of one id, verifier and user could each take another one.
    found = _IDS(root)
    if not isinstance(found, list) or len(set(found)) != len(found):
        raise errors.MalformedSignature("Two elements of the signature have the same Id.")


def _locate(signature: etree._Element) -> Located:
    pieces = _pieces(signature)
    signed_info = _piece(pieces, f"{_DS}SignedInfo")
    data = xmlsafe.child(_piece(pieces, f"{_DS}KeyInfo"), f"{_DS}X509Data")
    holder = xmlsafe.child(_piece(pieces, f"{_DS}Object"), f"{_XADES}QualifyingProperties")
    if holder.get("Target") != f"#{signature.get('Id')}":
        raise errors.MalformedSignature("The properties are those of another signature (their Target).")
    properties = xmlsafe.child(holder, f"{_XADES}SignedProperties")
    unsigned = _unsigned(holder)
    certificates = _values(unsigned.get(f"{_XADES}CertificateValues"), "EncapsulatedX509Certificate", MAX_CERTIFICATES)
    revocation = unsigned.get(f"{_XADES}RevocationValues")
    responses = None if revocation is None else xmlsafe.optional_child(revocation, f"{_XADES}OCSPValues")
    return Located(
        signed_info=signed_info,
        canonicalization=_canonicalization(xmlsafe.child(signed_info, f"{_DS}CanonicalizationMethod")),
        signature_value=_decoded(_piece(pieces, f"{_DS}SignatureValue")),
        certificate=_decoded(xmlsafe.child(data, f"{_DS}X509Certificate")),
        signed_properties=properties,
        properties_id=properties.get("Id", ""),
        extra_certificates=certificates,
        ocsp_responses=_values(responses, "EncapsulatedOCSPValue", MAX_OCSP_RESPONSES),
        time_stamps=_values(unsigned.get(f"{_XADES}SignatureTimeStamp"), "EncapsulatedTimeStamp", 1),
    )


def _pieces(parent: etree._Element) -> Mapping[str, etree._Element]:
    """Return the children by tag, none of which may come twice; in one pass, for this is on the hot path."""
    children = parent.getchildren()
    found = {str(child.tag): child for child in children}
    if len(found) != len(children):
        raise errors.MalformedSignature(f"An element in {xmlsafe.local_name(parent)} comes twice.")
    return found


def _piece(pieces: Mapping[str, etree._Element], tag: str) -> etree._Element:
    found = pieces.get(tag)
    if found is None:
        raise errors.MalformedSignature(f"The signature lacks {etree.QName(tag).localname}.")
    return found


def _unsigned(holder: etree._Element) -> Mapping[str, etree._Element]:
    unsigned = xmlsafe.optional_child(holder, f"{_XADES}UnsignedProperties")
    if unsigned is None:
        return {}
    properties = xmlsafe.optional_child(unsigned, f"{_XADES}UnsignedSignatureProperties")
    return {} if properties is None else _pieces(properties)


def _values(parent: etree._Element | None, tag: str, limit: int) -> tuple[bytes, ...]:
    if parent is None:
        return ()
    found = xmlsafe.children(parent, _XADES + tag)
    if len(found) > limit:
        raise errors.MalformedSignature(f"The signature has {len(found)} {tag} elements; {limit} are allowed.")
    return tuple(_decoded(each) for each in found)


def _read_signed_info(root: etree._Element) -> SignedInfo:
    method = xmlsafe.child(root, f"{_DS}SignatureMethod")
    algorithm = signature_algorithm_by_uri(method.get("Algorithm", ""))
    parts: dict[str, Reference] = {}
    properties: list[Reference] = []
    for element in xmlsafe.children(root, f"{_DS}Reference"):
        reference = _read_reference(element)
        if element.get("Type") == SIGNED_PROPERTIES_TYPE:
            properties.append(reference)
        elif reference.canonicalization is not None:
            raise errors.MalformedSignature(f"The reference to {reference.uri[:100]} has a transform: parts have none.")
        elif reference.uri in parts:
            raise errors.MalformedSignature(f"The signature refers to {reference.uri[:100]} twice.")
        else:
            parts[reference.uri] = reference
    # Without it, signing time and certificate would be anybody's words.
    if len(properties) != 1:
        raise errors.MalformedSignature(f"The signature covers {len(properties)} sets of properties instead of one.")
    return SignedInfo(algorithm, MappingProxyType(parts), properties[0])


def _read_reference(element: etree._Element) -> Reference:
    pieces = _pieces(element)
    transforms = pieces.get(f"{_DS}Transforms")
    canonicalization = None
    if transforms is not None:
        canonicalization = _canonicalization(xmlsafe.child(transforms, f"{_DS}Transform"))
    algorithm = digest_by_uri(_piece(pieces, f"{_DS}DigestMethod").get("Algorithm", ""))
    digest = _decoded(_piece(pieces, f"{_DS}DigestValue"))
    return Reference(element.get("URI", ""), algorithm, digest, canonicalization)


def _canonicalization(element: etree._Element) -> str:
    """Return the algorithm; XSLT, XPath and the like could make the signed octets say anything, and run code."""
    algorithm = element.get("Algorithm", "")
    if algorithm not in _CANONICALIZATIONS or len(element):
        raise errors.UnsupportedAlgorithm(
            f"The transform {algorithm[:100]!r} is not allowed: Canonical XML 1.0, inclusive or exclusive, is."
        )
    return algorithm


def _read_signed_properties(root: etree._Element) -> SignedProperties:
    properties = xmlsafe.child(root, f"{_XADES}SignedSignatureProperties")
    time = _time(xmlsafe.text(xmlsafe.child(properties, f"{_XADES}SigningTime")))
    digest = xmlsafe.child(_signing_certificate(properties), f"{_XADES}CertDigest")
    algorithm = digest_by_uri(xmlsafe.child(digest, f"{_DS}DigestMethod").get("Algorithm", ""))
    return SignedProperties(time, algorithm, _decoded(xmlsafe.child(digest, f"{_DS}DigestValue")))


def _signing_certificate(properties: etree._Element) -> etree._Element:
    holders = [*_both_versions(properties)]
    if len(holders) != 1:
        raise errors.MalformedSignature("The signed properties must name the signing certificate once.")
    return xmlsafe.child(holders[0], f"{_XADES}Cert")


def _both_versions(properties: etree._Element) -> Iterator[etree._Element]:
    yield from xmlsafe.children(properties, f"{_XADES}SigningCertificate")
    yield from xmlsafe.children(properties, f"{_XADES}SigningCertificateV2")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.MalformedSignature("The signing time is not readable.") from error
    if time.tzinfo is None:
        raise errors.MalformedSignature("The signing time has no time zone.")
    return time.astimezone(UTC)


def _decoded(element: etree._Element) -> bytes:
    try:
        return b64decode("".join(xmlsafe.text(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.MalformedSignature(f"The element {xmlsafe.local_name(element)} is not base64.") from error
