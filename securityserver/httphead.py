"""The heads of HTTP/1.1 as this node writes and reads them on connections that it opened, and nothing around them.

It refuses to know connections and bodies, and reads only what can be read in one way. ``httpclient`` takes heads from
the wire and gives them here.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

# An answer's head; who sends more wants memory.
HEAD_BYTES: Final = 32 * 1024
FIELD_BYTES: Final = 8 * 1024
FIELD_COUNT: Final = 128
OK: Final = 200
SWITCHING: Final = 101

_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: (.*))?\Z")
_FIELD: Final = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$", re.MULTILINE)
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})

Fields = Iterable[tuple[str, str]]


class NotHttp(ValueError):  # noqa: N818  # says what came
    """What came is no HTTP/1.1 answer, or one beyond the limits."""


class AnswerHead(NamedTuple):
    """An answer's head; ``fields`` have names in lower case, and the last of equal names counts."""

    minor_version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    fields: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """The content type, empty when there is none."""
        return self.fields.get("content-type", "")

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the same connection."""
        wish = self.fields.get("connection", "").lower()
        if self.status == SWITCHING:
            return False
        return wish == "keep-alive" if self.minor_version == "0" else "close" not in wish


def request_head(method: str, target: str, fields: Fields) -> bytes:
    """Write a request's head.

    Raises:
        ValueError: what is written has a line break.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    head = "\r\n".join(lines)
    # Whoever wrote a line break into a value would write headers, or a whole request, of its own.
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a header has a line break")
    return head.encode()


def parse_head(raw: bytes) -> AnswerHead:
    """Read an answer's head, its blank line included.

    Raises:
        NotHttp: it is none, or beyond the limits, or tells two lengths of its body.
    """
    text = raw.decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\n")
    first, _, lines = text.partition("\n")
    status = _STATUS_LINE.match(first)
    headers = tuple([(name, value.strip(" \t")) for name, value in _FIELD.findall(lines)])
    count = lines.count("\n") + 1 if lines else 0
    if status is None or len(headers) != count or count > FIELD_COUNT:
        raise NotHttp("its status line or a field is malformed, or it has too many fields")
    if len(lines) > FIELD_BYTES and max(map(len, lines.split("\n"))) > FIELD_BYTES:
        raise NotHttp("a field of its head is too long")
    fields = {name.lower(): value for name, value in headers}
    if len(fields) != count:
        _refuse_two_lengths(headers)
    return AnswerHead(status[1], int(status[2]), status[3] or "", headers, MappingProxyType(fields))


def _refuse_two_lengths(headers: tuple[tuple[str, str], ...]) -> None:
    # Two lengths, and two readers may each take another number of bytes for the body.
    for name in _FRAMING:
        if len({value for key, value in headers if key.lower() == name}) > 1:
            raise NotHttp("it tells two lengths of its body")
