"""What of a record its leaf in the Merkle tree covers, byte by byte; docs/message-log.md shows it to auditors.

It refuses to know the tree. The log makes a leaf when it takes a record; `check` and a proof make it again from what is
stored, so every column that never changes must be in it.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

from xroad.merkle import leaf_hash

VERSION: Final = b"spean-log-record-1"
_ABSENT: Final = 0xFFFFFFFF
_WRITE: Final[Mapping[type, Callable[[Any], bytes]]] = {
    str: str.encode,
    int: struct.Struct(">q").pack,
    bytes: bytes,
    memoryview: bytes,
}

FIELDS: Final = (
    "discriminator",
    "time",
    "query_id",
    "request_id",
    "response",
    "client_side",
    "instance",
    "member_class",
    "member_code",
    "subsystem_code",
    "service_instance",
    "service_member_class",
    "service_member_code",
    "service_subsystem_code",
    "service_code",
    "service_version",
    "user_id",
    "issue",
    "head",
    "body_size",
    "body_digest",
    "signature",
    "hash_chain",
    "hash_chain_result",
    "body_form",
    "body_key_id",
    "body_stored_digest",
)
"""The columns, in the order of the encoding."""

values_of: Callable[[Mapping[str, Any]], Sequence[Any]] = itemgetter(*FIELDS)
"""Gives the values of a row that has its columns by name."""

# Stand in the leaf as their SHA-512 digests, so that a proof is small and can be shown without them.
_SIGNATURE: Final = FIELDS.index("signature")
_DIGESTED: Final = tuple(FIELDS.index(name) for name in ("head", "hash_chain", "hash_chain_result"))
# Where the length of the last field stands, which is `body_stored_digest`; see `completed`.
_LAST_LENGTH: Final = slice(len(VERSION) + 4 * (len(FIELDS) - 1), len(VERSION) + 4 * len(FIELDS))


def leaf_of(values: Sequence[Any], signature_digest: bytes | None = None) -> bytes:
    """Give the hash of a record's leaf.

    Args:
        values: of the columns, in the order of `FIELDS`.
        signature_digest: SHA-512 of the signature, when the caller has just made it.
    """
    return leaf_hash(encode(values, signature_digest))


def encode(values: Sequence[Any], signature_digest: bytes | None = None) -> bytes:
    """Write the version, the values' lengths (4 bytes each, big-endian; the greatest is: absent), then the values.

    Text is UTF-8, a number 8 bytes (big-endian), bytes are as they are or their digest.
    """
    written = [None if value is None else _WRITE[type(value)](value) for value in values]
    written[_SIGNATURE] = signature_digest or hashlib.sha512(values[_SIGNATURE]).digest()
    for place in _DIGESTED:
        if written[place] is not None:
            written[place] = hashlib.sha512(values[place]).digest()
    lengths = [_ABSENT if value is None else len(value) for value in written]
    return b"".join([VERSION, _lengths(len(lengths))(*lengths), *filter(None, written)])


def completed(encoded: bytes, stored_digest: bytes) -> bytes:
    """Give what `encode` gives once `body_stored_digest` is known, out of what it gave without.

    Args:
        encoded: of values of which the last is absent.
        stored_digest: SHA-256 over the encrypted body.
    """
    length = len(stored_digest).to_bytes(4, "big")
    return b"".join([encoded[: _LAST_LENGTH.start], length, encoded[_LAST_LENGTH.stop :], stored_digest])


@cache
def _lengths(count: int) -> Callable[..., bytes]:
    return struct.Struct(f">{count}I").pack
