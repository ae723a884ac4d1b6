"""The key of the access record: hashes persons for it, and seals the words of callers.

It refuses a key file that others can read, and to use one key for two things: what it hashes and what it seals is
kept apart by keys derived from the one in the file. The store and the report use it.
"""

import hmac
import os
import secrets
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.errors import ConfigError
from adapters.subjects import PersonId

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_OTHERS: Final = 0o077
_OWNER_ONLY: Final = 0o600


class AccessKey:
    """The keys that are derived from one key file."""

    def __init__(self, secret: bytes) -> None:
        self._persons = _derive(secret, b"spean access record: persons")
        self._words = _derive(secret, b"spean access record: words")
        self._seal = AESGCM(_derive(secret, b"spean access record: seal"))

    def person(self, identifier: PersonId) -> bytes:
        """Return the hash under which a person stands; space around the value does not count."""
        return _hash(self._persons, identifier.kind, identifier.value.strip())

    def word(self, *parts: str) -> bytes:
        """Return the hash of an identifier that a caller chose."""
        return _hash(self._words, *parts)

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
        try:
            mode = path.stat().st_mode
            secret = path.read_bytes()
        except OSError as error:
            raise ConfigError(config, "access_key_file", f"{path} cannot be read: {error.strerror}") from error
        if mode & _OTHERS:
            # Who has the key can try all card numbers against the hashes.
            raise ConfigError(config, "access_key_file", f"{path} can be read by others: chmod 600 {path}")
        if len(secret) < KEY_BYTES:
            raise ConfigError(config, "access_key_file", f"{path} holds fewer than {KEY_BYTES} bytes: it is no key")
        return cls(secret)


def load_key(path: Path, *, config: str) -> AccessKey:
    """Read a key file that exists; raises :class:`ConfigError`."""
    return AccessKey.from_file(path, config=config)


def make_key(path: Path) -> None:
    """Write a new random key unless there is one; without the key, what was written with it is found no more."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)


def _hash(key: bytes, *parts: str) -> bytes:
    """Parts are joined by NUL, which JSON strings of the contract's identifiers never need: no two lists look alike."""
    text = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")
