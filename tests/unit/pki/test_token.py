import asyncio
import contextlib
import json
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from pki.errors import PinRefused, TokenDamaged, TokenError, TokenPermissions, UnknownKey, WrongPin
from pki.pin import Pin
from pki.token import CertificateStatus, KeyId, KeyType, SoftwareToken, Usage
from pki.token_index import Seal
from tests.support.authority import AT, PIN, certified, csr, new_authority, pem
from xroad.algorithms import default_algorithm
from xroad.identifiers import ClientId

MEMBER = ClientId("KH-SANDBOX", "GOV", "MOP", None)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "token"


@pytest.fixture
def token(directory: Path) -> SoftwareToken:
    return SoftwareToken.create(directory, PIN)


def test_what_was_made_is_there_after_opening_again(token: SoftwareToken, directory: Path) -> None:
    made = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING, member=MEMBER)
    assert SoftwareToken.open(directory, PIN).keys == (made,)
    assert (made.member, made.usage, made.certificate, made.active) == (MEMBER, Usage.SIGNING, None, False)


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"])
async def test_signatures_verify(token: SoftwareToken, key_type: KeyType) -> None:
    key = token.generate_key("signing", key_type, usage=Usage.SIGNING)
    public = token.public_key(key.id)
    algorithm = default_algorithm(public)
    values = await asyncio.gather(*(token.sign(key.id, b"%d" % number, algorithm) for number in range(20)))
    for number, value in enumerate(values):
        algorithm.verify(public, value, b"%d" % number)


def test_a_wrong_pin_is_told_apart_from_damage(token: SoftwareToken, directory: Path) -> None:
    with pytest.raises(WrongPin) as refused:
        SoftwareToken.open(directory, Pin("another-pin"))
    assert "another-pin" not in str(refused.value)


def test_a_new_token_needs_a_strong_pin_and_an_empty_directory(token: SoftwareToken, directory: Path) -> None:
    with pytest.raises(PinRefused):
        SoftwareToken.create(directory / "inner", Pin("12345"))
    with pytest.raises(TokenError, match="not empty"):
        SoftwareToken.create(directory, PIN)


def test_an_altered_key_file_is_refused(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    file = directory / "keys" / f"{key.id}.pem"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(TokenDamaged, match=key.id):
        SoftwareToken.open(directory, PIN)


def test_a_missing_key_file_is_refused(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    (directory / "keys" / f"{key.id}.pem").unlink()
    with pytest.raises(TokenDamaged, match="missing or altered"):
        SoftwareToken.open(directory, PIN)


def test_exchanged_key_files_are_refused(token: SoftwareToken, directory: Path, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca")
    first, second = certified(token, authority), certified(token, authority, usage="sign")
    authority.close()
    one, other = (directory / "keys" / f"{key.id}.pem" for key in (first, second))
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    with pytest.raises(TokenDamaged, match="another key"):
        SoftwareToken.open(directory, PIN)


def test_an_altered_index_is_refused(token: SoftwareToken, directory: Path) -> None:
    token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    file = directory / "token.json"
    file.write_text(file.read_text().replace('"usage": "signing"', '"usage": "authentication"'))
    with pytest.raises(TokenDamaged, match="altered"):
        SoftwareToken.open(directory, PIN)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"hmac": 1, "version": 1, "seal": [], "keys": []}'])
def test_what_is_no_index_is_refused(token: SoftwareToken, directory: Path, content: bytes) -> None:
    (directory / "token.json").write_bytes(content)
    with pytest.raises(TokenDamaged):
        SoftwareToken.open(directory, PIN)


def test_a_token_of_a_later_version_is_refused(token: SoftwareToken, directory: Path) -> None:
    file = directory / "token.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 2}))
    with pytest.raises(TokenDamaged, match="version 2"):
        SoftwareToken.open(directory, PIN)


def test_no_token_at_all_is_refused(directory: Path) -> None:
    with pytest.raises(TokenDamaged, match="No such file"):
        SoftwareToken.open(directory, PIN)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o720])
def test_a_directory_open_to_others_is_refused(token: SoftwareToken, directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with pytest.raises(TokenPermissions, match="chmod 700"):
        SoftwareToken.open(directory, PIN)


def test_files_open_to_others_are_refused(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    (directory / "keys" / f"{key.id}.pem").chmod(0o640)
    with pytest.raises(TokenPermissions, match="chmod 600"):
        SoftwareToken.open(directory, PIN)


def test_a_token_of_another_user_is_refused(
    token: SoftwareToken, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(TokenPermissions, match="belongs to user"):
        SoftwareToken.open(directory, PIN)


def test_everything_on_disk_is_private_and_encrypted(token: SoftwareToken, directory: Path) -> None:
    token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    written = [path for path in directory.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [directory, *written])
    keys = [path.read_text() for path in written if path.suffix == ".pem"]
    assert keys
    assert all(text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----") for text in keys)


def test_what_a_killed_writer_left_is_swept(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    left = [directory / ".new-0badc0de", directory / "keys" / ".new-0badc0de"]
    for file in left:
        file.write_bytes(b"half a fi")
    # Killed between key and index: a key that no index names.
    (directory / "keys" / "0123456789abcdef.pem").write_bytes(b"half a key")
    assert SoftwareToken.open(directory, PIN).keys == (key,)
    assert not any(file.exists() for file in left)


def test_a_failed_write_leaves_the_old_index(
    token: SoftwareToken, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = token.generate_key("first", "ec-p256", usage=Usage.SIGNING)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TokenError, match="No space left"):
        token.generate_key("second", "ec-p256", usage=Usage.SIGNING)
    monkeypatch.undo()
    assert token.keys == SoftwareToken.open(directory, PIN).keys == (key,)
    assert not list(directory.rglob(".new-*"))


def test_two_processes_do_not_undo_each_other(token: SoftwareToken, directory: Path) -> None:
    other = SoftwareToken.open(directory, PIN)
    first = token.generate_key("first", "ec-p256", usage=Usage.SIGNING)
    second = other.generate_key("second", "ec-p256", usage=Usage.SIGNING)
    assert other.keys == SoftwareToken.open(directory, PIN).keys == (first, second)


def test_writers_take_turns(token: SoftwareToken, directory: Path) -> None:
    opened = [SoftwareToken.open(directory, PIN) for _ in range(4)]

    def make(number: int) -> None:
        opened[number % 4].generate_key(f"key {number}", "ec-p256", usage=Usage.SIGNING)

    for start in range(0, 20, 4):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(start, start + 4)))
    assert len(SoftwareToken.open(directory, PIN).keys) == 20


def test_labels_are_checked_and_unique(token: SoftwareToken) -> None:
    token.generate_key("ss1: signing", "ec-p256", usage=Usage.SIGNING)
    for label in ("", "a\nb", "x" * 201, "ss1: signing"):
        with pytest.raises(TokenError):
            token.generate_key(label, "ec-p256", usage=Usage.SIGNING)
    assert len(token.keys) == 1


def test_unknown_key_types_are_refused(token: SoftwareToken) -> None:
    with pytest.raises(TokenError, match="ec-p256"):
        token.generate_key("signing", "rsa-1024", usage=Usage.SIGNING)  # type: ignore[arg-type]  # as the command line might


async def test_unknown_keys_and_missing_certificates_are_named(token: SoftwareToken) -> None:
    with pytest.raises(UnknownKey, match="0badc0de"):
        token.key(KeyId("0badc0de"))
    with pytest.raises(UnknownKey, match="absent"):
        token.find("absent")
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    assert token.find("signing") == key
    with pytest.raises(UnknownKey, match="no certificate yet"):
        token.certificate(key.id)
    with pytest.raises(UnknownKey):
        await token.sign(KeyId("0badc0de"), b"", default_algorithm(token.public_key(key.id)))


def test_certificates_find_their_key(token: SoftwareToken, directory: Path, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca", issuing_ca=True)
    token.generate_key("another", "ec-p256", usage=Usage.AUTHENTICATION)
    key = certified(token, authority)
    authority.close()
    assert key.chain == authority.ca_certificates[1:]
    assert (key.status, key.active) == (CertificateStatus.SAVED, True)
    assert SoftwareToken.open(directory, PIN).key(key.id) == key
    registered = token.set_status(key.id, CertificateStatus.REGISTERED, active=False)
    assert (registered.status, registered.active) == (CertificateStatus.REGISTERED, False)
    assert SoftwareToken.open(directory, PIN).key(key.id) == registered


def test_certificates_of_others_and_other_usages_are_refused(token: SoftwareToken, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca")
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    authentication = authority.issue(csr(token, key), usage="auth", now=AT)
    with pytest.raises(TokenError, match="no signing certificate"):
        token.import_certificate(pem(authentication))
    with pytest.raises(TokenError, match="No key of this token"):
        token.import_certificate(pem(authority.tsa_certificate))
    with pytest.raises(TokenError, match="holds no X"):
        token.import_certificate(b"-----BEGIN nonsense")
    authority.close()
    assert token.key(key.id) == key


def test_a_signing_certificate_is_refused_for_authentication(token: SoftwareToken, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca")
    key = token.generate_key("authentication", "ec-p256", usage=Usage.AUTHENTICATION)
    signing = authority.issue(csr(token, key), usage="sign", now=AT)
    authority.close()
    with pytest.raises(TokenError, match="no authentication certificate"):
        token.import_certificate(pem(signing))


@pytest.mark.parametrize("key_type", ["ec-p256", "rsa-2048"])
def test_a_tls_handshake_uses_the_key(token: SoftwareToken, tmp_path: Path, key_type: KeyType) -> None:
    authority = new_authority(tmp_path / "ca", issuing_ca=True)
    key = certified(token, authority, key_type=key_type)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    token.load_into(server, key.id)
    client.load_verify_locations(cadata=pem(authority.ca_certificates[0]).decode())
    client.verify_flags |= ssl.VerifyFlags(0x200000)  # NO_CHECK_TIME: the certificates are of the tests' own time
    authority.close()
    assert _handshake(client, server) == "TLSv1.3"


def test_a_tls_context_refuses_an_altered_key(token: SoftwareToken, directory: Path, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca")
    key = certified(token, authority)
    authority.close()
    (directory / "keys" / f"{key.id}.pem").write_bytes(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    with pytest.raises(TokenDamaged):
        token.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), key.id)


def test_the_pin_can_be_changed(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    other = SoftwareToken.open(directory, PIN)
    token.change_pin(Pin("another-pin"))
    with pytest.raises(WrongPin):
        SoftwareToken.open(directory, PIN)
    # A process that was open meanwhile goes on, and does not bring the old PIN back.
    more = other.generate_key("more", "ec-p256", usage=Usage.SIGNING)
    assert SoftwareToken.open(directory, Pin("another-pin")).keys == (key, more)


def test_deleted_keys_are_gone_from_disk(token: SoftwareToken, directory: Path) -> None:
    key = token.generate_key("signing", "ec-p256", usage=Usage.SIGNING)
    token.delete_key(key.id)
    assert not list(directory.glob("keys/*.pem"))
    assert SoftwareToken.open(directory, PIN).keys == ()


def test_a_key_can_move_to_other_software(token: SoftwareToken, tmp_path: Path) -> None:
    authority = new_authority(tmp_path / "ca")
    key = certified(token, authority)
    authority.close()
    moved = pkcs12.load_pkcs12(token.export_pkcs12(key.id, Pin("for-the-move")), b"for-the-move")
    assert moved.cert is not None
    assert moved.cert.certificate == key.certificate


def test_secrets_do_not_show(token: SoftwareToken) -> None:
    seal = token._seal
    shown = f"{token!r} {seal!r} {vars(token)!r}"
    assert seal.master.hex() not in shown
    assert repr(seal.master) not in shown
    assert seal.passphrase().decode() not in shown


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    peers = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="ss1.example"),
    ]
    waiting = list(peers)
    while waiting:
        for peer in list(waiting):
            with contextlib.suppress(ssl.SSLWantReadError):
                peer.do_handshake()
                waiting.remove(peer)
    return peers[1].version()


def test_each_seal_has_a_salt_of_its_own(true_salts: None) -> None:
    assert len({Seal.new(PIN).header["salt"] for _ in range(5)}) == 5
