"""The only door to XML parsing and canonicalization: bytes in, an element without surprises out.

It refuses to know what any document means, and any document that has a DTD, an entity or another encoding than UTF-8.
SOAP, XAdES, hash chains, anchors and configuration parts all pass through here before anything reads them.
"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from lxml import etree

from xroad.errors import InvalidXml, UnsupportedAlgorithm

# A signature with its certificates and OCSP responses is under 40 KiB; the largest national configurations are a few
# MiB, and their readers raise the limits by name.
MAX_BYTES: Final = 4 * 1024 * 1024
# X-Road's own documents nest under 20 deep; SOAP bodies of services somewhat more.
MAX_DEPTH: Final = 100
# Twice the elements of a large national configuration's 4 MiB.
MAX_ELEMENTS: Final = 100_000

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_COMMENTS: Final = C14N + "#WithComments"
C14N_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
C14N_EXCLUSIVE_COMMENTS: Final = C14N_EXCLUSIVE + "WithComments"

_EXCLUSIVE_AND_COMMENTS: Final = MappingProxyType(
    {
        C14N: (False, False),
        C14N_COMMENTS: (False, True),
        C14N_EXCLUSIVE: (True, False),
        C14N_EXCLUSIVE_COMMENTS: (True, True),
    }
)

_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    no_network=True,
    huge_tree=False,
    recover=False,
    collect_ids=False,
)
_BOM = b"\xef\xbb\xbf"
_DECLARED_ENCODING = re.compile(rb"<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"']")
_DECLARATION_WINDOW = 200  # an XML declaration is the first thing in a document, and short
_PROLOG_DOCTYPE = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_XML_NAMESPACE_ATTRIBUTE = "{http://www.w3.org/XML/1998/namespace}"


def parse(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, max_elements: int = MAX_ELEMENTS
) -> etree._Element:
    """Parse a UTF-8 document and return its root element.

    Raises:
        InvalidXml: the document is too large or too deep, has a DTD, is not UTF-8, or is not well-formed.
    """
    if len(data) > max_bytes:
        raise InvalidXml(f"An XML document of {len(data)} bytes is over the limit of {max_bytes}; send a smaller one.")
    _refuse_foreign_encoding(data)
    _refuse_doctype(data)
    try:
        root = etree.fromstring(data, _PARSER)  # noqa: TID251 - the one place that parses
    except etree.XMLSyntaxError as error:
        raise InvalidXml("An XML document is not well-formed, or nests too deep; send well-formed XML.") from error
    # The scan above reads bytes as XML 1.0 says; the parser has the last word on what it took for a DTD.
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidXml(_NO_DOCTYPE)
    _check_size(root, data.count(b"<"), max_depth, max_elements)
    return root


_NO_DOCTYPE = "An XML document has a DOCTYPE, which X-Road's documents never have; remove it."


def _refuse_foreign_encoding(data: bytes) -> None:
    # UTF-16, UTF-32 and EBCDIC would hide a DOCTYPE from the byte scan, and a second reader might disagree with ours.
    start = data[:_DECLARATION_WINDOW].removeprefix(_BOM)
    if b"\x00" in data or not start.lstrip()[:1] == b"<":
        raise InvalidXml("An XML document is empty or not UTF-8; send it as UTF-8.")
    declared = _DECLARED_ENCODING.match(start)
    if declared is not None and declared[1].lower() != b"utf-8":
        raise InvalidXml("An XML document declares another encoding than UTF-8; send it as UTF-8.")


def _refuse_doctype(data: bytes) -> None:
    # Entities (billion laughs, external files) are declared only in a DTD. The bytes may also stand in a CDATA section.
    if b"<!DOCTYPE" in data and _PROLOG_DOCTYPE.match(data.removeprefix(_BOM)):
        raise InvalidXml(_NO_DOCTYPE)


def _check_size(root: etree._Element, tag_bound: int, max_depth: int, max_elements: int) -> None:
    # Each element costs at least one "<", so most documents are within both limits without a walk.
    if tag_bound <= min(max_depth, max_elements):
        return
    depth, count, level = 0, 0, [root]
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > max_depth:
            raise InvalidXml(f"An XML document nests deeper than {max_depth} elements; flatten it.")
        if count > max_elements:
            raise InvalidXml(f"An XML document has more than {max_elements} elements; split it.")
        level = [child for parent in level for child in parent]


def canonicalize(element: etree._Element, algorithm_uri: str, *, inclusive_prefixes: Sequence[str] = ()) -> bytes:
    """Canonicalize an element where it stands in its document (Canonical XML 1.0, inclusive or exclusive).

    Raises:
        UnsupportedAlgorithm: the algorithm is not one of the four of this module.
        InvalidXml: an ancestor has an `xml:` attribute, which inclusive canonicalization would have to inherit, or a
            namespace name is relative, which Canonical XML forbids.
    """
    try:
        exclusive, comments = _EXCLUSIVE_AND_COMMENTS[algorithm_uri]
    except KeyError as error:
        raise UnsupportedAlgorithm(
            "A canonicalization algorithm is not an allowed one; use Canonical XML 1.0."
        ) from error
    if not exclusive:
        _refuse_inherited_attributes(element)
    prefixes = list(inclusive_prefixes) if exclusive and inclusive_prefixes else None
    try:
        return etree.tostring(
            element, method="c14n", exclusive=exclusive, with_comments=comments, inclusive_ns_prefixes=prefixes
        )
    except etree.C14NError as error:
        raise InvalidXml("XML cannot be canonicalized: a namespace name is relative; use an absolute URI.") from error


def _refuse_inherited_attributes(element: etree._Element) -> None:
    # The library leaves ancestors' xml:lang and the like out; another verifier puts them in, and digests would differ.
    for ancestor in element.iterancestors():
        if any(str(name).startswith(_XML_NAMESPACE_ATTRIBUTE) for name in ancestor.attrib):
            raise InvalidXml("A signed element inherits an xml: attribute; remove it from the elements around it.")


def text(element: etree._Element) -> str:
    """Return the stripped text of an element that has only text.

    Raises:
        InvalidXml: it has children. A comment inside (`admin<!---->.evil`) would hide what follows it.
    """
    if len(element):
        raise InvalidXml(f"The element {local_name(element)} must hold text only; remove what is inside it.")
    return (element.text or "").strip()


def local_name(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return etree.QName(element).localname


def children(parent: etree._Element, tag: str) -> list[etree._Element]:
    """Return the children with a tag in `{namespace}name` form, in order."""
    return list(parent.iterchildren(tag))


def optional_child(parent: etree._Element, tag: str) -> etree._Element | None:
    """Return the only child with a tag, or None.

    Raises:
        InvalidXml: there are several: which one counts must not be left to the reader.
    """
    found = children(parent, tag)
    if len(found) > 1:
        raise InvalidXml(f"The element {local_name(parent)} has {etree.QName(tag).localname} more than once.")
    return found[0] if found else None


def child(parent: etree._Element, tag: str) -> etree._Element:
    """Return the only child with a tag.

    Raises:
        InvalidXml: there is none, or there are several.
    """
    found = optional_child(parent, tag)
    if found is None:
        raise InvalidXml(f"The element {local_name(parent)} lacks {etree.QName(tag).localname}.")
    return found
