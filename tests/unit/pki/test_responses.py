from datetime import timedelta
from pathlib import Path

import pytest

from pki.responses import PeerResponses, ResponseFiles
from tests.support.authority import AT, TurnedClock
from tests.support.pki import Pki

MINUTE = timedelta(minutes=1)


async def test_nothing_is_given_past_its_limit() -> None:
    clock = TurnedClock()
    peers = PeerResponses(clock)
    peers.put("ab", b"response", AT + MINUTE)
    await clock.turn(MINUTE)
    assert peers.get("ab") == b"response"
    await clock.turn(timedelta(seconds=1))
    assert peers.get("ab") is None


def test_the_least_recently_used_goes_first() -> None:
    peers = PeerResponses(TurnedClock(), max_entries=2)
    peers.put("a", b"1", AT)
    peers.put("b", b"2", AT)
    assert peers.get("a") == b"1"
    peers.put("c", b"3", AT)
    assert (peers.get("a"), peers.get("b"), peers.get("c")) == (b"1", None, b"3")


def test_a_newer_response_replaces_the_older() -> None:
    peers = PeerResponses(TurnedClock(), max_entries=1)
    peers.put("a", b"1", AT)
    peers.put("a", b"2", AT)
    assert peers.get("a") == b"2"


def test_files_survive_and_are_private(tmp_path: Path) -> None:
    certificate = Pki.create("ec-p256").issuer.certificate
    directory = tmp_path / "ocsp"
    ResponseFiles(directory).write(certificate, b"response")
    again = ResponseFiles(directory)
    assert again.read(certificate) == b"response"
    again.remove(certificate)
    again.remove(certificate)
    assert again.read(certificate) is None


def test_a_disk_that_refuses_costs_no_exchange(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate = Pki.create("ec-p256").issuer.certificate
    (tmp_path / "ocsp").write_bytes(b"not a directory")
    files = ResponseFiles(tmp_path / "ocsp")
    files.write(certificate, b"response")
    assert files.read(certificate) is None
    assert "ocsp_response_not_kept" in capsys.readouterr().out
