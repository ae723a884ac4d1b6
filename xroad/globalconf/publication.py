"""A directory of a configuration source as it is published: built here, signed elsewhere, put together here.

It refuses to hold keys: what is to be signed goes out as octets, and the signature comes back as octets.
The central server publishes with it (PR-GCONF 2.3 and 2.4); `xroad.globalconf.directory` reads the result.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from xroad.algorithms import SHA512, SignatureAlgorithm
from xroad.globalconf.multipart import join_parts, multipart_type, part_of

_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part to publish: what it is, where its content will be, and the content."""

    content_identifier: str
    location: str
    content: bytes
    file_name_hint: str | None = None


@dataclass(frozen=True, slots=True)
class UnsignedDirectory:
    """A directory that waits for its signature over ``data_to_sign``."""

    data_to_sign: bytes
    boundary: str

    def complete(self, signature: bytes, algorithm: SignatureAlgorithm, certificate: bytes) -> bytes:
        """Put directory and signature together.

        Args:
            signature: over ``data_to_sign``; ECDSA values are DER, as X-Road writes them here.
            algorithm: the one the signature was made with.
            certificate: the signing certificate (DER), as the anchor has it.
        """
        directory = part_of([("Content-Type", multipart_type("multipart/mixed", self.boundary))], self.data_to_sign)
        certificate_hash = base64.b64encode(SHA512.digest(certificate)).decode("ascii")
        headers = [
            ("Content-Type", _OCTETS),
            ("Content-Transfer-Encoding", "base64"),
            ("Signature-Algorithm-Id", algorithm.uri),
            ("Verification-certificate-hash", f'{certificate_hash}; hash-algorithm-id="{SHA512.uri}"'),
        ]
        boundary = _boundary_for(directory + signature)
        body = join_parts([directory, part_of(headers, base64.b64encode(signature))], boundary)
        return part_of([("Content-Type", multipart_type("multipart/related", boundary))], body)


def build_directory(
    parts: Sequence[NewPart], *, instance: str, version: int, expires_at: datetime
) -> UnsignedDirectory:
    """Build the directory of these parts, ready to be signed; digests are SHA-512 as the central server's default."""
    expiry = f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    lines = [part_of([("Expire-date", expiry), ("Version", str(version))])]
    lines += [_part_lines(part, instance) for part in parts]
    boundary = _boundary_for(b"".join(lines))
    return UnsignedDirectory(join_parts(lines, boundary), boundary)


def _part_lines(part: NewPart, instance: str) -> bytes:
    headers = [
        ("Content-type", _OCTETS),
        ("Content-transfer-encoding", "base64"),
        ("Content-identifier", f"{part.content_identifier}; instance='{instance}'"),
        ("Content-location", part.location),
        ("Hash-algorithm-id", SHA512.uri),
    ]
    if part.file_name_hint is not None:
        headers.append(("Content-file-name", part.file_name_hint))
    return part_of(headers, base64.b64encode(SHA512.digest(part.content)))


def _boundary_for(content: bytes) -> str:
    """A boundary that the content cannot hold: it would have to contain its own hash."""
    return hashlib.sha256(content).hexdigest()[:40]
