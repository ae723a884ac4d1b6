"""Small tools to build a parameters file: text, octets, identifiers, moments.

They refuse to know any particular file, and write what `reading` reads.
The writers of shared parameters, private parameters and anchors are made of them.
"""

import base64
from datetime import UTC, datetime

from lxml import etree

from xroad.globalconf.parameters.reading import IDENTIFIERS_NAMESPACE, XROAD_NAMESPACE
from xroad.identifiers import ClientId

_PREFIXES = {"id": IDENTIFIERS_NAMESPACE, "tns": XROAD_NAMESPACE}


def new_root(name: str) -> etree._Element:
    """Make a root element in X-Road's namespace; its children are in none, as the schema has it."""
    return etree.Element(f"{{{XROAD_NAMESPACE}}}{name}", nsmap=_PREFIXES)


def add(parent: etree._Element, name: str) -> etree._Element:
    """Add an empty child."""
    return etree.SubElement(parent, name)


def add_text(parent: etree._Element, name: str, text: str | None) -> None:
    """Add a child with text; None adds nothing."""
    if text is not None:
        etree.SubElement(parent, name).text = text


def add_octets(parent: etree._Element, name: str, octets: bytes | None) -> None:
    """Add a child with base64 content; None adds nothing."""
    if octets is not None:
        add_text(parent, name, base64.b64encode(octets).decode("ascii"))


def add_client(parent: etree._Element, name: str, client: ClientId) -> None:
    """Add a client identifier as an element (identifiers.xsd, XRoadClientIdentifierType)."""
    element = etree.SubElement(parent, name)
    kind = "MEMBER" if client.subsystem_code is None else "SUBSYSTEM"
    element.set(f"{{{IDENTIFIERS_NAMESPACE}}}objectType", kind)
    add_text(element, f"{{{IDENTIFIERS_NAMESPACE}}}xRoadInstance", client.instance)
    add_text(element, f"{{{IDENTIFIERS_NAMESPACE}}}memberClass", client.member_class)
    add_text(element, f"{{{IDENTIFIERS_NAMESPACE}}}memberCode", client.member_code)
    add_text(element, f"{{{IDENTIFIERS_NAMESPACE}}}subsystemCode", client.subsystem_code)


def moment_text(moment: datetime) -> str:
    """Write an aware moment as xs:dateTime in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def serialize(root: etree._Element) -> bytes:
    """Write the document as UTF-8 with a declaration, indented for people who compare two of them."""
    etree.indent(root, space="    ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
