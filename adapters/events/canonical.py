"""One way to write a record, and the digest of it: what two sides compare when they must not show each other records.

It refuses what JSON does not have. RFC 8785: members sorted, no spaces, numbers as ECMAScript writes them.
"""

import hashlib
import json
import re
from typing import Any, Final

import rfc8785

DIGEST_BYTES: Final = 32
NOTHING: Final = bytes(DIGEST_BYTES)  # of a record that is gone
_write: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
# A number with a fraction or exponent, which Python may write otherwise; in a text it costs time and is not wrong.
_UNSURE: Final = re.compile(r"[:\[,]-?\d+[.eE]")


def canonical(value: Any) -> bytes:  # noqa: ANN401  # anything that JSON holds
    """Return the canonical form; records of the standard, whose members are ASCII, are written by the fast library."""
    text = _write(value)
    if _UNSURE.search(text) or "\\u" in text:
        return rfc8785.dumps(value)
    return text.encode()


def digest(value: Any) -> bytes:  # noqa: ANN401  # as above
    """Return SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value)).digest()
