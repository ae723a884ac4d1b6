"""The nested MIME multiparts of a signed configuration, split at exactly the octets that were signed.

It refuses anything that two readers could split in two ways: bare line feeds, preambles, repeated headers.
`xroad.globalconf.directory` reads and writes the signed directory with it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xroad.errors import InvalidContentType
from xroad.globalconf.errors import MalformedGlobalConf
from xroad.mime import parse_content_type

CRLF = b"\r\n"
_BLANK_LINE = CRLF + CRLF
# RFC 2046 5.1.1, without the characters that would need quotes.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_\-./]{1,70}\Z")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*\Z")
# X-Road writes six headers; this is far beyond, and short of a list that keeps the parser busy.
MAX_HEADERS = 32


@dataclass(frozen=True, slots=True)
class RawPart:
    """A part: its headers by lower-case name, and its body without the line break that belongs to the boundary."""

    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Give a header that must be there."""
        value = self.headers.get(name.lower(), "")
        if not value:
            raise MalformedGlobalConf(f"A part of the signed configuration has no header {name}.")
        return value

    def expect(self, name: str, value: str) -> None:
        """Refuse the part when a header has another value than the only one allowed."""
        if self.header(name).lower() != value:
            raise MalformedGlobalConf(f"The header {name} of a part of the signed configuration is not '{value}'.")


def split_message(data: bytes, media_type: str) -> tuple[RawPart, ...]:
    """Split a document that begins with its own Content-Type header, such as a downloaded directory."""
    return split_multipart(_with_headers(data), media_type)


def split_multipart(message: RawPart, media_type: str) -> tuple[RawPart, ...]:
    """Split a multipart body by the boundary that its Content-Type names.

    The body must begin and end with that very boundary: the header itself is not under the signature, and another
    boundary would give the same signed octets another meaning.

    Raises:
        MalformedGlobalConf: another media type, or a body that does not follow its boundary strictly.
    """
    delimiter = b"--" + _boundary(message.header("Content-Type"), media_type)
    body = message.body.removesuffix(CRLF)
    first, last = delimiter + CRLF, CRLF + delimiter + b"--"
    if not (body.startswith(first) and body.endswith(last)) or len(body) < len(first) + len(last):
        raise MalformedGlobalConf("A multipart of the signed configuration is cut short, or has text around its parts.")
    pieces = body[len(first) : -len(last)].split(CRLF + first)
    if any(delimiter in piece for piece in pieces):
        raise MalformedGlobalConf("A multipart of the signed configuration has its boundary inside a part.")
    return tuple(_with_headers(piece, headers_only=True) for piece in pieces)


def _with_headers(data: bytes, *, headers_only: bool = False) -> RawPart:
    head, blank, body = data.partition(_BLANK_LINE)
    if not blank and not headers_only:
        raise MalformedGlobalConf("The signed configuration does not begin with its headers.")
    return RawPart(_headers(head.removesuffix(CRLF)), body)


def _headers(head: bytes) -> Mapping[str, str]:
    lines = head.split(CRLF)
    if len(lines) > MAX_HEADERS:
        raise MalformedGlobalConf("A part of the signed configuration has too many headers.")
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.match(line.decode("latin-1"))
        if found is None or found[1].lower() in headers:
            raise MalformedGlobalConf("A part of the signed configuration has a broken or repeated header.")
        headers[found[1].lower()] = _utf8(found[2])
    return headers


def _utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedGlobalConf("A header of the signed configuration is not UTF-8.") from error


def _boundary(content_type: str, media_type: str) -> bytes:
    try:
        parsed = parse_content_type(content_type)
    except InvalidContentType as error:
        raise MalformedGlobalConf(f"The signed configuration has no readable content type: {error.detail}") from error
    boundary = parsed.parameters.get("boundary", "")
    if parsed.media_type != media_type or not _BOUNDARY.match(boundary):
        raise MalformedGlobalConf(f"The signed configuration is not {media_type} with a plain boundary.")
    return boundary.encode("ascii")


def join_parts(parts: Iterable[bytes], boundary: str) -> bytes:
    """Put parts (headers, blank line, body) into a multipart body."""
    delimiter = b"--" + boundary.encode("ascii")
    return b"".join(delimiter + CRLF + part + CRLF for part in parts) + delimiter + b"--" + CRLF


def part_of(headers: Sequence[tuple[str, str]], body: bytes | None = None) -> bytes:
    """Write a part; without a body it is headers only, as the directory's first part."""
    lines = b"".join(f"{name}: {value}".encode() + CRLF for name, value in headers)
    return lines if body is None else lines + CRLF + body


def multipart_type(media_type: str, boundary: str) -> str:
    """Write a multipart's content type as X-Road does."""
    return f"{media_type}; charset=UTF-8; boundary={boundary}"
