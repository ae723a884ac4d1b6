from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pytest

from serverkit.config import ConfigError, load_toml, parse_toml, setting
from xroad.identifiers import ClientId

BASE = Path("/etc/node")


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Ports:
    message: int = setting(default=5500, minimum=1, maximum=65535)


@dataclass(frozen=True, slots=True)
class Member:
    id: ClientId
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    name: str
    ports: Ports = field(default_factory=Ports)
    members: tuple[Member, ...] = setting(default=(), key="member")
    directory: Path = Path()
    ratio: float = 1.0
    on: bool = False
    colour: Colour = Colour.RED
    mode: Literal["a", "b"] = "a"
    since: datetime | None = None
    code: str = setting(default="AB", pattern="[A-Z]{2}", rule="must be two capital letters")
    pin: str = setting(default="0000", minimum=4, secret=True)
    names: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode == "b" and not self.on:
            raise ValueError("mode b works only when on = true")


def read(text: str) -> Settings:
    return parse_toml(text, Settings, source="NODE.toml", base=BASE)


def test_reads_every_kind() -> None:
    settings = read(
        'name = "n"\nratio = 2\non = true\nmode = "b"\ndirectory = "data"\nsince = 2026-01-02T03:04:05Z\n'
        'names = {x = 1}\n[ports]\nmessage = 1\n[[member]]\nid = "KH/GOV/MOP"\nnote = "x"\n'
    )
    assert settings.ratio == 2.0
    assert isinstance(settings.ratio, float)
    assert settings.directory == BASE / "data"
    assert settings.members == (Member(ClientId("KH", "GOV", "MOP"), "x"),)
    assert settings.ports.message == 1
    assert settings.names == {"x": 1}
    assert settings.since is not None


def test_defaults() -> None:
    assert read('name = "n"').ports.message == 5500


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("", "name", "is missing"),
        ('name = "n"\nnam = 1', "nam", "did you mean name?"),
        ('name = "n"\nzzz = 1', "zzz", "known here"),
        ("name = 1", "name", "must be text"),
        ('name = " "', "name", "must not be empty"),
        ('name = "n"\non = 1', "on", "true or false"),
        ('name = "n"\n[ports]\nmessage = 70000', "ports.message", "at most 65535"),
        ('name = "n"\n[ports]\nmessage = true', "ports.message", "a whole number"),
        ('name = "n"\n[[member]]\nid = "KH/GOV/A"\n[[member]]\nid = "KH"', "member[2].id", "number of parts"),
        ('name = "n"\n[[member]]\nid = "KH/GOV/A"\nx = 1', "member[1].x", "not a known setting"),
        ('name = "n"\nmember = 1', "member", "must be a list"),
        ('name = "n"\nports = 1', "ports", "must be a table"),
        ('name = "n"\nnames = 1', "names", "must be a table"),
        ('name = "n"\nnames = {a = "x"}', "names.a", "a whole number"),
        ('name = "n"\ncolour = "blue"', "colour", "one of red"),
        ('name = "n"\nmode = "c"', "mode", "one of a, b"),
        ('name = "n"\nmode = "b"', "", "only when on"),
        ('name = "n"\ncode = "abc"', "code", "two capital letters"),
    ],
)
def test_names_file_key_and_rule(text: str, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.key == key
    assert words in caught.value.rule
    assert str(caught.value).startswith("NODE.toml")


def test_shows_the_value_unless_secret() -> None:
    with pytest.raises(ConfigError, match=r"NODE\.toml: ports\.message = 70000: must be at most"):
        read('name = "n"\n[ports]\nmessage = 70000')
    with pytest.raises(ConfigError) as caught:
        read('name = "n"\npin = "123"')
    assert caught.value.value is None
    assert "123" not in str(caught.value)


def test_broken_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        read("name = ")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_toml(tmp_path / "none.toml", Settings)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_toml(tmp_path / "latin.toml", Settings)
    (tmp_path / "long.toml").write_text(f'name = "n"\ncode = "{"x" * 500}"')
    with pytest.raises(ConfigError) as caught:
        load_toml(tmp_path / "long.toml", Settings)
    assert len(str(caught.value)) < 300


def test_values_nested_without_end_are_refused() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        read("x = " + "[" * 5000)
