"""Hostile ZIPs, one trick a row: what two readers could read differently is refused, under the name of the trick."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from tests.support import containers as c
from tests.support.containers import AT, COMMENT, central_records, files_of, patched, repacked, sample
from xroad import asic
from xroad.asic import Outcome, zipreader
from xroad.asic.errors import AsicInvalidContainer

Files = dict[str, bytes]
ZIP, SIGNATURE = "AsicInvalidContainer", "META-INF/signatures.xml"


def put(name: str, content: bytes) -> Callable[[Files], object]:
    return lambda files: files.update({name: content})


def field(name: str, offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Patch a field of a file's record in the central directory."""

    def change(data: bytes) -> bytes:
        place = next(each for each in central_records(data) if data[each + 46 :].startswith(name.encode()))
        return patched(data, place + offset, new)

    return change


def local(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Patch a field of the header in front of the first file."""
    return lambda data: patched(data, offset, new)


def end(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: patched(data, data.rfind(b"PK\x05\x06") + offset, new)


def duplicated(name: str, twin: str | None = None) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in files_of(data).items():
                archive.writestr(each, content)
            with pytest.warns(UserWarning, match="Duplicate") if twin is None else nullcontext():
                archive.writestr(twin or name, b"another")
            archive.comment = COMMENT
        return target.getvalue()

    return change


def added(name: str, content: bytes = b"x", **changes: int | bytes) -> Callable[[bytes], bytes]:
    """Add a file that a good ZIP programme would not."""

    def change(data: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, old in files_of(data).items():
                archive.writestr(each, old)
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
            archive.comment = COMMENT
        return target.getvalue()

    return change


def with_extra(kind: int, content: bytes = b"") -> Callable[[bytes], bytes]:
    return added("attachment2", extra=struct.pack("<2H", kind, len(content)) + content)


def bomb(data: bytes) -> bytes:
    return repacked(data, put("attachment2", bytes(zipreader.BOMB_BYTES + 1)))


def between(data: bytes) -> bytes:
    """Put bytes between the files and the directory."""
    at = central_records(data)[0]
    moved = data[:at] + b"hidden" + data[at:]
    place = moved.rfind(b"PK\x05\x06")
    return patched(moved, place + 16, struct.pack("<I", at + 6))


def shared_data(data: bytes) -> bytes:
    """Let the body's record begin where the message's does, as bombs without compression do."""
    records = central_records(data)
    offset = data[records[1] + 42 : records[1] + 46]
    return patched(data, records[-1] + 42, offset)


def zip64_locator(data: bytes) -> bytes:
    place = data.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", data, place + 16)[0]
    locator = b"PK\x06\x07" + bytes(16)
    moved = data[:place] + locator + data[place:]
    return patched(moved, place + 20 + 12, struct.pack("<2I", place + 20 - start, start))


def trailing_deflate(data: bytes) -> bytes:
    """Put bytes behind the end of a compressed stream, within its packed size."""
    content = zlib.compressobj(wbits=-15)
    packed = content.compress(b"x") + content.flush() + b"hidden"
    target = added("attachment2")(data)
    place = central_records(target)[-1]
    start = struct.unpack_from("<I", target, place + 42)[0]
    size = len(packed)
    header = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(b"x"), size, 1, 11, 0)
    record = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(b"x"), size, 1, 11, 0, 0, 0, 0, 0, start
    )
    files = target[:start] + header + b"attachment2" + packed
    first = central_records(target)[0]
    directory = target[first:place] + record + b"attachment2"
    count = len(central_records(target))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(files), 0)
    return files + directory + tail


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not a ZIP": (lambda _: b"hello", "NotZip"),
    "nothing": (lambda _: b"", "NotZip"),
    "cut short": (lambda data: data[:-100], "NotZip"),
    "data behind the end": (lambda data: data + b"hidden", "SurplusData"),
    "data in front": (lambda data: b"#!/bin/sh\n" + data, "SurplusData"),
    "data between files and directory": (between, "SurplusData"),
    "ZIP comment": (lambda data: c.zipped(files_of(data), comment=b"signed by the minister"), "Comment"),
    "ZIP comment with a second end in it": (
        lambda data: c.zipped(files_of(data), comment=b"PK\x05\x06" + bytes(18)),
        "CentralDirectory",
    ),
    "comment length that lies": (end(20, b"\x00\x00"), "SurplusData"),
    "file comment": (added("attachment2", comment=b"hello"), "Comment"),
    "ZIP64 in the end record": (end(10, b"\xff\xff"), "Zip64"),
    "ZIP64 locator": (zip64_locator, "Zip64"),
    "ZIP64 size": (field("message.xml", 24, b"\xff\xff\xff\xff"), "Zip64"),
    "ZIP64 extra field": (with_extra(0x0001, bytes(16)), "Zip64"),
    "name in an extra field": (with_extra(0x7075, b"\x01" + bytes(4) + b"other"), "ExtraField"),
    "damaged extra field": (added("attachment2", extra=b"UT\xff\xff"), "ExtraField"),
    "pieces on other disks": (end(4, b"\x01\x00"), "CentralDirectory"),
    "more files than counted": (end(8, struct.pack("<2H", 3, 3)), "CentralDirectory"),
    "fewer files than counted": (end(8, struct.pack("<2H", 100, 100)), "CentralDirectory"),
    "encrypted file": (field("message.xml", 8, b"\x01\x00"), "Encrypted"),
    "strongly encrypted file": (field("message.xml", 8, b"\x40\x00"), "Encrypted"),
    "another compression": (field("message.xml", 10, b"\x0c\x00"), "CompressionMethod"),
    "unknown flag": (field("message.xml", 8, b"\x20\x00"), "CompressionMethod"),
    "stored with a descriptor": (field("mimetype", 8, b"\x08\x00"), "CompressionMethod"),
    "two headers with two names": (local(30, b"Mimetype"), "LocalHeader"),
    "two headers with two methods": (local(8, b"\x08\x00"), "LocalHeader"),
    "two headers with two checksums": (local(14, b"\x00\x00\x00\x01"), "LocalHeader"),
    "two headers with two sizes": (local(22, b"\x01\x00\x00\x00"), "LocalHeader"),
    "no header where the directory says": (field("message.xml", 42, b"\x01\x00\x00\x00"), "LocalHeader"),
    "header beyond the files": (field("message.xml", 42, b"\xf0\xff\xff\x00"), "LocalHeader"),
    "two files of one data": (shared_data, "LocalHeader"),
    "link": (added("attachment2", b"/etc/passwd", external_attr=0o120777 << 16, create_system=3), "SpecialFile"),
    "device": (added("attachment2", b"", external_attr=0o060666 << 16, create_system=3), "SpecialFile"),
    "path that climbs": (added("../attachment2"), "EntryName"),
    "path that climbs within": (added("META-INF/../../attachment2"), "EntryName"),
    "absolute path": (added("/etc/cron.d/x"), "EntryName"),
    "path of Windows": (added("..\\attachment2"), "EntryName"),
    "drive of Windows": (added("C:attachment2"), "EntryName"),
    "NUL in a name": (added("attachment2\x00.txt"), "EntryName"),
    "line break in a name": (added("attach\nment2"), "EntryName"),
    "name that is not ASCII": (added("аttachment1"), "EntryName"),  # noqa: RUF001  # a Cyrillic a
    "duplicated message": (duplicated("message.xml"), "DuplicateEntry"),
    "duplicated signature": (duplicated(SIGNATURE), "DuplicateEntry"),
    "duplicated in other letters": (duplicated("message.xml", "Message.XML"), "DuplicateEntry"),
    "surplus folder": (added("folder/", b"", compress_type=zipfile.ZIP_STORED), "SurplusEntry"),
    "bomb": (bomb, "CompressionBomb"),
    "message larger than messages are": (
        lambda data: repacked(data, put("message.xml", bytes(17 * 1024 * 1024))),
        "TooLarge",
    ),
    "larger than it says": (field("message.xml", 24, b"\x01\x00\x00\x00"), "LocalHeader"),
    "data behind a compressed stream": (trailing_deflate, "EntryContent"),
}


@pytest.mark.parametrize("trick", BYTES)
def test_bytes(trick: str) -> None:
    change, defect = BYTES[trick]
    verdict = sample().judge(change(sample().data))
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, f"{ZIP}.{defect}")


def both(name: str, central: int, local_offset: int, new: bytes) -> bytes:
    """Patch a field in both headers of a file."""
    data = field(name, central, new)(sample().data)
    place = next(each for each in central_records(data) if data[each + 46 :].startswith(name.encode()))
    return patched(data, struct.unpack_from("<I", data, place + 42)[0] + local_offset, new)


@pytest.mark.parametrize(
    ("name", "central", "offset", "new"),
    [
        ("message.xml", 24, 22, b"\x01\x00\x00\x00"),  # larger than both headers say
        ("message.xml", 24, 22, b"\xff\xff\x00\x00"),  # smaller
        ("message.xml", 16, 14, b"\x00\x00\x00\x01"),  # of another checksum
        ("attachment1", 16, 14, b"\x00\x00\x00\x01"),
    ],
)
def test_a_file_that_is_not_what_its_headers_say(name: str, central: int, offset: int, new: bytes) -> None:
    assert sample().judge(both(name, central, offset, new)).reason == f"{ZIP}.EntryContent"


def streamed(data: bytes) -> bytes:
    """Pack the files as Java does: sizes and checksums behind the data."""
    writer = asic.ZipWriter(AT)
    pieces = []
    for name, content in files_of(data).items():
        pieces += [writer.begin(name), writer.chunk(content), writer.end()]
    return b"".join([*pieces, writer.finish()])


def test_descriptors_behind_the_data_are_read() -> None:
    assert sample().judge(streamed(sample().data)).outcome is Outcome.VALID


def test_descriptors_that_say_something_else_are_refused() -> None:
    data = streamed(sample().data)
    place = data.index(b"PK\x07\x08") + 4
    assert sample().judge(patched(data, place, b"\x00\x00\x00\x01")).reason == f"{ZIP}.LocalHeader"


def test_too_many_files() -> None:
    many = repacked(sample().data, lambda files: files.update({f"x{n}": b"" for n in range(zipreader.MAX_ENTRIES)}))
    assert sample().judge(many).reason == f"{ZIP}.CentralDirectory"


def shifted(data: bytes, at: int, junk: bytes) -> bytes:
    """Put bytes between files, and let every record behind them know."""
    moved = data[:at] + junk + data[at:]
    end_at = moved.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", moved, end_at + 16)[0] + len(junk)
    moved = patched(moved, end_at + 16, struct.pack("<I", start))
    for place in central_records(moved):
        offset = struct.unpack_from("<I", moved, place + 42)[0]
        if offset >= at:
            moved = patched(moved, place + 42, struct.pack("<I", offset + len(junk)))
    return moved


def test_data_between_two_files() -> None:
    data = sample().data
    second = struct.unpack_from("<I", data, central_records(data)[1] + 42)[0]
    assert sample().judge(shifted(data, second, b"hidden")).reason == f"{ZIP}.SurplusData"


def test_a_file_inside_another_one() -> None:
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(b"x"), 1, 1, 11, 0)
    inner = head + b"attachment3" + b"x"
    data = added("attachment2", inner, compress_type=zipfile.ZIP_STORED)(sample().data)
    end_at = data.rfind(b"PK\x05\x06")
    count, size = struct.unpack_from("<HI", data, end_at + 10)
    record = struct.pack(
        "<4s6H3I5H2I",
        b"PK\x01\x02",
        20,
        20,
        0,
        0,
        0,
        0,
        zlib.crc32(b"x"),
        1,
        1,
        11,
        0,
        0,
        0,
        0,
        0,
        data.index(inner),
    )
    longer = data[:end_at] + record + b"attachment3" + data[end_at:]
    end_at += len(record) + 11
    tail = struct.pack("<3HI", count + 1, count + 1, 0, size + len(record) + 11)
    longer = patched(longer, end_at + 8, tail[:4] + tail[6:])
    assert sample().judge(longer).reason == f"{ZIP}.OverlappingEntries"


def test_a_stored_file_of_two_sizes() -> None:
    assert sample().judge(both("mimetype", 24, 22, b"\x01\x00\x00\x00")).reason == f"{ZIP}.CentralDirectory"


def test_a_damaged_record_in_the_directory() -> None:
    data = sample().data
    assert sample().judge(patched(data, central_records(data)[1], b"XX")).reason == f"{ZIP}.CentralDirectory"


def test_a_directory_that_ends_with_the_file() -> None:
    data = c.zipped(files_of(sample().data), comment=b"")
    count = len(central_records(data)) + 1
    assert sample().judge(end(8, struct.pack("<2H", count, count))(data)).reason == f"{ZIP}.CentralDirectory"


def test_what_is_larger_than_it_says_is_not_unpacked_to_its_end() -> None:
    huge = repacked(sample().data, put("attachment2", bytes(20 * 1024 * 1024)))
    place = central_records(huge)[-1]
    small = patched(huge, place + 24, struct.pack("<I", 1))
    small = patched(small, struct.unpack_from("<I", huge, place + 42)[0] + 22, struct.pack("<I", 1))
    with pytest.raises(AsicInvalidContainer, match="larger than it says"):
        next(zipreader.open_archive(small).chunks("attachment2"))
