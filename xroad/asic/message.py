"""What a signed message says about itself: who asked whom for what, REST or SOAP, read out of the signed bytes.

It refuses to know signatures and what services mean by their bodies.
Containers hold both protocols' messages; for SOAP this reads the X-Road headers of PR-MESS 4.0 and nothing else.
"""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from xroad import xmlsafe
from xroad.asic.names import MAX_MESSAGE_BYTES
from xroad.errors import InvalidSoap, InvalidXml, ProtocolViolation
from xroad.evidence import Direction
from xroad.identifiers import ClientId, ServiceId
from xroad.rest import RestRequest, RestResponse
from xroad.rest.headers import ISSUE, USER_ID
from xroad.rest.headers import find as header

_SOAP: Final = "{http://schemas.xmlsoap.org/soap/envelope/}"
_XROAD: Final = "{http://x-road.eu/xsd/xroad.xsd}"
_ID: Final = "{http://x-road.eu/xsd/identifiers}"
_RESPONSE = "Response"  # the suffix by which the reference tells responses (PR-MESS 2.3)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """The X-Road headers of a message; `request_id` is REST's only, `rest` the whole REST message if it is one."""

    direction: Direction
    client: ClientId
    service: ServiceId
    query_id: str
    request_id: str | None
    user_id: str | None
    issue: str | None
    rest: RestRequest | RestResponse | None

    @property
    def signer(self) -> ClientId:
        """Who must have signed it: the client its request, the provider its response."""
        return self.client if self.direction is Direction.REQUEST else self.service.client


def read_message(data: bytes) -> SignedMessage:
    """Read `message.xml`.

    Raises:
        InvalidRest: it is a REST message's head, and malformed.
        InvalidSoap, InvalidXml: it is a SOAP message, and malformed.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _soap(data)
    return _rest(data)


def _rest(head: bytes) -> SignedMessage:
    # A status line begins with digits, a request line with a verb (PR-REST; PR-MESSTRANSP 3.1).
    if head[:1].isdigit():
        message: RestRequest | RestResponse = RestResponse.from_head(head)
    else:
        message = RestRequest.from_head(head)
    is_request = isinstance(message, RestRequest)
    return SignedMessage(
        direction=Direction.REQUEST if is_request else Direction.RESPONSE,
        client=message.client,
        service=message.service,
        query_id=message.query_id,
        request_id=message.request_id,
        user_id=header(message.headers, USER_ID),
        issue=header(message.headers, ISSUE),
        rest=message,
    )


def _soap(data: bytes) -> SignedMessage:
    try:
        return _read_soap(xmlsafe.parse(data, max_bytes=MAX_MESSAGE_BYTES))
    except ProtocolViolation as error:
        raise InvalidSoap(f"The SOAP message names a party in a way that X-Road does not: {error.detail}") from error


def _read_soap(envelope: etree._Element) -> SignedMessage:
    if envelope.tag != f"{_SOAP}Envelope":
        raise InvalidSoap("The message is XML and not a SOAP message.")
    headers, body = xmlsafe.child(envelope, f"{_SOAP}Header"), xmlsafe.child(envelope, f"{_SOAP}Body")
    content = [each for each in body if isinstance(each.tag, str)]
    if len(content) != 1:  # with two, client and service could each read another one
        raise InvalidSoap("The SOAP message has not exactly one element in its body.")
    is_response = xmlsafe.local_name(content[0]).endswith(_RESPONSE)
    return SignedMessage(
        direction=Direction.RESPONSE if is_response else Direction.REQUEST,
        client=_client(xmlsafe.child(headers, f"{_XROAD}client")),
        service=_service(xmlsafe.child(headers, f"{_XROAD}service")),
        query_id=xmlsafe.text(xmlsafe.child(headers, f"{_XROAD}id")),
        request_id=None,
        user_id=_optional(headers, f"{_XROAD}userId"),
        issue=_optional(headers, f"{_XROAD}issue"),
        rest=None,
    )


def _client(element: etree._Element) -> ClientId:
    instance, member_class, member_code = (
        xmlsafe.text(xmlsafe.child(element, f"{_ID}{name}")) for name in ("xRoadInstance", "memberClass", "memberCode")
    )
    return ClientId(instance, member_class, member_code, _optional(element, f"{_ID}subsystemCode"))


def _service(element: etree._Element) -> ServiceId:
    code = xmlsafe.text(xmlsafe.child(element, f"{_ID}serviceCode"))
    return ServiceId(_client(element), code, _optional(element, f"{_ID}serviceVersion"))


def _optional(parent: etree._Element, tag: str) -> str | None:
    try:
        found = xmlsafe.optional_child(parent, tag)
    except InvalidXml as error:
        raise InvalidSoap(f"The SOAP message has a header twice: {error.detail}") from error
    return None if found is None else xmlsafe.text(found)
