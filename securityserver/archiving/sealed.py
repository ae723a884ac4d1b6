"""The form of an encrypted body beside its container: one line of JSON, then the bytes as the message log kept them.

It refuses to know archives. The archiver writes it with public knowledge only; whoever has a private key of the log, or
an auditor's own, opens it long after the database is gone.
"""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from securityserver.archiving.errors import ArchiveRefused
from securityserver.messagelog.body import CHUNK_SIZE
from securityserver.messagelog.bodycipher import SALT_BYTES, BodyDamaged, BodyOpener, context_of
from securityserver.messagelog.keys import BodyKeys, LogKeyUnusable
from securityserver.messagelog.leaf import FIELDS

FORM: Final = "spean-sealed-body-1"
_TAG_BYTES: Final = 16
# A day's key is wrapped for the log's key and some auditors' keys, each in some hundred bytes.
_MAX_HEADER: Final = 256 * 1024
# A body below the limit for memory is one chunk; nobody sets that limit higher than this.
_MAX_CHUNK: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed to open a body, besides a private key.

    Args:
        wrapped: the data key, wrapped, as the log keeps it.
        context: what binds the body to its record (32 bytes).
        chunk: size of each chunk but the last, before it was sealed.
        size: of the body.
        digest: SHA-512 of the body; the signature covers it too.
        stored: SHA-256 of the sealed bytes.
    """

    wrapped: str
    context: bytes
    chunk: int
    size: int
    digest: bytes
    stored: bytes


def header_line(row: Mapping[str, Any], wrapped: str) -> bytes:
    """Write the first line.

    Args:
        row: the record's columns.
        wrapped: its day's key, as `log_key` has it.
    """
    header = {
        "form": FORM,
        "wrapped": json.loads(wrapped),
        "context": _text(context_of([row[name] for name in FIELDS])),
        "chunk": CHUNK_SIZE if row["body_id"] is not None else row["body_size"],
        "size": row["body_size"],
        "digest": _text(row["body_digest"]),
        "stored": _text(row["body_stored_digest"]),
    }
    return json.dumps(header, sort_keys=True).encode() + b"\n"


def read_header(source: BinaryIO) -> Header:
    """Read the first line.

    Raises:
        ArchiveRefused: it is none of this form.
    """
    try:
        found = json.loads(source.readline(_MAX_HEADER))
        context, digest, stored = (b64decode(found[name], validate=True) for name in ("context", "digest", "stored"))
        header = Header(json.dumps(found["wrapped"]), context, int(found["chunk"]), int(found["size"]), digest, stored)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArchiveRefused("its first line does not say how it is encrypted") from error
    if found.get("form") != FORM or not 0 < header.chunk <= _MAX_CHUNK or header.size <= 0:
        raise ArchiveRefused("its first line is of another form than this software reads")
    return header


def check(source: BinaryIO) -> None:
    """Read a sealed body whole, without a key.

    Raises:
        ArchiveRefused: it is not the one that its first line describes.
    """
    header, digest = read_header(source), hashlib.sha256()
    while piece := source.read(CHUNK_SIZE):
        digest.update(piece)
    if not hmac.compare_digest(digest.digest(), header.stored):
        raise ArchiveRefused("its bytes are not those that were sealed")


def opened(source: BinaryIO, keys: BodyKeys) -> Iterator[bytes]:
    """Give the body in chunks; the last one comes only when all of it is what was logged.

    Raises:
        ArchiveRefused: no key here opens it, or it was altered.
    """
    header = read_header(source)
    try:
        data_key = keys.unwrap(header.wrapped)
        if data_key is None:
            raise ArchiveRefused("it is encrypted for other keys than the one given")
        yield from _chunks(source, header, data_key)
    except (BodyDamaged, LogKeyUnusable) as error:
        raise ArchiveRefused(str(error)) from error


def _chunks(source: BinaryIO, header: Header, data_key: bytes) -> Iterator[bytes]:
    opener, digest, left, number = None, hashlib.sha512(), header.size, 0
    while left > 0:
        plain = min(header.chunk, left)
        stored = source.read(plain + _TAG_BYTES + (SALT_BYTES if number == 0 else 0))
        opener = opener or BodyOpener(data_key, header.context, stored)
        piece = opener.open(number, stored)
        digest.update(piece)
        left, number = left - len(piece), number + 1
        if len(piece) != plain or (left == 0 and not hmac.compare_digest(digest.digest(), header.digest)):
            raise ArchiveRefused("it is not the body that was logged")
        yield piece


def _text(data: bytes) -> str:
    return b64encode(data).decode()
