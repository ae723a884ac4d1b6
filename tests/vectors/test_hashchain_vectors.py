"""Hash chains that X-Road's own software tests with: the verdicts that their names tell."""

import pytest

from tests.support.shared import need_shared
from xroad import errors, hashchain
from xroad.algorithms import SHA256
from xroad.hashchain import MESSAGE, DigestValue


def hold(number: int, chain: str, *, digest_of: bytes | None = None, also: str | None = None) -> None:
    folder = need_shared("vectors/xroad/hashchain")
    message = (folder / f"hc-verifier{number}-message.xml").read_bytes()
    files = {"/hashchain.xml": (folder / chain).read_bytes(), MESSAGE: message}
    given = None if digest_of is None else DigestValue(SHA256, SHA256.digest(digest_of))
    inputs = {MESSAGE: given, **({also: None} if also else {})}
    hashchain.verify((folder / f"hc-verifier{number}-hashchainresult.xml").read_bytes(), inputs, files.get)


def test_detached_data() -> None:
    hold(1, "hc-verifier1-hashchain.xml")


def test_data_known_by_digest() -> None:
    hold(1, "hc-verifier1-hashchain.xml", digest_of=b"two")


def test_other_data() -> None:
    with pytest.raises(errors.InvalidHashChain):
        hold(1, "hc-verifier1-hashchain.xml", digest_of=b"three")


def test_unused_inputs() -> None:
    with pytest.raises(errors.HashChainUnusedInputs):
        hold(1, "hc-verifier1-hashchain.xml", also="/unused1")


def test_a_transform() -> None:
    hold(3, "hc-verifier3-hashchain.xml")


def test_a_transform_that_is_missing() -> None:
    with pytest.raises(errors.InvalidHashChainRef):
        hold(3, "hc-verifier3-hashchain-invalid.xml")
