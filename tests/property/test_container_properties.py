"""Whatever happens to a container's bytes, a verdict comes out, and never another message as the signed one."""

import zipfile
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from tests.support.containers import NOW, Form, Stamp, files_of, repacked, sample, zipped
from xroad import asic
from xroad.asic import Outcome
from xroad.asic.errors import AsicInvalidContainer
from xroad.asic.zipreader import open_archive

LAYOUTS = st.sampled_from(["direct", "chained"])
STAMPS = st.sampled_from(["plain", "batch"])


@given(LAYOUTS, STAMPS, st.data())
def test_a_flipped_byte_is_refused_or_changes_nothing_that_is_said(
    layout: Form, stamp: Stamp, data: st.DataObject
) -> None:
    made = sample(layout, stamp)
    spoiled = bytearray(made.data)
    place = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[place] ^= data.draw(st.integers(1, 255))
    verdict = made.judge(bytes(spoiled))
    if verdict.verified is not None:  # only what nobody reads, such as times of files
        original = made.judge().verified
        assert original is not None
        assert asic.trace_of(verdict.verified) == asic.trace_of(original)


@given(LAYOUTS, STAMPS, st.data())
def test_a_flipped_byte_in_what_is_signed_is_refused(layout: Form, stamp: Stamp, data: st.DataObject) -> None:
    made = sample(layout, stamp)
    name = data.draw(st.sampled_from(["message.xml", "attachment1"]))
    place = data.draw(st.integers(0, len(files_of(made.data)[name]) - 1))
    change = data.draw(st.integers(1, 255))

    def flip(files: dict[str, bytes]) -> None:
        files[name] = files[name][:place] + bytes([files[name][place] ^ change]) + files[name][place + 1 :]

    verdict = made.judge(repacked(made.data, flip))
    if verdict.outcome is Outcome.CANNOT_TELL:  # the head names another instance now, of which nothing is known
        assert (name, verdict.reason) == ("message.xml", "AsicUnknownInstance")
    else:
        assert verdict.outcome is Outcome.INVALID


@given(LAYOUTS, STAMPS, st.data())
def test_a_container_cut_anywhere_is_refused(layout: Form, stamp: Stamp, data: st.DataObject) -> None:
    whole = sample(layout, stamp).data
    assert sample().judge(whole[: data.draw(st.integers(0, len(whole) - 1))]).outcome is Outcome.INVALID


@given(st.binary(max_size=400))
def test_nothing_but_a_verdict_comes_out_of_bytes(data: bytes) -> None:
    assert asic.judge(data, sample().trust, NOW).outcome is Outcome.INVALID


NAMES = st.text("abcdefghij/-_.", min_size=1, max_size=20).filter(
    lambda name: all(piece not in {"", ".", ".."} for piece in name.split("/"))
)


@given(st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=5), st.booleans())
def test_what_another_programme_packs_is_read_alike(files: dict[str, bytes], stored: bool) -> None:  # noqa: FBT001
    data = zipped(files, comment=b"", method=zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    archive = open_archive(data)
    assert {name: archive.content(name, 10_000) for name in archive.entries} == files


@given(st.dictionaries(NAMES, st.lists(st.binary(max_size=500), max_size=5), min_size=1, max_size=5))
def test_what_we_write_in_pieces_is_read_alike_by_both(files: dict[str, list[bytes]]) -> None:
    writer = asic.ZipWriter(NOW, comment=b"")
    pieces = [
        piece
        for name, chunks in files.items()
        for piece in (writer.begin(name), *map(writer.chunk, chunks), writer.end())
    ]
    data = b"".join([*pieces, writer.finish()])
    expected = {name: b"".join(chunks) for name, chunks in files.items()}
    assert files_of(data) == expected
    archive = open_archive(data)
    assert {name: archive.content(name, 10_000) for name in archive.entries} == expected


@given(st.binary(max_size=300), st.integers(0, 60))
def test_garbage_between_two_ends_raises_one_kind_of_error(data: bytes, cut: int) -> None:
    with suppress(AsicInvalidContainer):
        open_archive(sample().data[:cut] + data + sample().data[-cut:])
