"""The key of an adapter's events: seals what waits in the tables, and hashes what is looked up there.

It refuses a key file that others can read. Rows hold personal records; whoever has the database alone reads none of
them.
"""

import hmac
import json
import os
import secrets
import zlib
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.errors import ConfigError, EventsError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_OTHERS: Final = 0o077
_OWNER_ONLY: Final = 0o600
_FAST: Final = 1  # zlib: records of one kind shrink to a third, in some 20 microseconds
_write: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MAX_PLAIN: Final = (
    64 * 1024 * 1024
)  # above any message that is taken in: a row that grows beyond it was not written here


class EventsKey:
    """The keys that are derived from one key file."""

    def __init__(self, secret: bytes) -> None:
        self._order = _derive(secret, b"spean events: order")
        self._words = _derive(secret, b"spean events: words")
        self._seal = AESGCM(_derive(secret, b"spean events: seal"))

    def order(self, service: str, record_key: str) -> bytes:
        """Return what keeps the messages about one record in order: 32 bytes that tell nobody whose it is."""
        return _hash(self._order, service, record_key)

    def word(self, *parts: str) -> bytes:
        """Return the hash under which a number, or a name that others chose, is looked up."""
        return _hash(self._words, *parts)

    def seal(self, value: Any) -> bytes:  # noqa: ANN401  # anything that JSON holds
        """Encrypt a JSON value."""
        return self.seal_plain(_write(value).encode())

    def seal_plain(self, plain: bytes) -> bytes:
        """Encrypt a JSON value that is written already."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        packed = zlib.compress(plain, _FAST)
        return nonce + self._seal.encrypt(nonce, packed, None)

    def unseal(self, data: bytes) -> Any:  # noqa: ANN401  # what was sealed
        """Return what :meth:`seal` was given; raises :class:`EventsError` when it was sealed with another key."""
        return json.loads(self.plain(data))

    def plain(self, data: bytes) -> bytes:
        """Return the JSON of what :meth:`seal` was given; raises :class:`EventsError` as :meth:`unseal`."""
        try:
            packed = self._seal.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as error:
            raise EventsError(
                "a row was sealed with another events key: put the key file back that it was written with"
            ) from error
        return zlib.decompressobj().decompress(packed, _MAX_PLAIN)


def load_events_key(path: Path, *, config: str) -> EventsKey:
    """Read a key file that exists; raises :class:`ConfigError`."""
    try:
        mode, secret = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigError(config, "events.key_file", f"{path} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise ConfigError(config, "events.key_file", f"{path} can be read by others: chmod 600 {path}")
    if len(secret) < KEY_BYTES:
        raise ConfigError(config, "events.key_file", f"{path} holds fewer than {KEY_BYTES} bytes: it is no key")
    return EventsKey(secret)


def make_events_key(path: Path) -> None:
    """Write a new random key unless there is one; without the key, what waits in the tables can be read by nobody."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)


def _hash(key: bytes, *parts: str) -> bytes:
    text = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")
