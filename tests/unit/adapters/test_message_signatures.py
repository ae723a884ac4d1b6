import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import contracts
from adapters.config import load_config
from adapters.errors import ConfigError, RequestRefused
from adapters.registry import signing
from adapters.registry.keyfiles import SigningKey, VerifyingKey, load_signing_key, read_jwk, thumbprint
from tests.support.adapters import CLIENT, search_item, search_message
from tests.support.registry import make_adapter, running

VECTORS = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "vectors" / "message-signatures.json").read_text(encoding="utf-8")
)["vectors"]
P1 = {"type": "LOCAL_ID", "value": "p1"}


def write_key(path: Path, private: Any) -> Path:
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(private.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    path.chmod(0o600)
    return path


def signing_key(folder: Path, name: str = "sign.pem", *, edwards: bool = False) -> SigningKey:
    private = ed25519.Ed25519PrivateKey.generate() if edwards else ec.generate_private_key(ec.SECP256R1())
    return load_signing_key(write_key(folder / name, private), config="adapter.yaml", key="key")


def senders(key: SigningKey, *, demand: bool = False) -> signing.Senders:
    return signing.Senders({CLIENT: (read_jwk(key.jwk),)}, demand)


def verify(document: dict[str, Any], key: VerifyingKey) -> None:
    signing.verify(document, CLIENT, signing.Senders({CLIENT: (key,)}, demand=True))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["title"].replace(" ", "-"))
def test_published_vectors(vector: dict[str, Any]) -> None:
    key = read_jwk(vector["jwk"])
    assert signing.canonical(vector["document"]).decode() == vector["canonical"]
    if vector["valid"]:
        verify(vector["document"], key)
    else:
        with pytest.raises(RequestRefused) as caught:
            verify(vector["document"], key)
        assert (caught.value.status, caught.value.code) == (401, "err.signature.invalid")


def test_openssl_says_the_same_of_a_vector(tmp_path: Path) -> None:
    vector = next(each for each in VECTORS if each["valid"] and each["jwk"]["alg"] == "ES256")
    head, _payload, value = vector["document"]["signature"].split(".")
    payload = base64.urlsafe_b64encode(vector["canonical"].encode()).rstrip(b"=").decode()
    raw = base64.urlsafe_b64decode(value + "==")
    (tmp_path / "signed").write_text(f"{head}.{payload}")
    (tmp_path / "signature").write_bytes(
        encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    )
    public = read_jwk(vector["jwk"]).public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public.pem").write_bytes(public)
    command = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout == b"Verified OK\n"


@pytest.mark.parametrize("edwards", [False, True])
def test_what_is_signed_is_verified_and_nothing_else(tmp_path: Path, *, edwards: bool) -> None:
    key = signing_key(tmp_path, edwards=edwards)
    signed = signing.sign(search_message(search_item(P1)), key)
    signing.verify(signed, CLIENT, senders(key))
    for changed in (
        signed | {"header": signed["header"] | {"total_count": 2}},
        signed | {"message": signed["message"] | {"transaction_id": "t-2"}},
        signed | {"signature": signed["signature"][:-4] + "AAAA"},
        signed | {"signature": "not a signature"},
        signed | {"signature": "a.b"},
        signed | {"signature": {"a": 1}},
        signed | {"signature": "x" * 5000},
        signed | {"header": signed["header"] | {"meta": {"n": 2**60}}},
    ):
        with pytest.raises(RequestRefused, match=r"err\.signature\.invalid"):
            signing.verify(changed, CLIENT, senders(key))


def test_a_signature_is_that_of_its_client(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    signed = signing.sign(search_message(search_item(P1)), key)
    with pytest.raises(RequestRefused, match="no key of this client"):
        signing.verify(signed, "KH-SANDBOX/GOV/NSSF/MEMBERS", senders(key))


def test_only_the_two_kinds_of_key_and_only_for_their_owner(tmp_path: Path) -> None:
    others = write_key(tmp_path / "rsa.pem", rsa.generate_private_key(65537, 2048))
    with pytest.raises(ConfigError, match="P-256"):
        load_signing_key(others, config="adapter.yaml", key="key")
    curve = write_key(tmp_path / "p384.pem", ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(ConfigError, match="P-256"):
        load_signing_key(curve, config="adapter.yaml", key="key")
    open_key = write_key(tmp_path / "open.pem", ec.generate_private_key(ec.SECP256R1()))
    open_key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_signing_key(open_key, config="adapter.yaml", key="key")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_signing_key(tmp_path / "nothing.pem", config="adapter.yaml", key="key")


@pytest.mark.parametrize(
    "change",
    [{"d": "AAAA"}, {"alg": "HS256"}, {"crv": "P-384"}, {"kty": "oct"}, {"x": "AAAA"}],
    ids="-".join,
)
def test_public_keys_that_are_none(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="key"):
        read_jwk({**signing_key(tmp_path).jwk, **change})


def test_a_key_is_named_as_rfc_7638_says() -> None:
    # RFC 8037, appendix A.3
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def adapter_with_keys(folder: Path, key: SigningKey, *, demand: bool) -> Path:
    (folder / "senders.json").write_text(json.dumps({"senders": {CLIENT: {"keys": [key.jwk]}}}))
    write_key(folder / "own.pem", ed25519.Ed25519PrivateKey.generate())
    signatures = {"key_file": "own.pem", "senders_file": "senders.json", "demand": demand}
    return make_adapter(folder, signatures=signatures)


async def test_a_registry_that_demands_signatures_and_signs_its_answers(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    async with running(adapter_with_keys(tmp_path, key, demand=True)) as caller:
        status, answer = await caller.post(search_message(search_item(P1)))
        assert (status, answer["errors"][0]["code"]) == (401, "err.signature.missing")
        status, answer = await caller.post(signing.sign(search_message(search_item(P1), message_id="signed"), key))
        assert status == 200
        async with caller.session.get(f"{caller.url}/person/.well-known/jwks.json") as response:
            published = await response.json()
    contracts.validate("dci/sync-search-response", "1.0.0", answer)
    contracts.validate("dci/json-web-key-set", "1.0.0", published)
    [own] = published["keys"]
    assert "d" not in own
    verify(answer, read_jwk(own))


async def test_a_signature_that_nobody_can_check_is_not_passed_over(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    async with running(make_adapter(tmp_path)) as caller:
        status, answer = await caller.post(signing.sign(search_message(search_item(P1)), key))
    assert (status, answer["errors"][0]["code"]) == (401, "err.signature.invalid")


def test_a_private_key_among_the_senders_is_told(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    path = adapter_with_keys(tmp_path, key, demand=False)
    (tmp_path / "senders.json").write_text(json.dumps({"senders": {CLIENT: {"keys": [{**key.jwk, "d": "AAAA"}]}}}))
    config = load_config(path)
    assert config.signatures.senders_file is not None
    with pytest.raises(ConfigError, match="private key"):
        signing.load_senders(config.signatures.senders_file, demand=True)
