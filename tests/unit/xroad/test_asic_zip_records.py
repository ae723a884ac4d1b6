"""Each field of a ZIP's records by itself: what stands in one place only, and what the numbers of the end say."""

import struct
import zlib
from collections.abc import Callable

import pytest

from tests.support.containers import AT, central_records, patched, sample
from xroad import asic
from xroad.asic import Outcome, zipreader, zipwriter
from xroad.asic.errors import AsicInvalidContainer

ZIP = "AsicInvalidContainer"
TIMES = 0x7855  # an extra field that may be there


def central(name: str, offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Patch a field of a file's record in the central directory alone."""

    def change(data: bytes) -> bytes:
        place = next(each for each in central_records(data) if data[each + 46 :].startswith(name.encode()))
        return patched(data, place + offset, new)

    return change


def end(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: patched(data, data.rfind(b"PK\x05\x06") + offset, new)


def with_times(kind_before: int, kind_behind: int) -> bytes:
    """Give `mimetype` an extra field of these kinds, in its local header and in its central record."""
    data = sample().data
    size = 31  # of its content
    before, behind = (struct.pack("<2HI", kind, 4, 0) for kind in (kind_before, kind_behind))
    head = patched(data[:38], 28, struct.pack("<H", len(before))) + before + data[38 : 38 + size]
    record, directory = central_records(data)[0], data.rfind(b"PK\x05\x06")
    moved = [
        patched(data[place:stop], 42, struct.pack("<I", struct.unpack_from("<I", data, place + 42)[0] + 8))
        for place, stop in zip(central_records(data)[1:], [*central_records(data)[2:], directory], strict=True)
    ]
    first = patched(data[record : record + 54], 30, struct.pack("<H", len(behind))) + behind
    tail = patched(data[directory:], 12, struct.pack("<2I", directory - record + 8, record + 8))
    return head + data[38 + size : record] + first + b"".join(moved) + tail


def test_an_extra_field_of_times_is_nothing() -> None:
    assert sample().judge(with_times(TIMES, TIMES)).outcome is Outcome.VALID


@pytest.mark.parametrize(("before", "behind"), [(TIMES, 0x7075), (0x7075, TIMES)])
def test_an_extra_field_is_looked_at_in_both_headers(before: int, behind: int) -> None:
    assert sample().judge(with_times(before, behind)).reason == f"{ZIP}.ExtraField"


RECORDS = {
    "size of the directory that ZIP64 has": (end(12, b"\xff\xff\xff\xff"), "Zip64"),
    "directory on another disk": (end(6, b"\x01\x00"), "CentralDirectory"),
    "fewer files here than in all": (end(8, b"\x03\x00"), "CentralDirectory"),
    "an end and no more": (lambda _: b"PK\x05\x06", "NotZip"),
    "a version that only new readers know": (central("message.xml", 6, b"\x2d\x00"), "CompressionMethod"),
    "a disk that ZIP64 has": (central("message.xml", 34, b"\xff\xff"), "Zip64"),
    "a file on another disk": (central("message.xml", 34, b"\x01\x00"), "CentralDirectory"),
}


@pytest.mark.parametrize("trick", RECORDS)
def test_records(trick: str) -> None:
    change, defect = RECORDS[trick]
    assert sample().judge(change(sample().data)).reason == f"{ZIP}.{defect}"


def test_what_is_large_and_hardly_shrinks_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipreader, "BOMB_BYTES", 10)
    assert sample().judge().outcome is Outcome.VALID


def test_a_stream_that_does_not_end() -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"x") + packer.flush(zlib.Z_SYNC_FLUSH)
    entry = zipreader.Entry("a", zipreader.DEFLATED, 0, len(packed), 1, zlib.crc32(b"x"))
    with pytest.raises(AsicInvalidContainer, match="does not end"):
        zipreader.Archive(packed, {"a": entry}).content("a", 10)


def test_the_writer_takes_nothing_without_a_file_and_nothing_beyond_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = asic.ZipWriter(AT)
    writer.file("whole", b"x")
    with pytest.raises(ValueError, match="begin a file"):
        writer.chunk(b"x")
    monkeypatch.setattr(zipwriter, "MAX_OFFSET", 100)
    with pytest.raises(asic.ContainerTooLarge):
        asic.ZipWriter(AT).file("a", bytes(range(256)), stored=True)
    writer.begin("a")
    with pytest.raises(asic.ContainerTooLarge):
        writer.chunk(bytes(range(256)) * 300)
