"""MIME multipart as X-Road writes it: content types, and a decoder that takes bytes in any pieces and holds no body.

It refuses to know what the parts mean or in which order they belong: that is in `xroad.transport`.
Between two security servers every message passes through here, so it is written for speed: one search per piece.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from xroad.errors import InvalidContentType, InvalidMessage, MimeParsingFailed

# A content type is one header line; X-Road's are under 100 characters.
MAX_CONTENT_TYPE: Final = 1024
# The headers of one part: content type, and for SOAP attachments what their sender gave them.
MAX_PART_HEADER_BYTES: Final = 8 * 1024
# The line break and spaces that may follow the last boundary.
MAX_EPILOGUE_BYTES: Final = 16
# Spaces that RFC 2046 allows after a boundary; X-Road writes none.
MAX_PADDING_BYTES: Final = 16

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE = re.compile(rf"\s*({_NAME}/[!#$%&'*+\-.^_`|~0-9A-Za-z/]+)\s*")
_PARAMETER = re.compile(rf"\s*;\s*(?:({_NAME})\s*=\s*(?:([^\s\";,]+)|\"((?:[^\"\\]|\\.)*)\")\s*)?")
# RFC 2046 section 5.1.1: the characters of a boundary, 1 to 70 of them.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]\Z")
_HEADER_NAME = re.compile(rf"{_NAME}\Z")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_PADDING = b" \t"
_WHITE = b" \t\r\n"
_CARRIAGE_RETURN = 0x0D
_INCOMPLETE_BOUNDARY_ENDS = frozenset({b"", b"\r", b"-"})
_BARE_BOUNDARY = "A multipart boundary is followed by something else than a line break; send it bare."


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case, and its parameters by lower-case name."""

    media_type: str
    parameters: Mapping[str, str]

    @property
    def charset(self) -> str | None:
        """The charset in lower case, if the sender named one."""
        charset = self.parameters.get("charset")
        return charset.lower() if charset is not None else None


@lru_cache(maxsize=256)
def parse_content_type(value: str) -> ContentType:
    """Parse a Content-Type header's value (RFC 9110 section 8.3).

    Raises:
        InvalidContentType: it is too long, or not a media type, or names a parameter twice.
    """
    start = _MEDIA_TYPE.match(value) if len(value) <= MAX_CONTENT_TYPE else None
    if start is None:
        raise InvalidContentType("A content type is missing or malformed; send type/subtype with its parameters.")
    parameters: dict[str, str] = {}
    position = start.end()
    while position < len(value):
        found = _PARAMETER.match(value, position)
        if found is None or (found[1] or "").lower() in parameters:
            raise InvalidContentType("A content type has a malformed or repeated parameter; send each of them once.")
        if found[1]:
            quoted = found[3]
            parameters[found[1].lower()] = found[2] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = found.end()
    return ContentType(start[1].lower(), MappingProxyType(parameters))


def boundary_of(content_type: ContentType) -> bytes:
    """Return the boundary of a multipart content type.

    Raises:
        InvalidContentType: it has none, or one with characters that a boundary cannot have.
    """
    boundary = content_type.parameters.get("boundary", "")
    if not _BOUNDARY.match(boundary):
        raise InvalidContentType(
            "A multipart content type has no boundary, or a malformed one; send 1 to 70 characters."
        )
    return boundary.encode("ascii")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part's headers, by lower-case name."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """A piece of the current part's content; where it is cut means nothing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The current part is whole."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last boundary has been read."""


MimeEvent = PartBegin | PartData | PartEnd | Closed

_PART_END: Final = PartEnd()
_CLOSED: Final = Closed()

# What reads the buffer now; true when it got somewhere and may be called again. (A plain function and not a bound
# method: that would make each decoder a reference cycle.)
_State = Callable[["MultipartDecoder", list[MimeEvent]], bool]


class MultipartDecoder:
    """Takes a multipart in pieces and gives its parts in pieces; it holds back no more than a boundary's length.

    Args:
        boundary: from `boundary_of`.
        max_header_bytes: limit of each part's header block.
    """

    def __init__(self, boundary: bytes, *, max_header_bytes: int = MAX_PART_HEADER_BYTES) -> None:
        self._dash_boundary = b"--" + boundary
        self._delimiter = b"\n--" + boundary
        self._max_header_bytes = max_header_bytes
        self._buffer = b""
        self._state: _State = MultipartDecoder._start
        self._at_start = False

    def feed(self, data: bytes) -> list[MimeEvent]:
        """Take the next bytes; return what they complete.

        Raises:
            MimeParsingFailed: bytes before the first boundary, a broken boundary or header, a header over its limit.
            InvalidMessage: bytes after the last boundary.
        """
        self._buffer = self._buffer + data if self._buffer else data
        events: list[MimeEvent] = []
        while self._state(self, events):
            pass
        return events

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            MimeParsingFailed: the last boundary has not been read: somebody cut the message short.
        """
        if self._state is not MultipartDecoder._epilogue:
            raise MimeParsingFailed(
                "A multipart message ends before its last boundary; it was cut short, send it again."
            )

    def _start(self, _events: list[MimeEvent]) -> bool:
        # X-Road writes nothing before the first boundary. A preamble is unsigned and unseen: a place to hide things.
        expected = self._dash_boundary
        if not expected.startswith(self._buffer[: len(expected)]):
            raise MimeParsingFailed("A multipart message does not start with its boundary; remove what is before it.")
        return len(self._buffer) >= len(expected) and self._move(
            self._buffer[len(expected) :], MultipartDecoder._after_boundary
        )

    def _after_boundary(self, events: list[MimeEvent]) -> bool:
        if self._buffer.startswith(b"\r\n"):  # as X-Road writes it
            self._buffer, self._state = self._buffer[1:], MultipartDecoder._headers
            return True
        rest = self._buffer.lstrip(_PADDING)
        if len(self._buffer) - len(rest) > MAX_PADDING_BYTES:
            raise MimeParsingFailed(_BARE_BOUNDARY)
        if rest.startswith(b"--"):
            events.append(_CLOSED)
            return self._move(rest[2:], MultipartDecoder._epilogue)
        if rest.startswith((b"\n", b"\r\n")):
            return self._move(rest[rest.index(b"\n") :], MultipartDecoder._headers)
        if rest in _INCOMPLETE_BOUNDARY_ENDS:
            return False
        raise MimeParsingFailed(_BARE_BOUNDARY)

    def _headers(self, events: list[MimeEvent]) -> bool:
        # The boundary's own line break is still in the buffer, so the end of a part without headers is found as well.
        found = _BLANK_LINE.search(self._buffer)
        if (found.start() if found else len(self._buffer) - len(b"\r\n\r")) > self._max_header_bytes:
            raise MimeParsingFailed(
                f"A part's headers are over the limit of {self._max_header_bytes} bytes; shorten them."
            )
        if found is None:
            return False
        events.append(PartBegin(_parse_headers(self._buffer[1 : found.start()])))
        self._at_start = True
        self._buffer, self._state = self._buffer[found.end() - 1 :], MultipartDecoder._content
        return True

    def _content(self, events: list[MimeEvent]) -> bool:
        # At a part's start the buffer still has the blank line's break: a boundary may follow it at once.
        buffer, begin = self._buffer, int(self._at_start)
        at = buffer.find(self._delimiter)
        if at >= 0:
            _emit(events, buffer[begin : _before_break(buffer, at)])
            events.append(_PART_END)
            self._buffer, self._state = buffer[at + len(self._delimiter) :], MultipartDecoder._after_boundary
            return True
        keep = _possible_delimiter(buffer, self._delimiter)
        if keep >= begin:
            _emit(events, buffer[begin:keep])
            self._buffer, self._at_start = buffer[keep:], False
        return False

    def _epilogue(self, _events: list[MimeEvent]) -> bool:
        if len(self._buffer) > MAX_EPILOGUE_BYTES or self._buffer.strip(_WHITE):
            raise InvalidMessage("There is content after the end of a multipart message; end it at its last boundary.")
        return False

    def _move(self, rest: bytes, state: _State) -> bool:
        self._buffer, self._state = rest, state
        return True


def _emit(events: list[MimeEvent], data: bytes) -> None:
    if data:
        events.append(PartData(data))


def _before_break(buffer: bytes, at: int) -> int:
    """Step over the carriage return of a line break whose line feed is at `at`."""
    return at - 1 if at > 0 and buffer[at - 1] == _CARRIAGE_RETURN else at


def _possible_delimiter(buffer: bytes, delimiter: bytes) -> int:
    """Return from where on the buffer may be the start of a delimiter whose rest has not come yet."""
    at = buffer.rfind(b"\n", max(0, len(buffer) - len(delimiter)))
    if at >= 0 and delimiter.startswith(buffer[at:]):
        return _before_break(buffer, at)
    return len(buffer) - buffer.endswith(b"\r")


@lru_cache(maxsize=256)
def _parse_headers(block: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for line in _FOLD.sub(b" ", block).decode("latin-1").split("\n") if block else ():
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if not colon or not _HEADER_NAME.match(key) or key in headers:
            raise MimeParsingFailed("A part has a malformed or repeated header; send each as name: value, once.")
        headers[key] = value.strip()
    return MappingProxyType(headers)
