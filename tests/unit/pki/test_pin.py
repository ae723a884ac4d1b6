import pickle
from pathlib import Path

import pytest

from pki.errors import PinRefused
from pki.pin import LONGEST_PIN, Pin


def test_no_rendering_shows_the_pin() -> None:
    pin = Pin("s3cret-pin")
    assert "s3cret" not in f"{pin!r} {pin} {[pin]} {vars(type(pin))}"


def test_a_pin_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Pin("s3cret-pin"))


@pytest.mark.parametrize("text", ["", "two\nlines", "nul\0", "x" * (LONGEST_PIN + 1)])
def test_what_is_no_pin_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(PinRefused) as refused:
        Pin(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_from_file_takes_one_line(tmp_path: Path, ending: bytes) -> None:
    file = _file(tmp_path, "លេខសម្ងាត់-123".encode() + ending)
    assert Pin.from_file(file) == Pin("លេខសម្ងាត់-123")


def test_from_file_refuses_a_file_that_everyone_reads(tmp_path: Path) -> None:
    file = _file(tmp_path, b"123456")
    file.chmod(0o604)
    with pytest.raises(PinRefused, match="chmod 600"):
        Pin.from_file(file)


def test_from_file_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PinRefused, match="absent"):
        Pin.from_file(tmp_path / "absent")


def test_from_file_keeps_a_broken_pin_out_of_the_error(tmp_path: Path) -> None:
    with pytest.raises(PinRefused) as refused:
        Pin.from_file(_file(tmp_path, b"secret\xff"))
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_PIN", "123456")
    assert Pin.from_environment("TOKEN_PIN") == Pin("123456")
    monkeypatch.delenv("TOKEN_PIN")
    with pytest.raises(PinRefused, match="TOKEN_PIN"):
        Pin.from_environment("TOKEN_PIN")


def test_prompt_asks_twice_for_a_new_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["123456", "123456", "123456", "654321"])
    monkeypatch.setattr("getpass.getpass", lambda _question: next(answers))
    assert Pin.prompt("PIN", confirm=True) == Pin("123456")
    with pytest.raises(PinRefused, match="differ"):
        Pin.prompt("PIN", confirm=True)


def test_a_new_pin_has_six_characters() -> None:
    Pin("123456").require_strength()
    with pytest.raises(PinRefused, match="6 characters"):
        Pin("12345").require_strength()


def _file(directory: Path, content: bytes) -> Path:
    file = directory / "pin"
    file.write_bytes(content)
    file.chmod(0o600)
    return file
