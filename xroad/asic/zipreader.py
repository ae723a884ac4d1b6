"""Reads a ZIP so strictly that no two readers can see different files in it: one layout, no gaps, no second names.

It refuses to know what the files mean, and every feature of ZIP that a signed document does not need.
Containers come from whoever wants to be believed; Python's and Java's ZIP readers each forgive other things, so this
one checks central directory, local headers and descriptors against each other before anything is unpacked.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from xroad.asic.errors import Defect, invalid
from xroad.asic.names import COMMENT

MAX_ENTRIES: Final = 600  # a message with 500 attachments; more would only keep a verifier busy
MAX_RATIO: Final = 200  # deflate reaches 1032; text of messages 5 to 30
BOMB_BYTES: Final = 64 * 1024 * 1024  # what compresses better than the ratio is unpacked up to here, and not beyond

STORED: Final = 0
DEFLATED: Final = 8
_CHUNK: Final = 1024 * 1024

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR = struct.Struct("<3I")
_EXTRA = struct.Struct("<2H")
_END_MARK, _CENTRAL_MARK, _LOCAL_MARK = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_DESCRIPTOR_MARK, _ZIP64_LOCATOR_MARK = b"PK\x07\x08", b"PK\x06\x07"
_ZIP64_LOCATOR_SIZE = 20

_HAS_DESCRIPTOR = 0x0008
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # classic, strong, masked headers
# Deflate's level, a descriptor behind the data, names in UTF-8: nothing else changes nothing.
_ALLOWED_FLAGS = 0x0002 | 0x0004 | _HAS_DESCRIPTOR | 0x0800
_ALLOWED_VERSION = 20
# Times and owners, as Java, Info-ZIP and NTFS write them. The ones refused could give a file a second name or size.
_ALLOWED_EXTRA = frozenset({0x5455, 0x7875, 0x5855, 0x7855, 0x000A, 0xCAFE})
_ZIP64_EXTRA = 0x0001
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_TYPE_BITS, _REGULAR, _FOLDER = 0o170000, 0o100000, 0o040000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name, where its packed data is, and what it must be when unpacked."""

    name: str
    method: int
    start: int
    packed: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP whose structure holds; contents are unpacked when asked for, and checked then."""

    data: bytes
    entries: Mapping[str, Entry]

    def content(self, name: str, limit: int) -> bytes:
        """Unpack a small file.

        Raises:
            AsicInvalidContainer: it is larger than the limit, or its data is not what the directory says.
        """
        if self.entries[name].size > limit:
            raise invalid(Defect.TOO_LARGE, f"The file {name} in the container has more than {limit} bytes.")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Unpack a file piece by piece; the last piece comes before the check of the whole, so await the end.

        Raises:
            AsicInvalidContainer: its data is not what the directory says.
        """
        entry = self.entries[name]
        crc, seen = 0, 0
        for chunk in self._unpacked(entry):
            seen += len(chunk)
            if seen > entry.size:
                raise invalid(Defect.CONTENT, f"The file {name} in the container is larger than it says.")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if (seen, crc) != (entry.size, entry.crc):
            raise invalid(Defect.CONTENT, f"The file {name} in the container is damaged: size or checksum differ.")

    def _unpacked(self, entry: Entry) -> Iterator[bytes]:
        packed = memoryview(self.data)[entry.start : entry.start + entry.packed]
        if entry.method == STORED:
            for start in range(0, entry.packed, _CHUNK):
                yield bytes(packed[start : start + _CHUNK])
            return
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for start in range(0, entry.packed, _CHUNK):
                feed = bytes(packed[start : start + _CHUNK])
                while feed:
                    yield unpacker.decompress(feed, _CHUNK)
                    feed = unpacker.unconsumed_tail
            while chunk := unpacker.decompress(b"", _CHUNK):
                yield chunk
        except zlib.error as error:
            raise invalid(Defect.CONTENT, f"The file {entry.name} in the container cannot be unpacked.") from error
        if not unpacker.eof or unpacker.unused_data:  # data behind the compressed stream's end: nobody else sees it
            raise invalid(Defect.CONTENT, f"The file {entry.name} in the container does not end where its data ends.")


class _Central(NamedTuple):
    """A record of the central directory, in the order of its bytes."""

    mark: bytes
    made_by: int
    version: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_size: int
    extra_size: int
    comment_size: int
    disk: int
    internal: int
    external: int
    offset: int


class _Local(NamedTuple):
    """A header in front of a file's data, in the order of its bytes."""

    mark: bytes
    version: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_size: int
    extra_size: int


def open_archive(data: bytes) -> Archive:
    """Check the structure of a ZIP.

    Raises:
        AsicInvalidContainer: with the defect as its suffix.
    """
    directory, count = _find_directory(data)
    records = list(_read_directory(data, directory, count))
    entries = {record.offset: _read_entry(data, record, name, directory.stop) for record, name in records}
    _refuse_gaps(entries, directory.start)
    found = {entry.name: entry for entry, _ in entries.values()}
    _refuse_two_of_a_name([name for _, name in records])
    return Archive(data, MappingProxyType(found))


def _find_directory(data: bytes) -> tuple[slice, int]:
    """Return where the central directory is, and how many records it has."""
    end = _find_end(data)
    _, disk, start_disk, here, count, size, offset, _ = _END.unpack_from(data, end)
    if _FULL16 in {disk, here, count} or _FULL32 in {size, offset} or _has_zip64_locator(data, end):
        raise invalid(Defect.ZIP64, "The container uses ZIP64, with which two readers may see different files.")
    if disk or start_disk or here != count or not 0 < count <= MAX_ENTRIES:
        raise invalid(
            Defect.DIRECTORY, f"The container's directory is in pieces or empty, or has over {MAX_ENTRIES} files."
        )
    if offset + size != end:  # data in front of the archive or behind its directory
        raise invalid(Defect.SURPLUS_DATA, "The container has data in front of its files or around its directory.")
    return slice(offset, end), count


def _find_end(data: bytes) -> int:
    # Only two places are looked at: with a free comment, a second end could hide in it, for other readers to find.
    for comment in (b"", COMMENT):
        end = len(data) - _END.size - len(comment)
        if end >= 0 and data[end : end + 4] == _END_MARK and data[end + _END.size :] == comment:
            if _END.unpack_from(data, end)[-1] != len(comment):
                break
            return end
    end = data.rfind(_END_MARK)
    if end < 0 or end + _END.size > len(data):
        raise invalid(Defect.NOT_ZIP, "The file is not a ZIP, or is cut short.")
    if _END.unpack_from(data, end)[-1] == len(data) - end - _END.size:
        raise invalid(Defect.COMMENT, "The container has a ZIP comment, which no signature covers.")
    raise invalid(Defect.SURPLUS_DATA, "The container has data behind its end.")


def _has_zip64_locator(data: bytes, end: int) -> bool:
    return data[max(end - _ZIP64_LOCATOR_SIZE, 0) :][:4] == _ZIP64_LOCATOR_MARK


def _read_directory(data: bytes, directory: slice, count: int) -> Iterator[tuple[_Central, str]]:
    place = directory.start
    for _ in range(count):
        if place + _CENTRAL.size > directory.stop:
            raise invalid(Defect.DIRECTORY, "The container's directory is cut short.")
        record = _Central(*_CENTRAL.unpack_from(data, place))
        name_at = place + _CENTRAL.size
        extra_at = name_at + record.name_size
        place = extra_at + record.extra_size + record.comment_size
        if record.mark != _CENTRAL_MARK or place > directory.stop:
            raise invalid(Defect.DIRECTORY, "The container's directory is damaged.")
        name = _name(data[name_at:extra_at])
        _check_record(record, name)
        _check_extra(data[extra_at : extra_at + record.extra_size])
        yield record, name
    if place != directory.stop:
        raise invalid(Defect.DIRECTORY, "The container's directory has more files than it counts.")


def _name(raw: bytes) -> str:
    """Read a name; climbing, absolute, hidden or foreign names are refused before anything is done with them."""
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise invalid(Defect.ENTRY_NAME, "A file in the container has a name that is not ASCII.") from error
    pieces = name.removesuffix("/").split("/")
    # A NUL ends the name for some readers, a backslash or colon is a path for others, ".." climbs out of the folder.
    if not name.isprintable() or set('\\:*?"<>|') & set(name) or any(each in {"", ".", ".."} for each in pieces):
        raise invalid(Defect.ENTRY_NAME, f"A file in the container has a dangerous name: {name[:100]!r}.")
    return name


def _check_record(record: _Central, name: str) -> None:
    if record.flags & _ENCRYPTED:
        raise invalid(Defect.ENCRYPTED, f"The file {name} in the container is encrypted.")
    if record.flags & ~_ALLOWED_FLAGS or record.method not in {STORED, DEFLATED} or record.version > _ALLOWED_VERSION:
        raise invalid(Defect.METHOD, f"The file {name} in the container is packed in an unusual way.")
    if _FULL32 in {record.packed, record.size, record.offset} or record.disk == _FULL16:
        raise invalid(Defect.ZIP64, "The container uses ZIP64, with which two readers may see different files.")
    if record.disk:
        raise invalid(Defect.DIRECTORY, f"The file {name} is on another disk than the container.")
    if record.comment_size:
        raise invalid(Defect.COMMENT, f"The file {name} in the container has a comment, which no signature covers.")
    kind = (record.external >> 16) & _TYPE_BITS
    if kind not in {0, _REGULAR} and not (kind == _FOLDER and name.endswith("/")):  # a link leads somewhere else
        raise invalid(Defect.SPECIAL_FILE, f"The entry {name} in the container is a link or another special file.")
    _check_sizes(record, name)


def _check_sizes(record: _Central, name: str) -> None:
    if record.method == STORED and record.packed != record.size:
        raise invalid(Defect.DIRECTORY, f"The file {name} in the container has two sizes.")
    if record.method == STORED and record.flags & _HAS_DESCRIPTOR:  # a reader that streams cannot know where it ends
        raise invalid(Defect.METHOD, f"The file {name} in the container has no end that every reader finds.")
    if record.size > BOMB_BYTES and record.size > MAX_RATIO * record.packed:
        raise invalid(Defect.BOMB, f"The file {name} in the container would grow to {record.size} bytes.")


def _check_extra(extra: bytes) -> None:
    place = 0
    while place + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, place)
        if kind == _ZIP64_EXTRA:
            raise invalid(Defect.ZIP64, "The container uses ZIP64, with which two readers may see different files.")
        if kind not in _ALLOWED_EXTRA:
            raise invalid(Defect.EXTRA_FIELD, "A file in the container has extra fields that only some readers follow.")
        place += _EXTRA.size + size
    if place != len(extra):
        raise invalid(Defect.EXTRA_FIELD, "A file in the container has damaged extra fields.")


def _read_entry(data: bytes, record: _Central, name: str, stop: int) -> tuple[Entry, int]:
    """Return the file and where its bytes end, header and descriptor included, after holding both headers together."""
    if record.offset + _LOCAL.size > stop:
        raise invalid(Defect.LOCAL_HEADER, f"The file {name} is not in the container.")
    local = _Local(*_LOCAL.unpack_from(data, record.offset))
    name_at = record.offset + _LOCAL.size
    start = name_at + local.name_size + local.extra_size
    end = start + record.packed
    same = (local.mark, local.flags, local.method) == (_LOCAL_MARK, record.flags, record.method)
    if not same or data[name_at : name_at + local.name_size] != name.encode() or end > stop:
        raise invalid(Defect.LOCAL_HEADER, f"The file {name} in the container has two headers that differ.")
    _check_extra(data[name_at + local.name_size : start])
    described = (record.crc, record.packed, record.size)
    told = (local.crc, local.packed, local.size)
    if record.flags & _HAS_DESCRIPTOR:
        end = _end_of_descriptor(data, end, described, name)
        told = described if told == (0, 0, 0) else told
    if told != described:
        raise invalid(Defect.LOCAL_HEADER, f"The file {name} in the container has two sizes or checksums.")
    return Entry(name, record.method, start, record.packed, record.size, record.crc), end


def _end_of_descriptor(data: bytes, place: int, described: tuple[int, int, int], name: str) -> int:
    """Return the end of the descriptor, which has a mark or not; it must say what the directory says."""
    marked = place + len(_DESCRIPTOR_MARK) if data[place : place + 4] == _DESCRIPTOR_MARK else place
    for start in {marked, place}:
        if data[start : start + _DESCRIPTOR.size] == _DESCRIPTOR.pack(*described):
            return start + _DESCRIPTOR.size
    raise invalid(Defect.LOCAL_HEADER, f"The file {name} in the container is described differently behind its data.")


def _refuse_gaps(entries: Mapping[int, tuple[Entry, int]], stop: int) -> None:
    """Hold that the files fill the archive from its first byte, each once: nothing hides between, nothing is shared."""
    place = 0
    for offset in sorted(entries):
        if offset < place:  # many names for one piece of data: a bomb that needs no compression ratio
            raise invalid(Defect.OVERLAP, "Two files in the container share their data.")
        if offset > place:
            raise invalid(Defect.SURPLUS_DATA, "The container has data between its files.")
        place = entries[offset][1]
    if place != stop:
        defect = Defect.OVERLAP if place > stop else Defect.SURPLUS_DATA
        raise invalid(defect, "The container has data between its files and its directory.")


def _refuse_two_of_a_name(names: list[str]) -> None:
    # One reader takes the first, another the last; and on some systems message.xml and Message.xml are one file.
    seen = {name.casefold() for name in names}
    if len(seen) != len(names):
        raise invalid(Defect.DUPLICATE_ENTRY, "Two files in the container have the same name.")
