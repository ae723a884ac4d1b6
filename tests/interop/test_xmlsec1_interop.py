"""Our signatures verify with xmlsec1, which has never heard of X-Road."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.pki import KeyType
from tests.support.signing import BODY, HEAD, Signed, signed
from tests.support.tools import need_tool, run


def verify(folder: Path, sample: Signed, *, head: bytes = HEAD, body: bytes = BODY, fails: bool = False) -> str:
    files = {
        "/message.xml": head,
        "/attachment1": body,
        "/sig-hashchainresult.xml": sample.data.hash_chain_result or b"",
    }
    maps: list[str] = []
    for name, data in files.items():
        path = folder / name.lstrip("/")
        path.write_bytes(data)
        maps += [f"--url-map:{name}", str(path)]
    (folder / "signature.xml").write_bytes(sample.xml)
    (folder / "root.pem").write_bytes(sample.pki.root.certificate.public_bytes(Encoding.PEM))
    return run(
        need_tool("xmlsec1"),
        "--verify",
        "--enabled-key-data",
        "x509",
        "--trusted-pem",
        str(folder / "root.pem"),
        "--verification-time",
        sample.pki.at.strftime("%Y-%m-%d %H:%M:%S"),
        "--id-attr:Id",
        "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
        *maps,
        str(folder / "signature.xml"),
        fails=fails,
    )


@pytest.mark.parametrize("key_type", ["rsa-2048", "ec-p256", "ec-p384"])
@pytest.mark.parametrize("chained", [False, True])
def test_our_signature_verifies(tmp_path: Path, key_type: KeyType, *, chained: bool) -> None:
    assert "OK" in verify(tmp_path, signed(key_type, chained=chained))


def test_our_signature_over_another_message_does_not(tmp_path: Path) -> None:
    verify(tmp_path, signed(), head=b"other", fails=True)
    verify(tmp_path, signed(), body=b"other", fails=True)
