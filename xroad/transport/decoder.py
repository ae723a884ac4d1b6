"""Reads a message between two security servers: the order, number and size of its parts, without any I/O.

It refuses to know what the parts say, and gives nothing of a message that two readers could take apart differently.
Each verdict here comes before any signature is verified, so it must hold against a hostile peer.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal

from xroad import mime
from xroad.errors import (
    InvalidContentType,
    InvalidMessage,
    MimeParsingFailed,
    MissingRest,
    MissingSignature,
    MissingSoap,
)
from xroad.transport import parts
from xroad.transport.parts import DEFAULT_LIMITS, Event, Limits, Protocol, Role

# What stands at a place in a message, in words for people. (Plain strings: an enumeration's hash is slow, and this is
# on the path of every message.)
_Kind = Literal["start", "OCSP response", "message", "body", "hash chain result", "hash chain", "signature", "fault"]
_START: Final = "start"
_OCSP: Final = "OCSP response"
_HEAD: Final = "message"
_BODY: Final = "body"
_RESULT: Final = "hash chain result"
_CHAIN: Final = "hash chain"
_SIGNATURE: Final = "signature"
_FAULT: Final = "fault"

# Which part may follow which (PR-MESSTRANSP 3.1). OCSP responses come from the consumer's side only.
_FIRST: Final[Mapping[Role, frozenset[_Kind]]] = {
    "request": frozenset({_OCSP, _HEAD}),
    "response": frozenset({_HEAD, _FAULT}),
}
_FOLLOWERS: Final[Mapping[_Kind, frozenset[_Kind]]] = {
    _OCSP: frozenset({_OCSP, _HEAD}),
    _HEAD: frozenset({_BODY, _RESULT, _SIGNATURE, _FAULT}),
    _BODY: frozenset({_RESULT, _SIGNATURE, _FAULT}),
    _RESULT: frozenset({_CHAIN}),
    _CHAIN: frozenset({_SIGNATURE}),
    _SIGNATURE: frozenset(),
    _FAULT: frozenset(),
}
_BEFORE_MESSAGE: Final = frozenset({_START, _OCSP})
_LAST: Final = frozenset({_SIGNATURE, _FAULT})

_COMMON: Final[Mapping[str, _Kind]] = {
    parts.OCSP: _OCSP,
    parts.HASH_CHAIN_RESULT: _RESULT,
    parts.HASH_CHAIN: _CHAIN,
    parts.SIGNATURE: _SIGNATURE,
}
# A `text/xml` part of a REST message can only be a fault; in a SOAP message the first one is the message.
_REST: Final[Mapping[str, _Kind]] = {**_COMMON, parts.REST_BODY: _BODY, parts.TEXT_XML: _FAULT}
_SOAP: Final[Mapping[str, _Kind]] = {**_COMMON, parts.XOP_XML: _HEAD, parts.MULTIPART: _BODY}
_KINDS: Final[Mapping[tuple[Protocol, Role], Mapping[str, _Kind]]] = {
    ("rest", "request"): {**_REST, parts.REST_REQUEST: _HEAD},
    ("rest", "response"): {**_REST, parts.REST_RESPONSE: _HEAD},
    ("soap", "request"): _SOAP,
    ("soap", "response"): _SOAP,
}
_SMALL_PARTS: Final[Mapping[_Kind, Callable[[bytes], Event]]] = {
    _OCSP: parts.OcspPart,
    _RESULT: parts.HashChainResult,
    _CHAIN: parts.HashChain,
    _SIGNATURE: parts.Signature,
    _FAULT: parts.Fault,
}
_UTF8: Final = frozenset({None, "utf-8"})


class Decoder:
    """Reads one message that comes in any pieces; gives small parts whole and bodies in pieces.

    Nothing that it gives may be acted on before `finish` has returned and the signature over it is verified.

    Args:
        content_type: the Content-Type header of the HTTP message.
        role: whether this is a request (at the provider's server) or a response (at the consumer's).
        limits: what the peer may send.
        protocol: of the message inside: the `x-road-message-type` header tells.

    Raises:
        InvalidContentType: the content type is not that of a transport message in this role.
    """

    def __init__(
        self, content_type: str, role: Role, limits: Limits = DEFAULT_LIMITS, *, protocol: Protocol = "rest"
    ) -> None:
        outer = mime.parse_content_type(content_type)
        self._fault_only = role == "response" and outer.media_type == parts.TEXT_XML
        if outer.charset not in _UTF8 or (outer.media_type != parts.MULTIPART and not self._fault_only):
            raise InvalidContentType(
                f"A transport message must be {parts.MULTIPART} in UTF-8; send it with that content type."
            )
        self._multipart = (
            None
            if self._fault_only
            else mime.MultipartDecoder(mime.boundary_of(outer), max_header_bytes=limits.part_headers)
        )
        self._role: Role = role
        self._protocol: Protocol = protocol
        self._limits = limits
        self._sizes = _size_limits(limits, protocol)
        self._kinds = _KINDS[protocol, role]
        self._place: _Kind = _FAULT if self._fault_only else _START
        self._ocsp_count = 0
        self._size = 0
        self._pieces: list[bytes] = []
        self._content_type = content_type
        self._headers: Mapping[str, str] = {}

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; return what they complete.

        Raises:
            MimeParsingFailed: the multipart is broken, or a part is over its limit.
            InvalidContentType: a part's type does not belong into such a message.
            InvalidMessage: parts in the wrong order, twice, or after the end.
            MissingRest, MissingSoap, MissingSignature: what every message has is not there.
        """
        events: list[Event] = []
        if self._multipart is None:
            self._take(data, events)
            return events
        for event in self._multipart.feed(data):
            if isinstance(event, mime.PartData):
                self._take(event.data, events)
            elif isinstance(event, mime.PartBegin):
                self._begin(event.headers, events)
            elif isinstance(event, mime.PartEnd):
                self._end(events)
            else:
                self._check_complete()
        return events

    def finish(self) -> list[Event]:
        """Say that no more bytes come; the last event is `End`.

        Raises:
            MimeParsingFailed: the message was cut short.
        """
        events: list[Event] = []
        if self._multipart is not None:
            self._multipart.finish()
        else:
            self._end(events)
        events.append(parts.End())
        return events

    def _begin(self, headers: Mapping[str, str], events: list[Event]) -> None:
        self._content_type = headers.get("content-type", "")
        self._headers = headers
        # A type without parameters is its own media type; what may be a fault or a message has a charset to look at.
        kind = self._kinds.get(self._content_type)
        if kind is None or kind is _FAULT:
            kind = self._kind_of(mime.parse_content_type(self._content_type))
        self._check_order(kind)
        self._place = kind
        if kind is _BODY:
            events.append(parts.BodyStart() if self._protocol == "rest" else parts.AttachmentsStart(self._content_type))

    def _kind_of(self, content_type: mime.ContentType) -> _Kind:
        media_type = content_type.media_type
        if media_type == parts.TEXT_XML:
            if content_type.charset not in _UTF8:
                raise InvalidContentType("An XML part is not in UTF-8; send it as UTF-8.")
            if self._protocol == "soap":
                return _HEAD if self._place in _BEFORE_MESSAGE else _FAULT
        kind = self._kinds.get(media_type)
        if kind is None:
            raise InvalidContentType(
                f"A part's content type does not belong into a {self._protocol.upper()} {self._role}; "
                "send the parts that the message transport protocol names."
            )
        return kind

    def _check_order(self, kind: _Kind) -> None:
        # A message that two readers could take apart differently would let one verify what the other uses.
        allowed = _FIRST[self._role] if self._place is _START else _FOLLOWERS[self._place]
        if kind not in allowed:
            if self._place in _BEFORE_MESSAGE and kind is not _OCSP:
                raise self._missing_message()
            raise InvalidMessage(
                f"A {kind} part follows the {self._place}; send each part once, in the protocol's order."
            )
        self._ocsp_count += kind is _OCSP
        if self._ocsp_count > self._limits.ocsp_responses:
            raise InvalidMessage(f"A message has more than {self._limits.ocsp_responses} OCSP responses; send fewer.")

    def _missing_message(self) -> MissingRest | MissingSoap:
        if self._protocol == "rest":
            return MissingRest("A transport message has no REST message part; send it before the other parts.")
        return MissingSoap("A transport message has no SOAP message part; send it before the other parts.")

    def _take(self, data: bytes, events: list[Event]) -> None:
        self._size += len(data)
        if self._size > self._sizes[self._place]:
            raise MimeParsingFailed(f"The {self._place} part is over the limit of {self._sizes[self._place]} bytes.")
        if self._place is not _BODY:
            self._pieces.append(data)
        else:
            events.append(parts.BodyChunk(data) if self._protocol == "rest" else parts.AttachmentsChunk(data))

    def _end(self, events: list[Event]) -> None:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._place is not _BODY:
            events.append(self._event(data))

    def _event(self, data: bytes) -> Event:
        if self._place is _HEAD:
            return (
                parts.RestHead(data)
                if self._protocol == "rest"
                else parts.SoapPart(data, self._content_type, self._headers)
            )
        return _SMALL_PARTS[self._place](data)

    def _check_complete(self) -> None:
        if self._place in _BEFORE_MESSAGE:
            raise self._missing_message()
        if self._place not in _LAST:
            raise MissingSignature("A transport message ends without a signature; sign it and send it again.")


@lru_cache(maxsize=64)
def _size_limits(limits: Limits, protocol: Protocol) -> Mapping[_Kind, int]:
    return {
        _OCSP: limits.ocsp_response,
        _HEAD: limits.rest_head if protocol == "rest" else limits.soap,
        _BODY: limits.body,
        _RESULT: limits.hash_chain,
        _CHAIN: limits.hash_chain,
        _SIGNATURE: limits.signature,
        _FAULT: limits.fault,
    }
