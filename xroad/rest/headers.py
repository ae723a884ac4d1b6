"""Headers of the REST message protocol: their names, which of them cross the bus, and how they stand in a signed head.

It refuses to know targets, verbs and status codes.
What an institution's programme or service sends passes through here before it is signed; so does what a peer signed.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from xroad.errors import DuplicateHeaderField, InvalidRequest, InvalidRest, XRoadError

CLIENT: Final = "x-road-client"
SERVICE: Final = "x-road-service"
QUERY_ID: Final = "x-road-id"
REQUEST_ID: Final = "x-road-request-id"
REQUEST_HASH: Final = "x-road-request-hash"
USER_ID: Final = "x-road-userid"
ISSUE: Final = "x-road-issue"
SECURITY_SERVER: Final = "x-road-security-server"
REPRESENTED_PARTY: Final = "x-road-represented-party"
ERROR: Final = "x-road-error"

# A head is signed, logged and held in memory on four occasions: far above what programmes send, far below what hurts.
MAX_HEADERS: Final = 128
MAX_HEAD_BYTES: Final = 64 * 1024
_OWN_HEADERS: Final = 8  # room for those that a security server adds

# PR-REST 4.3 "Filtered headers": they belong to one hop, or tell the name of a host. A signed head that has one of them
# is refused, as by the reference.
FILTERED: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
# What clients that take the security server for their proxy add; no one passes it on.
_DROPPED: Final = FILTERED | {"proxy-connection"}
_NONE: Final[frozenset[str]] = frozenset()
# Headers that name parties or messages: two of them, and two readers may each believe another one.
_AT_MOST_ONCE: Final = frozenset(
    {
        CLIENT,
        SERVICE,
        QUERY_ID,
        REQUEST_ID,
        REQUEST_HASH,
        USER_ID,
        ISSUE,
        SECURITY_SERVER,
        REPRESENTED_PARTY,
    }
)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_X_ROAD = "x-road-"
_LINES_BEFORE_HEADERS: Final = 2

Header = tuple[str, str]
Headers = tuple[Header, ...]


def find(headers: Iterable[Header], name: str) -> str | None:
    """Return the first value of a header whose name is given in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def filtered(headers: Sequence[Header], own: frozenset[str]) -> list[Header]:
    """Return the headers that cross the bus, in their order: not those of one hop, and not `own`, which are set anew.

    Raises:
        InvalidRequest: a header's name or value could break the head into other lines, or there are too many.
        DuplicateHeaderField: a header that names a party or a message came twice.
    """
    if len(headers) > MAX_HEADERS:
        raise InvalidRequest(f"There are more than {MAX_HEADERS} headers; send fewer.")
    dropped = _DROPPED | own | _named_by_connection(headers)
    crossing = [header for header in headers if header[0].lower() not in dropped]
    kept = [(name, value if value.isascii() else as_text(value)) for name, value in crossing]
    # A line break in a value would let a programme write headers of its own into the signed head.
    if not all(_may_cross(name) for name, _ in kept) or _CONTROL.search("".join([value for _, value in kept])):
        raise InvalidRequest("A header has a forbidden character in its name or value; remove it.")
    _refuse_duplicates(kept, DuplicateHeaderField)
    return kept


def _named_by_connection(headers: Sequence[Header]) -> frozenset[str]:
    # RFC 9110 section 7.6.1. X-Road's own headers are never of one hop, whatever Connection says.
    named = {name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")}
    if not named:
        return _NONE
    return frozenset(name for name in named if not name.startswith(_X_ROAD))


def as_text(value: str) -> str:
    """Turn a header value into text that UTF-8 can carry.

    HTTP servers give bytes that are not UTF-8 as lone surrogates; such a value is read as ISO 8859-1, byte by byte.
    """
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _refuse_duplicates(headers: Iterable[Header], kind: type[XRoadError]) -> None:
    names = [name.lower() for name, _ in headers]
    if len(set(names)) == len(names):
        return
    twice = sorted(name for name in _AT_MOST_ONCE if names.count(name) > 1)
    if twice:
        raise kind(f"The header {twice[0]} came more than once; send it once.")


def write_head(first: str, second: str, headers: Iterable[Header]) -> bytes:
    """Write the head part: two lines, then `name:value` lines, each ended by CRLF, in UTF-8 (as the reference does).

    Raises:
        InvalidRequest: the head is over its limit.
    """
    lines = [first, second, *(f"{name}:{value}" for name, value in headers), ""]
    head = "\r\n".join(lines).encode("utf-8")
    if len(head) > MAX_HEAD_BYTES:
        raise InvalidRequest(f"The headers are over the limit of {MAX_HEAD_BYTES} bytes; send large data in the body.")
    return head


def read_head(head: bytes) -> tuple[str, str, Headers]:
    """Read what `write_head` writes.

    Raises:
        InvalidRest: it is over its limit, not UTF-8, has other line ends or control characters, or a header that must
            not be there.
    """
    if len(head) > MAX_HEAD_BYTES:
        raise InvalidRest(f"A REST message part is over the limit of {MAX_HEAD_BYTES} bytes; send shorter headers.")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRest("A REST message part is not UTF-8; send it as UTF-8.") from error
    # The reference's reader takes a bare CR or LF for a line end too; nobody may write lines that only one of us sees.
    lines = text.removesuffix("\r\n").split("\r\n")
    if len(lines) < _LINES_BEFORE_HEADERS or _CONTROL.search("".join(lines)):
        raise InvalidRest("A REST message part has a bare line break, a control character, or too few lines.")
    headers = tuple(_read_line(line) for line in lines[_LINES_BEFORE_HEADERS:])
    if len(headers) > MAX_HEADERS + _OWN_HEADERS:
        raise InvalidRest(f"A REST message part has more than {MAX_HEADERS + _OWN_HEADERS} headers; send fewer.")
    _refuse_duplicates(headers, InvalidRest)
    return lines[0], lines[1], headers


@lru_cache(maxsize=4096)  # names are few, and come in every message
def _may_cross(name: str) -> bool:
    return _NAME.match(name) is not None and name.lower() not in FILTERED


def _read_line(line: str) -> Header:
    name, colon, value = line.partition(":")
    if not colon or not _may_cross(name):
        raise InvalidRest(
            "A REST message part has a malformed header, or one that must not cross the bus; leave it out."
        )
    return name, value
