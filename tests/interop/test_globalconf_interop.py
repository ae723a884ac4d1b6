"""Our signed directory before verifiers that are not ours: openssl, and the mail parser of Python."""

import base64
import email
import email.message
import email.policy
import hashlib
import subprocess
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.globalconf import SigningSource, shared_parameters
from tests.support.pki import KeyType, Pki


def signed_octets(data: bytes) -> bytes:
    """Cut the signed octets out with nothing but the rule: after the first part's headers, before its boundary."""
    outer = data.partition(b"boundary=")[2].partition(b"\r\n")[0]
    first = data.split(b"--" + outer + b"\r\n")[1]
    return first.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def published(key_type: str) -> tuple[SigningSource, bytes]:
    source = SigningSource.create(Pki.create(cast("KeyType", key_type)))
    return source, source.publish(shared_parameters(Pki.create()))


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_openssl_verifies_the_signature(key_type: str, tmp_path: Path) -> None:
    source, data = published(key_type)
    message = email.message_from_bytes(data)
    signature = cast("email.message.Message", message.get_payload(1)).get_payload(decode=True)
    assert isinstance(signature, bytes)
    key = source.signer.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "signed").write_bytes(signed_octets(data))
    command = ["openssl", "dgst", "-sha512", "-verify", "key.pem", "-signature", "signature", "signed"]
    verdict = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert verdict.stdout.strip() == "Verified OK"
    (tmp_path / "signed").write_bytes(signed_octets(data) + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_mail_parser_sees_the_same_parts() -> None:
    source, data = published("ec-p256")
    message = email.message_from_bytes(data, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/related"
    directory, signature = cast("list[email.message.Message]", message.get_payload())
    assert signature["Signature-Algorithm-Id"] == "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
    digest = base64.b64encode(hashlib.sha512(source.certificate).digest()).decode()
    assert signature["Verification-certificate-hash"].startswith(f"{digest}; hash-algorithm-id=")
    header, *parts = cast("list[email.message.Message]", directory.get_payload())
    assert (header["Version"], header["Expire-date"]) == ("6", "2026-03-14T09:36:53Z")
    for part in parts:
        content = source.contents[part["Content-location"]]
        assert part.get_payload(decode=True) == hashlib.sha512(content).digest()
