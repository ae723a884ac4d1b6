"""One way to write a record, and the digest of it: what two sides compare when they must not show each other records.

It refuses what JSON does not have. RFC 8785: members sorted, no spaces, numbers as ECMAScript writes them.
"""

import hashlib
import json
import re
from typing import Any, Final

import rfc8785
from jsonschema_rs.canonical.json import to_string

DIGEST_BYTES: Final = 32
NOTHING: Final = bytes(DIGEST_BYTES)  # of a record that is gone
_write: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
# A number with a fraction or exponent, which Python may write otherwise; in a text it costs time and is not wrong.
_UNSURE: Final = re.compile(r"(?:^|[:\[,])-?\d+[.eE]")
# Any number, or null, which the fastest writer also makes of what is no number: alone, as a member, in a list. Each
# expression begins with what is found fast; one for all takes ten times as long as they do together.
_ALONE: Final = re.compile(rb"[-0-9n]").match
_MEMBER, _FIRST, _NEXT = (re.compile(each).search for each in (rb'":[-0-9n]', rb"\[[-0-9n]", rb",[-0-9n]"))


def canonical(value: Any) -> bytes:  # noqa: ANN401  # anything that JSON holds
    """Return the canonical form; records of the standard, whose members are ASCII, are written by the fast libraries.

    Raises :class:`ValueError` for what JSON does not have.
    """
    text = written(value)
    return _with_numbers(value) if _MEMBER(text) or _FIRST(text) or _NEXT(text) or _ALONE(text) else text


def written(value: Any) -> bytes:  # noqa: ANN401  # as above
    """Write what was judged already, a fifth as costly as the standard library: members sorted, no spaces.

    Raises :class:`ValueError` for what JSON does not have.
    """
    return to_string(value).encode()


def _with_numbers(value: Any) -> bytes:  # noqa: ANN401  # as above
    text = _write(value)
    if _UNSURE.search(text) or "\\u" in text:
        return rfc8785.dumps(value)
    return text.encode()


def digest(value: Any) -> bytes:  # noqa: ANN401  # as above
    """Return SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value)).digest()
