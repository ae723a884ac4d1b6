import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from pki.errors import WrongPin
from pki.pin import Pin
from pki.token import SoftwareToken
from securityserver.commands import init_node
from securityserver.config import NodeConfig, load_config
from securityserver.logkey import body_keys, recipients
from securityserver.messagelog import Body, BodyForm, BodyKeeping, DataKeys, LogKeyUnusable
from securityserver.messagelog.keys import fingerprint
from securityserver.migrations import open_node_database
from spean.cli import main
from tests.support.messagelog import make_record, running_log

NODE = """
[server]
id = "KH/GOV/MOP/SS1"
anchor = "anchor.xml"
data = "data"
[token]
directory = "token"
pin_file = "token.pin"
[listen]
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    for name, pin in (("token.pin", "123456"), ("log.pin", "654321"), ("password", "secret password")):
        (tmp_path / name).write_text(pin)
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "NODE.toml"
    file.write_text(f'{NODE}[log]\npin_file = "log.pin"\n')
    init_node(file)
    return file


def config_of(node: Path) -> NodeConfig:
    return load_config(node)


async def logged(node: Path, count: int) -> list[int]:
    config = config_of(node)
    with closing(open_node_database(config.database)) as database:
        keeping = BodyKeeping(lambda _record: BodyForm.ENCRYPTED, DataKeys(database, recipients(config)))
    async with running_log(config.database, bodies=keeping) as log:
        return [await log.append(make_record(body=Body.of(b"secret body"))) for _ in range(count)]


def test_init_makes_a_log_key_under_its_own_pin(node: Path) -> None:
    config = config_of(node)
    (public,) = recipients(config)
    token = SoftwareToken.open(config.log_token.directory, Pin("654321"))
    assert fingerprint(public) == fingerprint(token.public_key(token.keys[0].id))
    with pytest.raises(WrongPin):
        SoftwareToken.open(config.log_token.directory, Pin("123456"))
    assert body_keys(config).unwrap("{}") is None


def test_the_log_key_is_made_once_and_a_lost_public_half_comes_back(node: Path) -> None:
    config = config_of(node)
    before = config.log_public_key.read_bytes()
    config.log_public_key.unlink()
    recipients(config)
    assert config.log_public_key.read_bytes() == before


def test_a_running_node_needs_no_pin_of_the_log_key(node: Path, tmp_path: Path) -> None:
    (tmp_path / "log.pin").unlink()
    assert len(recipients(config_of(node))) == 1


def test_show_export_and_add_auditor(node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = fingerprint(recipients(config_of(node))[0])
    assert main(["log", "key", str(node), "show"]) == 0
    assert own in capsys.readouterr().out
    out = tmp_path / "copy.p12"
    assert main(["log", "key", str(node), "export"]) == 2
    arguments = ["--out", str(out), "--password-file", str(tmp_path / "password")]
    assert main(["log", "key", str(node), "export", *arguments]) == 0
    key = pkcs12.load_key_and_certificates(out.read_bytes(), b"secret password")[0]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert fingerprint(key.public_key()) == own
    assert out.stat().st_mode & 0o077 == 0


def test_an_auditor_is_added_by_what_the_command_says(
    node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = tmp_path / "auditor.pem"
    pem.write_bytes(auditor.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    capsys.readouterr()
    assert main(["log", "key", str(node), "add-auditor", "--key", str(pem)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    node.write_text(f"{node.read_text()}{line}\n")
    assert fingerprint(auditor) in {fingerprint(key) for key in recipients(config_of(node))}
    pem.write_text("no key")
    with pytest.raises(LogKeyUnusable, match=r"auditor\.pem"):
        recipients(config_of(node))


async def test_check_tells_and_its_exit_code_too(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = await logged(node, 5)
    assert main(["log", "check", str(node)]) == 0
    assert "5 records" in capsys.readouterr().out
    with closing(open_node_database(config_of(node).database)) as database, database.transaction() as connection:
        connection.execute(sa.text("UPDATE log_record SET user_id = 'x' WHERE id = :id"), {"id": numbers[2]})
    assert main(["log", "check", str(node)]) == 1
    assert f"changed: Record {numbers[2]} was changed" in capsys.readouterr().out


async def test_prove_says_why_there_is_no_proof_yet(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = await logged(node, 1)
    assert main(["log", "prove", str(node), str(numbers[0])]) == 1
    assert "No tree head" in capsys.readouterr().err


def test_a_file_that_is_no_proof(node: Path, tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text(json.dumps({"format": "other"}))
    assert main(["log", "check", str(node), str(tmp_path / "proof.json")]) == 2


def test_openssl_reads_the_exported_key(node: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy.p12"
    main(["log", "key", str(node), "export", "--out", str(out), "--password-file", str(tmp_path / "password")])
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", out, "-nocerts", "-nodes", "-passin", f"file:{tmp_path / 'password'}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "BEGIN PRIVATE KEY" in done.stdout
