"""Archives that X-Road wrote: they verify in their order, and nothing else does."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from securityserver.archiving import verification
from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.verification import in_link_order, verify_chain, verify_file
from xroad.linkinginfo import START

Finder = Callable[[str], Path]


@pytest.fixture
def archives(shared: Finder) -> list[Path]:
    return [shared(f"vectors/xroad/archive/message-archive-{number}.zip") for number in (0, 1)]


def refusal(files: list[Path], after: str | None = None) -> str:
    with pytest.raises(ArchiveRefused) as refused:
        list(verify_chain(map(verify_file, files), after))
    return str(refused.value)


def test_they_verify_one_after_the_other(archives: list[Path]) -> None:
    first, second = verify_chain(map(verify_file, archives))
    assert (first.previous, first.containers) == (START, 1)
    assert (second.previous.digest, second.containers) == (first.last, 20)


def test_the_second_verifies_after_the_digest_of_the_first(archives: list[Path]) -> None:
    after = verify_file(archives[0]).last
    assert [archive.containers for archive in verify_chain([verify_file(archives[1])], after)] == [20]


def test_a_missing_one_is_told(archives: list[Path]) -> None:
    assert "it continues mlog-20231023121255-20231023121255-9011ab557706b505.zip.gpg" in refusal(archives[1:])


def test_another_order_is_told(archives: list[Path]) -> None:
    assert "another order" in refusal(archives[::-1])


def test_the_order_of_the_links_can_be_found(archives: list[Path]) -> None:
    first, second = map(verify_file, archives)
    assert in_link_order([second, first]) == [first, second]
    assert in_link_order([second], first.last) == [second]
    assert in_link_order([second]) == [second]  # and is refused by the chain


def test_one_that_comes_twice_is_told(archives: list[Path]) -> None:
    assert "given twice" in refusal([archives[0], archives[0]])


def test_a_digest_that_does_not_fit_is_told(archives: list[Path]) -> None:
    assert "first of its chain" in refusal(archives[:1], "0" * 128)
    assert "continues" in refusal(archives[1:], "0" * 128)


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            for name, data in change(info.filename, old.read(info)):
                new.writestr(zipfile.ZipInfo(name), data)
    return target


VICTIM = "ID1234-response-5.asice"
CHANGES: dict[str, tuple[Callable[[str, bytes], list[tuple[str, bytes]]], str]] = {
    "a container removed": (lambda n, d: [] if n == VICTIM else [(n, d)], "removed, surplus or reordered"),
    "a container under another name": (
        lambda n, d: [("ID1234-response-z.asice" if n == VICTIM else n, d)],
        "removed, surplus or reordered",
    ),
    "a container that is none": (lambda n, d: [(n, b"PK" if n == VICTIM else d)], "NotZip"),
    "a container made empty": (lambda n, d: [(n, b"" if n == VICTIM else d)], "NotZip"),
    "a surplus file": (
        lambda n, d: [(n, d), ("x.exe", b"")] if n == VICTIM else [(n, d)],
        "no archive has such a file",
    ),
    "a file that climbs out": (
        lambda n, d: [(n, d), ("../x.asice", d)] if n == VICTIM else [(n, d)],
        "removed, surplus or reordered",
    ),
    "no linkinginfo": (lambda n, d: [] if n == "linkinginfo" else [(n, d)], "linkinginfo is missing"),
    "another linkinginfo": (
        lambda n, d: [(n, d.replace(b"-response-5", b"-response-6") if n == "linkinginfo" else d)],
        "linkinginfo names a container twice",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_archive_is_refused_with_the_reason(case: str, archives: list[Path], tmp_path: Path) -> None:
    change, reason = CHANGES[case]
    changed = rewritten(archives[1], tmp_path / "message-archive-1.zip", change)
    assert reason in refusal([archives[0], changed])


def test_a_container_changed_in_a_way_that_still_opens_is_refused(archives: list[Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(archives[1]) as archive:
        other = archive.read("ID1234-response-6.asice")
    changed = rewritten(archives[1], tmp_path / "x.zip", lambda n, d: [(n, other if n == VICTIM else d)])
    assert f"{VICTIM}: its digest is not" in refusal([archives[0], changed])


def test_two_files_of_one_name_are_refused(archives: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "x.zip"
    shutil.copy(archives[0], copy)
    with zipfile.ZipFile(copy, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("linkinginfo", archive.read("linkinginfo"))
    assert "two files of one name" in refusal([copy])


@pytest.mark.parametrize("where", ["in front", "as a comment"])
def test_data_beside_the_files_is_refused(where: str, archives: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "x.zip"
    data = archives[0].read_bytes()
    comment = data[:-2] + (5).to_bytes(2, "little") + b"other"
    copy.write_bytes(b"other" + data if where == "in front" else comment)
    assert "data beside its files" in refusal([copy])


def test_a_bomb_is_refused_before_it_is_unpacked(archives: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "x.zip"
    shutil.copy(archives[0], copy)
    with zipfile.ZipFile(copy, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.asice", bytes(65 * 1024 * 1024))
    assert "grows more than 100 times" in refusal([copy])


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_file_packed_as_no_archive_packs_is_refused(method: int, archives: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "x.zip"
    shutil.copy(archives[0], copy)
    with zipfile.ZipFile(copy, "a", method) as archive:
        archive.writestr("other.asice", b"x")
    assert "packed as no archive is" in refusal([copy])


def test_a_file_under_a_zip_password_is_refused(archives: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "x.zip"
    data = bytearray(archives[0].read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    copy.write_bytes(data)
    assert "packed as no archive is" in refusal([copy])


@pytest.mark.parametrize(("limit", "value", "reason"), [("_MANY", 1, "more files"), ("MAX_BYTES", 10, "too large")])
def test_an_archive_beyond_the_limits_is_refused(
    limit: str, value: int, reason: str, archives: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, limit, value)
    assert reason in refusal(archives[:1])


def test_an_encrypted_or_foreign_file_is_told_what_to_do(tmp_path: Path) -> None:
    encrypted, foreign = tmp_path / "a.zip.gpg", tmp_path / "a.zip"
    encrypted.write_bytes(b"\x85\x01\x0c")
    foreign.write_bytes(b"text")
    assert "decrypt it first: gpg" in refusal([encrypted])
    assert "no archive" in refusal([foreign])
    assert "No such file" in refusal([tmp_path / "none.zip"])


def test_no_flipped_byte_passes_and_none_escapes_the_error(archives: list[Path], tmp_path: Path) -> None:
    data, copy = archives[0].read_bytes(), tmp_path / "x.zip"
    believed = verify_file(archives[0])
    for place in range(0, len(data), 7):
        copy.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            found = verify_file(copy)
        except ArchiveRefused:
            continue
        assert found.last == believed.last  # a time or another field that means nothing
