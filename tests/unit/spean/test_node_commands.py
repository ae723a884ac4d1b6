"""An institution makes its node, its requests and its services, and gets a sentence for each mistake."""

import asyncio
import hashlib
import re
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from securityserver.app import Node
from securityserver.config import load_config
from serverkit.config import ConfigError
from spean.cli import main
from tests.support.anchors import an_anchor
from tests.support.sandboxes import environment, spean

SERVICES = """
[[client]]
id = "KH-PILOT/GOV/MOP/IDPOOR"
connection = "http"
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    anchor = tmp_path / "given" / "anchor.xml"
    anchor.parent.mkdir()
    anchor.write_bytes(an_anchor())
    config = tmp_path / "node" / "NODE.toml"
    assert main(["node", "init", str(config), "--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", str(anchor)]) == 0
    return config


def request(node: Path, out: Path, usage: str, *more: str) -> int:
    words = [
        "node",
        "request",
        str(node),
        "--usage",
        usage,
        "--organisation",
        "Ministry of Planning",
        "--out",
        str(out),
    ]
    return main([*words, *more])


def test_a_new_node_has_what_its_settings_name_readable_by_its_owner_only(node: Path) -> None:
    config = load_config(node)
    assert str(config.server.id) == "KH-PILOT/GOV/MOP/SS1"
    assert config.server.anchor.read_bytes() == (node.parents[1] / "given" / "anchor.xml").read_bytes()
    assert stat.S_IMODE(config.token.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((node.parent / "token.pin").stat().st_mode) == 0o600
    assert (config.server.data / "node.db").exists()


def test_requests_have_the_subjects_of_the_field(node: Path, tmp_path: Path) -> None:
    assert request(node, tmp_path / "auth.csr", "auth", "--dns", "ss1.mop.example.test") == 0
    assert request(node, tmp_path / "sign.csr", "sign", "--key", "ec-p384") == 0
    names = [subject(tmp_path / f"{usage}.csr") for usage in ("auth", "sign")]
    assert [name[NameOID.COMMON_NAME] for name in names] == ["ss1.mop.example.test", "MOP"]
    assert [name[NameOID.SERIAL_NUMBER] for name in names] == ["KH-PILOT/SS1/GOV"] * 2


def subject(path: Path) -> dict[x509.ObjectIdentifier, str]:
    return {each.oid: str(each.value) for each in x509.load_pem_x509_csr(path.read_bytes()).subject}


def test_a_key_for_another_member_signs_for_that_member(node: Path, tmp_path: Path) -> None:
    assert request(node, tmp_path / "other.csr", "sign", "--member", "KH-PILOT/GOV/NCDD") == 0
    assert subject(tmp_path / "other.csr")[NameOID.COMMON_NAME] == "NCDD"


def test_services_are_applied_once_and_exported(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services = node.with_name("SERVICES.toml")
    services.write_text(SERVICES)
    assert main(["node", "apply", str(services)]) == 0
    assert "KH-PILOT/GOV/MOP/IDPOOR" in capsys.readouterr().out
    assert main(["node", "apply", str(node), str(services)]) == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert main(["node", "export", str(node)]) == 0
    exported = capsys.readouterr().out
    assert 'id = "KH-PILOT/GOV/MOP/IDPOOR"' in exported
    assert main(["node", "export", str(node), "--out", str(services)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_file_without_clients_removes_none_unless_it_is_meant(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services = node.with_name("SERVICES.toml")
    services.write_text(SERVICES)
    assert main(["node", "apply", str(services)]) == 0
    services.write_text("")
    assert main(["node", "apply", str(services)]) == 1
    assert "--remove-all" in capsys.readouterr().err
    assert main(["node", "export", str(node)]) == 0
    assert "IDPOOR" in capsys.readouterr().out
    assert main(["node", "apply", str(services), "--remove-all"]) == 0
    assert "IDPOOR" in capsys.readouterr().out
    assert main(["node", "apply", str(services)]) == 0


def test_a_new_nodes_anchor_is_shown_by_its_hash_and_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["node", "init", str(tmp_path / "node" / "NODE.toml"), "--server", "KH-PILOT/GOV/MOP/SS1", "--anchor"]
    anchor = tmp_path / "anchor.xml"
    for content, said in ((b"<anchor/>", "governing authority"), (an_anchor("KH-OTHER"), "KH-OTHER")):
        anchor.write_bytes(content)
        assert main([*words, str(anchor)]) == 1
        assert said in capsys.readouterr().err
        assert not (tmp_path / "node").exists()
    anchor.write_bytes(an_anchor())
    assert main([*words, str(anchor)]) == 0
    shown = hashlib.sha224(anchor.read_bytes()).hexdigest().upper()
    assert ":".join(shown[place : place + 2] for place in range(0, len(shown), 2)) in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["missing", "empty", "no anchor", "another instance's"])
def test_a_node_with_a_broken_anchor_does_not_start(node: Path, broken: str) -> None:
    anchor = load_config(node).server.anchor
    anchor.write_bytes({"no anchor": b"<anchor/>", "another instance's": an_anchor("KH-OTHER")}.get(broken, b""))
    if broken == "missing":
        anchor.unlink()
    with pytest.raises(ConfigError, match=re.escape(str(anchor))):
        asyncio.run(_start(node))


async def _start(node: Path) -> None:
    async with Node.running(load_config(node)):
        pass


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["node", "init", "{new}", "--server", "KH-PILOT", "--anchor", "{anchor}"], 2, "INSTANCE/CLASS/MEMBER/SERVER"),
        (["node", "init", "{node}", "--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", "{anchor}"], 1, "exists already"),
        (["node", "init", "{new}", "--server", "KH-PILOT/GOV/MOP/SS1", "--anchor", "nowhere.xml"], 1, "nowhere.xml"),
        (["node", "import", "{node}", "{anchor}"], 1, "certificate"),
        (["node", "apply", "{node}", "nowhere.toml"], 1, "nowhere.toml"),
        (["node", "apply", "{node}", "{node}"], 1, "server"),
        (["node", "request", "{node}", "--usage", "sign", "--organisation", "", "--out", "{new}"], 1, "empty"),
        (
            [
                "node",
                "request",
                "{node}",
                "--usage",
                "auth",
                "--organisation",
                "X",
                "--dns",
                "no name",
                "--out",
                "{new}",
            ],
            1,
            "",
        ),
        (
            ["node", "request", "{node}", "--usage", "sign", "--organisation", "X", "--member", "X", "--out", "{new}"],
            2,
            "",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_without_a_traceback(
    words: list[str], code: int, told: str, node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    places = {"node": node, "new": tmp_path / "new" / "file", "anchor": node.with_name("anchor.xml")}
    assert main([word.format(**places) for word in words]) == code
    error = capsys.readouterr().err
    assert error.startswith("spean: ")
    assert told in error
    assert error.count("\n") == 1


def test_a_node_without_settings_does_not_start() -> None:
    """In a process of its own: a server sets the logs of the whole process up."""
    ended = subprocess.run(
        spean("node", "run", "nowhere.toml"), capture_output=True, text=True, env=environment(), check=False, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("spean: nowhere.toml")
    assert ended.stderr.count("\n") == 1
