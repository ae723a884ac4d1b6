"""How a body is encrypted at rest: AES-256-GCM in chunks, under a key of its own that comes from the day's data key.

It refuses to know who holds keys. The log seals bodies with it before they reach the database, and the reader opens
them; docs/message-log.md describes the form for those who must open one without this software.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from securityserver.messagelog.leaf import FIELDS, encode

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"spean-log-body-1"
# Known before the body is sealed; the rest of the leaf is about its stored form, and the leaf holds it.
_UNBOUND: Final = FIELDS.index("body_stored_digest")


class BodyDamaged(Exception):  # noqa: N818 - the reader turns it into what an auditor gets
    """A stored body is not what was sealed for its record."""


def context_of(values: Sequence[Any]) -> bytes:
    """Give what binds a sealed body to its record: all that the record's leaf covers, but the sealed bytes.

    So nobody who writes to the database can put one record's body under another.

    Args:
        values: of the record's columns, in the order of `leaf.FIELDS`.
    """
    return context_of_encoded(encode([None if place == _UNBOUND else value for place, value in enumerate(values)]))


def context_of_encoded(encoded: bytes) -> bytes:
    """Give the same of a record whose encoding, without the digest of the sealed bytes, has just been made."""
    return hashlib.sha256(encoded).digest()


class BodySealer:
    """Seals the chunks of one body, in their order.

    Args:
        data_key: the day's.
        context: of the body's record.
    """

    def __init__(self, data_key: bytes, context: bytes) -> None:
        # A chunk's nonce is its number, so no two bodies may share a key: each gets one from a salt of its own.
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._cipher = AESGCM(_body_key(data_key, self._salt))
        self._context = context
        self._digest = hashlib.sha256()

    def seal(self, number: int, chunk: bytes) -> bytes:
        """Give a chunk as it is stored: the first after the salt, each with its tag behind it."""
        sealed = self._cipher.encrypt(_nonce(number), chunk, self._context)
        stored = self._salt + sealed if number == 0 else sealed
        self._digest.update(stored)
        return stored

    def stored_digest(self) -> bytes:
        """Give SHA-256 over all that was stored."""
        return self._digest.digest()


class BodyOpener:
    """Opens the chunks of one body.

    Args:
        data_key: the one that the record names.
        context: of the record.
        first: its first chunk, as stored.
    """

    def __init__(self, data_key: bytes, context: bytes, first: bytes) -> None:
        self._cipher = AESGCM(_body_key(data_key, first[:SALT_BYTES]))
        self._context = context

    def open(self, number: int, stored: bytes) -> bytes:
        """Give a chunk as it was.

        Raises:
            BodyDamaged: it was altered, or belongs to another body or place.
        """
        sealed = stored[SALT_BYTES:] if number == 0 else stored
        try:
            return self._cipher.decrypt(_nonce(number), sealed, self._context)
        except (InvalidTag, ValueError) as error:
            raise BodyDamaged("A stored body was altered.") from error


def _body_key(data_key: bytes, salt: bytes) -> bytes:
    return hmac.digest(data_key, _PURPOSE + salt, "sha256")


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
