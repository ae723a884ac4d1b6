"""The key of an adapter's events: seals what waits in the tables, and hashes what is looked up there.

It refuses a key file that others can read. Rows hold personal records; whoever has the database alone reads none of
them.
"""

import json
import secrets
import zlib
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.errors import EventsError
from adapters.secretkeys import KeyedHash, derive, read_key

_NONCE_BYTES: Final = 12
_FAST: Final = 1  # zlib: records of one kind shrink to a third, in some 20 microseconds
_SHORT: Final = 512  # bytes: of fewer, shrinking saves little and costs more than all else of sealing
_SMALL: Final = 4096  # bytes: a window of 12 bits
_SHRUNK: Final = (b"x", b"H")  # what zlib begins with, for either window, and no JSON does
# What comes here was parsed from JSON or is made of rows: nothing in it holds itself.
_write: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
# Above any message that is taken in: a row that grows beyond it was not written here.
_MAX_PLAIN: Final = 64 * 1024 * 1024


class EventsKey:
    """The keys that are derived from one key file."""

    def __init__(self, secret: bytes) -> None:
        self._order = KeyedHash(derive(secret, b"spean events: order"))
        self._words = KeyedHash(derive(secret, b"spean events: words"))
        self._seal = AESGCM(derive(secret, b"spean events: seal"))

    def order(self, service: str, record_key: str) -> bytes:
        """Return what keeps the messages about one record in order: 32 bytes that tell nobody whose it is."""
        return self._order(service, record_key)

    def word(self, *parts: str) -> bytes:
        """Return the hash under which a number, or a name that others chose, is looked up."""
        return self._words(*parts)

    def seal(self, value: Any) -> bytes:  # noqa: ANN401  # anything that JSON holds
        """Encrypt a JSON value."""
        return self.seal_plain(_write(value).encode())

    def seal_plain(self, plain: bytes) -> bytes:
        """Encrypt a JSON value that is written already."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, _packed(plain), None)

    def unseal(self, data: bytes) -> Any:  # noqa: ANN401  # what was sealed
        """Return what :meth:`seal` was given; raises :class:`EventsError` when it was sealed with another key."""
        return json.loads(self.plain(data).decode())  # of bytes, it would first look for other encodings

    def plain(self, data: bytes) -> bytes:
        """Return the JSON of what :meth:`seal` was given; raises :class:`EventsError` as :meth:`unseal`."""
        try:
            packed = self._seal.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as error:
            raise EventsError(
                "a row was sealed with another events key: put the key file back that it was written with"
            ) from error
        return zlib.decompressobj().decompress(packed, _MAX_PLAIN) if packed.startswith(_SHRUNK) else packed


def _packed(plain: bytes) -> bytes:
    """Shrink what is not short; one record with tables of its size and the code that the format has ready, fast."""
    if len(plain) < _SHORT:
        return plain
    if len(plain) > _SMALL:
        return zlib.compress(plain, _FAST)
    shrinking = zlib.compressobj(_FAST, zlib.DEFLATED, wbits=12, memLevel=5, strategy=zlib.Z_FIXED)
    return shrinking.compress(plain) + shrinking.flush()


def load_events_key(path: Path, *, config: str) -> EventsKey:
    """Read a key file that exists; raises :class:`ConfigError`."""
    return EventsKey(read_key(path, config=config, key="events.key_file"))
