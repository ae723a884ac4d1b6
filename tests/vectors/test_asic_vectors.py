"""Signed documents that X-Road's own software wrote: their parts get the verdicts of X-Road's own verifier."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zipfile import ZipFile

import pytest

from tests.support.shared import need_shared
from xroad import errors, hashchain, timestamp, xades
from xroad.algorithms import SHA512
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
from xroad.identifiers import ClientId
from xroad.xades import form

NOW = datetime(2025, 1, 1, tzinfo=UTC)
REST = datetime(2024, 7, 11, 12, 51, 12, tzinfo=UTC)
CLIENT = ClientId("DEV", "COM", "4321")
PROVIDER = ClientId("DEV", "COM", "1234")


@pytest.fixture
def trust() -> TrustSnapshot:
    root = need_shared("vectors/xroad/asic/verificationconf")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return load_directory(files, NOW, require_private=False)


def entries(name: str) -> Mapping[str, bytes]:
    with ZipFile(need_shared(f"vectors/xroad/asic/{name}.asice")) as container:
        return {f"/{each}": container.read(each) for each in container.namelist()}


def stamp_of(files: Mapping[str, bytes], trust: TrustSnapshot) -> timestamp.VerifiedTimeStamp:
    """Verify a batch time-stamp, or the one inside the signature."""
    result = files.get("/ts-hashchainresult.xml")
    if result is not None:
        hashchain.verify(result, {"/META-INF/signatures.xml": None}, files.get)
        return timestamp.verify(files["/META-INF/timestamp.tst"], result, trust, NOW)
    located = form.locate(files["/META-INF/signatures.xml"])
    return timestamp.verify(located.time_stamps[0], located.signature_value, trust, NOW)


def verify(files: Mapping[str, bytes], signer: ClientId, trust: TrustSnapshot, at: datetime) -> xades.VerifiedSignature:
    names = [name for name in files if name == xades.MESSAGE or name.startswith("/attachment")]
    return xades.verify(
        files["/META-INF/signatures.xml"],
        {name: SHA512.digest(files[name]) for name in names},
        trust,
        at,
        signer,
        hash_chain_result=files.get(hashchain.SIG_HASH_CHAIN_RESULT),
        hash_chain=files.get(hashchain.SIG_HASH_CHAIN),
        document=files,
    )


@pytest.mark.parametrize(
    ("name", "signer"),
    [("valid-signed-message", CLIENT), ("valid-non-batch-rest", PROVIDER), ("valid-batch-ts", CLIENT)],
)
def test_valid(name: str, signer: ClientId, trust: TrustSnapshot) -> None:
    files = entries(name)
    stamped = stamp_of(files, trust)
    verified = verify(files, signer, trust, stamped.gen_time)
    assert verified.signer == signer
    assert verified.signing_time <= stamped.gen_time


@pytest.mark.parametrize("name", ["wrong-message", "invalid-digest"])
def test_invalid_signature_value(name: str, trust: TrustSnapshot) -> None:
    files = entries(name)
    with pytest.raises(errors.InvalidSignatureValue):
        verify(files, CLIENT, trust, datetime(2024, 12, 5, 13, 16, 35, tzinfo=UTC))


def test_hash_chain_of_another_message(trust: TrustSnapshot) -> None:
    files = entries("invalid-hashchain-modified-message")
    with pytest.raises(errors.MalformedSignature) as caught:
        verify(files, CLIENT, trust, datetime(2024, 12, 5, 14, 21, tzinfo=UTC))
    assert caught.value.bare_code == "MalformedSignature.HashChainUnusedInputs"


def test_a_valid_document_by_somebody_else(trust: TrustSnapshot) -> None:
    with pytest.raises(errors.IncorrectCertificate):
        verify(entries("valid-non-batch-rest"), CLIENT, trust, REST)


def test_a_valid_document_without_its_attachment(trust: TrustSnapshot) -> None:
    files = {name: data for name, data in entries("valid-non-batch-rest").items() if name != "/attachment1"}
    with pytest.raises(errors.InvalidReference):
        verify(files, PROVIDER, trust, REST)


def test_a_valid_document_a_day_later_has_no_fresh_status(trust: TrustSnapshot) -> None:
    with pytest.raises(errors.InvalidCertPath) as caught:
        verify(entries("valid-non-batch-rest"), PROVIDER, trust, NOW)
    assert caught.value.bare_code == "InvalidCertPath.IncorrectValidationInfo"
