"""Writes a message between two security servers, byte for byte as X-Road frames it, without any I/O.

It refuses to know what the parts say, and trusts its caller for their order: both pipelines write it in one place each.
"""

import secrets
import string
from typing import Final

from xroad.transport import parts

_BOUNDARY_LETTERS: Final = 30
# Each byte's letter; 256 is no multiple of 52, which costs a thirtieth of a bit of more than five.
_LETTER_OF: Final = bytes(string.ascii_letters[byte % 52].encode()[0] for byte in range(256))


def new_boundary() -> str:
    """Make a boundary as X-Road does: `xtop` and 30 random letters, which no body can foresee."""
    return "xtop" + secrets.token_bytes(_BOUNDARY_LETTERS).translate(_LETTER_OF).decode("ascii")


class Encoder:
    """Writes one message; each method returns the bytes to send next. The order of calls is the order of parts."""

    def __init__(self, role: parts.Role, *, boundary: str | None = None) -> None:
        self.boundary = boundary or new_boundary()
        self._head_type = parts.REST_REQUEST if role == "request" else parts.REST_RESPONSE
        self._started = False

    @property
    def content_type(self) -> str:
        """The message's Content-Type header."""
        return f"{parts.MULTIPART}; charset=UTF-8; boundary={self.boundary}"

    def part_begin(self, content_type: str) -> bytes:
        """Begin a part: all that stands before its content."""
        line_break = "\r\n" if self._started else ""
        self._started = True
        return f"{line_break}--{self.boundary}\r\ncontent-type: {content_type}\r\n\r\n".encode("ascii")

    def ocsp(self, response: bytes) -> bytes:
        """Write a DER OCSP response part."""
        return self.part_begin(parts.OCSP) + response

    def rest_head(self, head: bytes) -> bytes:
        """Write the REST head part."""
        return self.part_begin(self._head_type) + head

    def body_begin(self) -> bytes:
        """Begin the body part; the body's bytes follow as they are, in any pieces."""
        return self.part_begin(parts.REST_BODY)

    def hash_chain(self, result: bytes, chain: bytes) -> bytes:
        """Write the two parts of a batch signature's hash chain."""
        return self.part_begin(parts.HASH_CHAIN_RESULT) + result + self.part_begin(parts.HASH_CHAIN) + chain

    def signature(self, document: bytes) -> bytes:
        """Write the signature part."""
        return self.part_begin(parts.SIGNATURE) + document

    def fault(self, fault: bytes) -> bytes:
        """Write a SOAP fault in place of what should follow."""
        return self.part_begin(parts.FAULT) + fault

    def close(self) -> bytes:
        """Write the last boundary."""
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")
