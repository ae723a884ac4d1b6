"""Writes a ZIP piece by piece, the same bytes for the same files, in the one layout that `zipreader` accepts.

It refuses to know what the files mean, and where the bytes go: it returns them, so that large bodies stream through.
"""

import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from xroad.asic.names import COMMENT

DEFLATED: Final = 8
MAX_OFFSET: Final = 0xFFFFFFFE  # beyond it ZIP64 begins, which containers do not use

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR = struct.Struct("<4s3I")
_VERSION, _HAS_DESCRIPTOR = 20, 0x0008
_FIRST_YEAR = 1980


class ContainerTooLarge(ValueError):  # noqa: N818  # as BodyTooLarge
    """The files do not fit in a ZIP without ZIP64: 4 GiB."""


@dataclass(slots=True)
class _Member:
    name: bytes
    flags: int
    method: int
    offset: int
    crc: int = 0
    packed: int = 0
    size: int = 0


@dataclass(slots=True)
class ZipWriter:
    """Turns files into the bytes of a ZIP.

    Args:
        at: the modification time of all files, aware UTC.
        comment: the archive's comment; X-Road's for a container, none for other archives.
    """

    at: datetime
    comment: bytes = COMMENT
    _members: list[_Member] = field(default_factory=list)
    _written: int = 0
    _packer: "zlib._Compress | None" = None

    def file(self, name: str, data: bytes, *, stored: bool = False) -> bytes:
        """Return the bytes of a whole file."""
        packed = data if stored else _deflated(data)
        member = _Member(name.encode(), 0, 0 if stored else DEFLATED, self._written)
        member.crc, member.packed, member.size = zlib.crc32(data), len(packed), len(data)
        return self._add(member, packed)

    def begin(self, name: str) -> bytes:
        """Return the header of a file whose content follows in chunks; its sizes are told behind it."""
        self._packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return self._add(_Member(name.encode(), _HAS_DESCRIPTOR, DEFLATED, self._written), b"")

    def chunk(self, data: bytes) -> bytes:
        """Return what comes out for a chunk; often nothing yet."""
        member, packed = self._members[-1], self._open().compress(data)
        member.crc, member.size = zlib.crc32(data, member.crc), member.size + len(data)
        return self._packed(member, packed)

    def end(self) -> bytes:
        """Return the rest of the file that was begun."""
        member = self._members[-1]
        rest = self._packed(member, self._open().flush())
        self._packer = None
        return rest + self._count(_DESCRIPTOR.pack(b"PK\x07\x08", member.crc, member.packed, member.size))

    def finish(self) -> bytes:
        """Return the directory, after which the archive is whole."""
        start = self._written
        directory = b"".join(self._record(member) for member in self._members)
        count = len(self._members)
        head = (b"PK\x05\x06", 0, 0, count, count, len(directory), start, len(self.comment))
        return self._count(directory) + _END.pack(*head) + self.comment

    def _open(self) -> "zlib._Compress":
        if self._packer is None:
            raise ValueError("begin a file first")
        return self._packer

    def _packed(self, member: _Member, packed: bytes) -> bytes:
        member.packed += len(packed)
        if max(member.packed, member.size) > MAX_OFFSET:
            raise ContainerTooLarge
        return self._count(packed)

    def _add(self, member: _Member, packed: bytes) -> bytes:
        self._members.append(member)
        sizes = (member.crc, member.packed, member.size)
        head = (b"PK\x03\x04", _VERSION, member.flags, member.method, *self._time(), *sizes, len(member.name), 0)
        return self._count(_LOCAL.pack(*head) + member.name + packed)

    def _record(self, member: _Member) -> bytes:
        sizes = (member.crc, member.packed, member.size)
        head = (b"PK\x01\x02", _VERSION, _VERSION, member.flags, member.method, *self._time(), *sizes)
        return _CENTRAL.pack(*head, len(member.name), 0, 0, 0, 0, 0, member.offset) + member.name

    def _count(self, data: bytes) -> bytes:
        self._written += len(data)
        if self._written > MAX_OFFSET:
            raise ContainerTooLarge
        return data

    def _time(self) -> tuple[int, int]:
        at = self.at.astimezone(UTC)
        clock = at.hour << 11 | at.minute << 5 | at.second // 2
        return clock, max(at.year - _FIRST_YEAR, 0) << 9 | at.month << 5 | at.day


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
