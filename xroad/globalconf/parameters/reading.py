"""Small tools to take a parameters file apart: named children, texts, numbers, octets, identifiers.

They refuse whatever the schema does not foresee, and know no particular file.
The readers of shared parameters, private parameters and anchors are made of them.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from lxml import etree

from xroad import xmlsafe
from xroad.errors import InvalidClientIdentifier, InvalidXml
from xroad.globalconf.errors import MalformedGlobalConf
from xroad.identifiers import ClientId

XROAD_NAMESPACE = "http://x-road.eu/xsd/xroad.xsd"
IDENTIFIERS_NAMESPACE = "http://x-road.eu/xsd/identifiers"

# A national instance's shared parameters are some megabytes (about 1 KB a member); 64 MiB is far beyond any real one,
# and keeps a hostile federated instance from filling the memory of every server.
MAX_PARAMETERS_BYTES = 64 * 1024 * 1024
MAX_PARAMETERS_DEPTH = 16
MAX_PARAMETERS_ELEMENTS = 2_000_000

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fields:
    """The children of one element, by name."""

    owner: str
    children: Mapping[str, list[etree._Element]]

    def many(self, name: str) -> list[etree._Element]:
        """All children of that name, in document order."""
        return self.children.get(name, [])

    def maybe(self, name: str) -> etree._Element | None:
        """The only child of that name, or None; two are an error."""
        found = self.children.get(name, ())
        if len(found) > 1:
            raise MalformedGlobalConf(f"'{self.owner}' has {len(found)} elements '{name}' where one is allowed.")
        return found[0] if found else None

    def one(self, name: str) -> etree._Element:
        """The only child of that name; its absence is an error."""
        child = self.maybe(name)
        if child is None:
            raise MalformedGlobalConf(f"'{self.owner}' lacks the element '{name}'.")
        return child

    def text(self, name: str) -> str:
        """The text of a child that must be there."""
        return text_of(self.one(name))

    def text_or_none(self, name: str) -> str | None:
        """The text of a child, if it is there."""
        child = self.maybe(name)
        return None if child is None else text_of(child)

    def octets(self, name: str) -> bytes:
        """The base64 content of a child that must be there."""
        return octets_of(self.one(name))

    def octets_or_none(self, name: str) -> bytes | None:
        """The base64 content of a child, if it is there."""
        child = self.maybe(name)
        return None if child is None else octets_of(child)

    def number(self, name: str) -> int:
        """A whole number that is not negative."""
        value = self.text(name).strip()
        if not (value.isascii() and value.isdigit() and len(value) <= 10):  # noqa: PLR2004  fits any real interval
            raise MalformedGlobalConf(f"'{name}' of '{self.owner}' is not a whole number of seconds.")
        return int(value)

    def flag(self, name: str) -> bool:
        """An optional xs:boolean; absent means false."""
        value = (self.text_or_none(name) or "false").strip()
        if value not in _BOOLEANS:
            raise MalformedGlobalConf(f"'{name}' of '{self.owner}' is neither true nor false.")
        return _BOOLEANS[value]


def parse_conf(data: bytes, root_name: str) -> etree._Element:
    """Parse a configuration file and check its root element; raise MalformedGlobalConf for any other."""
    try:
        root = xmlsafe.parse(
            data,
            max_bytes=MAX_PARAMETERS_BYTES,
            max_depth=MAX_PARAMETERS_DEPTH,
            max_elements=MAX_PARAMETERS_ELEMENTS,
        )
    except InvalidXml as error:
        raise MalformedGlobalConf(f"The file is not XML that can be accepted: {error.detail}") from error
    if root.tag != f"{{{XROAD_NAMESPACE}}}{root_name}":
        raise MalformedGlobalConf(f"The file's root element is not X-Road's '{root_name}'.")
    return root


def fields(element: etree._Element, allowed: frozenset[str], *, extensible: bool = False) -> Fields:
    """Sort the children by name; refuse one that is not foreseen, unless extensions may follow (``xs:any``)."""
    children: dict[str, list[etree._Element]] = {}
    for child in element:
        if not isinstance(child.tag, str):
            continue  # a comment
        if child.tag in allowed:
            children.setdefault(child.tag, []).append(child)
        elif not extensible:
            raise MalformedGlobalConf(f"'{_local(element)}' has an element '{_local(child)}' that its version forbids.")
    return Fields(_local(element), children)


def text_of(element: etree._Element) -> str:
    """The text of an element that has no element inside."""
    if len(element) == 0:
        return element.text or ""
    if any(isinstance(child.tag, str) for child in element):
        raise MalformedGlobalConf(f"'{_local(element)}' holds elements where text is expected.")
    # Comments split the text: what stands around them is one value, or an attacker could hide its second half.
    return "".join(str(piece) for piece in element.xpath("text()"))


def octets_of(element: etree._Element) -> bytes:
    """The base64 content, whitespace ignored as in xs:base64Binary."""
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedGlobalConf(f"'{_local(element)}' is not base64.") from error


def certificate_of(element: etree._Element) -> bytes:
    """A certificate as DER; X-Road also stores the PEM text of one, base64 once more."""
    octets = octets_of(element)
    return _from_pem(octets) if octets.lstrip().startswith(b"-----BEGIN") else octets


def _from_pem(octets: bytes) -> bytes:
    body = octets.strip().removeprefix(b"-----BEGIN CERTIFICATE-----").removesuffix(b"-----END CERTIFICATE-----")
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedGlobalConf("A certificate is neither DER nor PEM.") from error


def moment_of(text: str) -> datetime:
    """An ISO 8601 date and time as aware UTC; one without an offset is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedGlobalConf("A date of the global configuration is not an ISO 8601 date and time.") from error


_CLIENT_FIELDS = frozenset(
    f"{{{IDENTIFIERS_NAMESPACE}}}{name}" for name in ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
)
_INSTANCE, _CLASS, _CODE, _SUBSYSTEM = (
    f"{{{IDENTIFIERS_NAMESPACE}}}{name}" for name in ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
)


def client_of(element: etree._Element) -> ClientId:
    """A client identifier written as an element (identifiers.xsd, XRoadClientIdentifierType).

    Raises:
        InvalidClientIdentifier: it has characters that are refused.
    """
    parts = fields(element, _CLIENT_FIELDS)
    return ClientId(parts.text(_INSTANCE), parts.text(_CLASS), parts.text(_CODE), parts.text_or_none(_SUBSYSTEM))


def identified(make: Callable[[], _T]) -> _T:
    """Make an identifier; one with forbidden characters makes the configuration malformed."""
    try:
        return make()
    except InvalidClientIdentifier as error:
        raise MalformedGlobalConf(f"In the global configuration: {error.detail}") from error


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
