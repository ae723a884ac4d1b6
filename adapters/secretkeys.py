"""Files that hold one random key of an adapter, and the keys that are derived from it, one for each use.

It refuses a file that others can read or that is too short to be a key. The access record and the events each have one.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.errors import ConfigError

KEY_BYTES: Final = 32
_OTHERS: Final = 0o077
_OWNER_ONLY: Final = 0o600


def read_key(path: Path, *, config: str, key: str) -> bytes:
    """Read a key file that exists; raises :class:`ConfigError`, which names the ``key`` of the file ``config``."""
    try:
        mode, secret = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigError(config, key, f"{path} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        # Who has the key can try all card numbers against hashes, and read what is sealed.
        raise ConfigError(config, key, f"{path} can be read by others: chmod 600 {path}")
    if len(secret) < KEY_BYTES:
        raise ConfigError(config, key, f"{path} holds fewer than {KEY_BYTES} bytes: it is no key")
    return secret


def make_key(path: Path) -> None:
    """Write a new random key unless there is one; without the key, what was written with it is read no more."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))


def derive(secret: bytes, purpose: bytes) -> bytes:
    """Return the key for one use: what is learnt of it tells nothing of the others."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)


class KeyedHash:
    """HMAC-SHA256 (RFC 2104) under one key, which is taken in once: a first load makes some hashes per record."""

    __slots__ = ("_begun",)

    def __init__(self, key: bytes) -> None:
        self._begun = HMAC(key, SHA256())

    def __call__(self, *parts: str) -> bytes:
        """Hash parts, joined by NUL and with their lengths: no two lists look alike."""
        text = "\0".join([f"{len(part)}:{part}" for part in parts])
        hashing = self._begun.copy()
        hashing.update(text.encode("utf-8", "surrogatepass"))
        return hashing.finalize()
