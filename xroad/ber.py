"""Turns BER into DER: some time-stamping authorities write indefinite lengths, which `cryptography` rightly refuses.

It refuses to know types and meanings, and does nothing but lengths and octet strings in pieces; sets keep their order.
Only time-stamp tokens pass here, after DER decoding has failed; the result is decoded and verified like any other.
"""

from typing import Final

MAX_BYTES: Final = 64 * 1024  # tokens are 0.5 to 10 kB
MAX_DEPTH: Final = 30  # a token with certificates nests 12 deep; each level is a recursion

_CONSTRUCTED = 0x20
_HIGH_TAG = 0x1F
_INDEFINITE = 0x80
_OCTET_STRING = 0x04
_END = b"\x00\x00"
_MAX_LENGTH_OCTETS = 4


def to_der(data: bytes) -> bytes:
    """Return the DER form of one BER value.

    Raises:
        ValueError: it is not one BER value, or longer or deeper than tokens are.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("longer than time-stamp tokens are")
    try:
        der, end = _value(data, 0, 0)
    except IndexError as error:
        raise ValueError("cut short") from error
    if end != len(data):
        raise ValueError("more than one value")
    return der


def encode(tag: int, content: bytes) -> bytes:
    """Return a DER value of a low tag number."""
    length = len(content)
    if length < _INDEFINITE:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _INDEFINITE | len(octets))) + octets + content


def _value(data: bytes, start: int, depth: int) -> tuple[bytes, int]:
    tag = data[start]
    if tag & _HIGH_TAG == _HIGH_TAG or depth > MAX_DEPTH:
        raise ValueError("deeper than time-stamp tokens are, or of a tag that they do not have")
    content, end = _length(data, start + 1)
    if not tag & _CONSTRUCTED:
        if end is None or end > len(data):
            raise ValueError("cut short")
        return encode(tag, data[content:end]), end
    children, after = _children(data, content, end, depth)
    if tag == _OCTET_STRING | _CONSTRUCTED:
        return encode(_OCTET_STRING, b"".join(_octets(child) for child in children)), after
    return encode(tag, b"".join(children)), after


def _children(data: bytes, start: int, end: int | None, depth: int) -> tuple[list[bytes], int]:
    children: list[bytes] = []
    position = start
    while position != end:
        if end is None and data[position : position + 2] == _END:
            return children, position + 2
        child, position = _value(data, position, depth + 1)
        children.append(child)
        if end is not None and position > end:
            raise ValueError("a value reaches beyond the one around it")
    return children, position


def _length(data: bytes, start: int) -> tuple[int, int | None]:
    """Return where the content starts and ends; no end when it is marked by end-of-contents octets."""
    first = data[start]
    if first < _INDEFINITE:
        return start + 1, start + 1 + first
    if first == _INDEFINITE:
        return start + 1, None
    count = first & 0x7F
    if count > _MAX_LENGTH_OCTETS:
        raise ValueError("longer than time-stamp tokens are")
    content = start + 1 + count
    return content, content + int.from_bytes(data[start + 1 : content], "big")


def _octets(child: bytes) -> bytes:
    """Return the content of one piece, which is DER by now."""
    if child[0] != _OCTET_STRING:
        raise ValueError("an octet string has pieces that are none")
    content, end = _length(child, 1)
    return child[content:end]
