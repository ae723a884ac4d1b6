"""``spean verify``: folders, the ZIP that ``/asic`` gives, and archives stand for every container in them."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from spean import cli
from tests.support.containers import files_of, repacked, response_head, sample
from tests.support.globalconf import shared_parameters, stored_files
from xroad import asic

GOOD, OTHER = "query-1-request-1.asice", "query-1-response-2.asice"


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("conf")
    members = {"GOV/MOP": ("IDPOOR",), "GOV/NSAF": ("FAMILY-PACKAGE",)}
    for name, content in stored_files(shared_parameters(sample().pki, members=members)).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def download(path: Path, *files: tuple[str, bytes]) -> Path:
    """Write a ZIP as the download service does."""
    writer = asic.ZipWriter(sample().parts.at, comment=b"")
    pieces = [writer.file(name, content) for name, content in files]
    path.write_bytes(b"".join([*pieces, writer.finish()]))
    return path


def answer() -> bytes:
    return sample(head=response_head(), signer=("GOV", "MOP")).data


def altered() -> bytes:
    return repacked(sample().data, lambda files: files.update({"attachment1": b"other"}))


def told(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(line["path"].rpartition("/")[2], line["outcome"]) for line in lines if "path" in line]


def run(conf: Path, *arguments: str | Path) -> int:
    return cli.main(["verify", "--json", "--conf", str(conf), *map(str, arguments)])


def test_the_zip_of_a_security_server(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = download(tmp_path / "query-1.zip", (GOOD, sample().data), (OTHER, answer()))
    assert run(conf, place, "--extract", tmp_path / "out") == 0
    assert told(capsys) == [(GOOD, "valid"), (OTHER, "valid")]
    assert (tmp_path / "out" / "query-1-response-2" / "message.xml").read_bytes() == response_head()


def test_one_bad_container_in_a_zip_is_told(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = download(tmp_path / "query-1.zip", (GOOD, sample().data), (OTHER, altered()), ("linkinginfo", b"- - x\n"))
    assert run(conf, place) == 1
    assert told(capsys) == [(GOOD, "valid"), (OTHER, "invalid")]


def test_of_two_containers_with_one_name_each_is_judged(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = download(tmp_path / "query-1.zip", (GOOD, altered()), (GOOD, sample().data))
    assert run(conf, place) == 1
    assert told(capsys) == [(GOOD, "invalid"), (GOOD, "valid")]


def test_a_container_of_another_name_does_not_hide_behind_one_within(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "evidence.zip"
    place.write_bytes(repacked(sample().data, lambda files: files.update({"good.asice": sample().data})))
    assert run(conf, place) == 1
    assert told(capsys) == [("evidence.zip", "invalid")]


def test_a_folder(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / OTHER).write_bytes(answer())
    (tmp_path / GOOD).write_bytes(sample().data)
    (tmp_path / "notes.txt").write_text("none of ours")
    assert run(conf, tmp_path) == 0
    assert sorted(told(capsys)) == [(GOOD, "valid"), (OTHER, "valid")]


def test_a_folder_without_containers_is_a_mistake(conf: Path, tmp_path: Path) -> None:
    assert run(conf, tmp_path) == 2


def test_what_cannot_be_unpacked_cannot_be_told(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = download(tmp_path / "query-1.zip", (GOOD, sample().data))
    data = bytearray(place.read_bytes())
    data[60:70] = bytes(10)
    place.write_bytes(data)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(GOOD, bytes(65 * 1024 * 1024))
    assert run(conf, place, bomb) == 2
    assert told(capsys) == [(GOOD, "cannot tell")] * 2


def test_a_pipe_is_not_waited_for(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("pipe.asice", "pipe.zip"):
        os.mkfifo(tmp_path / name)
    assert run(conf, tmp_path / "pipe.asice", tmp_path / "pipe.zip") == 2
    assert [outcome for _, outcome in told(capsys)] == ["cannot tell"] * 2


def test_what_hinders_the_judge_says_nothing_of_the_document(conf: Path, tmp_path: Path) -> None:
    place = tmp_path / GOOD
    place.write_bytes(sample().data)
    assert run(tmp_path / "nowhere", place) == 2
    assert run(conf, place, "--extract", place) == 2
    (tmp_path / "locked").symlink_to("/dev/null/nothing")
    assert run(conf, place, "--extract", tmp_path / "locked") == 2


def test_a_folder_packed_into_a_container_is_no_reason() -> None:
    def packed(content: bytes) -> bytes:
        return repacked(sample().data, lambda files: files.update({"META-INF/": content}))

    assert files_of(packed(b""))["META-INF/"] == b""
    assert sample().judge(packed(b"")).reason == ""
    assert sample().judge(packed(b"hidden")).reason == "AsicInvalidContainer.TooLarge"
