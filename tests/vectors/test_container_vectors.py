"""Containers that X-Road's own software wrote get the verdicts of X-Road's own verifier."""

from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest

from tests.support.shared import need_shared
from xroad import asic
from xroad.asic import Outcome
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory

NOW = datetime(2026, 1, 1, tzinfo=UTC)

VERDICTS = {
    "valid-signed-message": "",
    "valid-non-batch-rest": "",
    "valid-batch-ts": "",
    "wrong-message": "InvalidSignatureValue",
    "invalid-digest": "InvalidSignatureValue",
    "invalid-hashchain-modified-message": "MalformedSignature.HashChainUnusedInputs",
}


@pytest.fixture
def trust() -> TrustSnapshot:
    root = need_shared("vectors/xroad/asic/verificationconf")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return load_directory(files, NOW, require_private=False)


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name: str, trust: TrustSnapshot) -> None:
    verdict = asic.judge(need_shared(f"vectors/xroad/asic/{name}.asice").read_bytes(), trust, NOW)
    assert verdict.reason == VERDICTS[name]
    assert (verdict.outcome is Outcome.VALID) is (not VERDICTS[name])


def test_a_soap_message_says_who_asked_for_what(trust: TrustSnapshot) -> None:
    verdict = asic.judge(need_shared("vectors/xroad/asic/valid-signed-message.asice").read_bytes(), trust, NOW)
    assert verdict.verified is not None
    message = verdict.verified.message
    assert (str(message.client), str(message.service)) == (
        "DEV/COM/4321/TestClient",
        "DEV/COM/1234/TestService/getRandom/v1",
    )
    assert message.query_id == "dd19fe68-7d37-41bd-b79c-8948ccdb36da"


@pytest.mark.parametrize("number", [0, 1])
def test_containers_of_archives_are_read(number: int, trust: TrustSnapshot) -> None:
    """Their instance is not the one of the configuration, so that nothing more can be told."""
    with ZipFile(BytesIO(need_shared(f"vectors/xroad/archive/message-archive-{number}.zip").read_bytes())) as archive:
        names = [name for name in archive.namelist() if name.endswith(".asice")]
        verdicts = [asic.judge(archive.read(name), trust, NOW) for name in names]
    assert all(verdict.container is not None for verdict in verdicts)
    assert {verdict.outcome for verdict in verdicts} <= {Outcome.CANNOT_TELL, Outcome.INVALID}
