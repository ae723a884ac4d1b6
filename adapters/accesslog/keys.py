"""The key of the access record: hashes persons for it, and seals the words of callers.

It refuses a key file that others can read, and to use one key for two things: what it hashes and what it seals is
kept apart by keys derived from the one in the file. The store and the report use it.
"""

import secrets
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.secretkeys import KeyedHash, derive, read_key
from adapters.subjects import PersonId

_NONCE_BYTES: Final = 12


class AccessKey:
    """The keys that are derived from one key file."""

    def __init__(self, secret: bytes) -> None:
        self._persons = KeyedHash(derive(secret, b"spean access record: persons"))
        self._words = KeyedHash(derive(secret, b"spean access record: words"))
        self._seal = AESGCM(derive(secret, b"spean access record: seal"))

    def person(self, identifier: PersonId) -> bytes:
        """Return the hash under which a person stands; space around the value does not count."""
        return self._persons(identifier.kind, identifier.value.strip())

    def word(self, *parts: str) -> bytes:
        """Return the hash of an identifier that a caller chose."""
        return self._words(*parts)

    def seal(self, data: bytes) -> bytes:
        """Encrypt what a caller chose freely: a card number may stand in it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, data, None)

    def unseal(self, data: bytes) -> bytes | None:
        """Return what :meth:`seal` was given; None when it was sealed with another key."""
        try:
            return self._seal.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            return None

    @classmethod
    def from_file(cls, path: Path, *, config: str) -> Self:
        """Read a key file; raises :class:`ConfigError`."""
        return cls(read_key(path, config=config, key="access_key_file"))


def load_key(path: Path, *, config: str) -> AccessKey:
    """Read a key file that exists; raises :class:`ConfigError`."""
    return AccessKey.from_file(path, config=config)
