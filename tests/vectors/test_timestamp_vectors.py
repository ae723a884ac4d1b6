"""Time-stamps of an authority of 2012, as X-Road's own software tests with them (BER, 1024-bit key, no certificate)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.shared import need_shared
from xroad import errors, timestamp
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory

AT = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.fixture
def folder() -> Path:
    return need_shared("vectors/xroad/timestamps")


@pytest.fixture
def trust() -> TrustSnapshot:
    root = need_shared("vectors/xroad/globalconf/downloaded/globalconf_good_v5")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return load_directory(files, AT)


def test_valid(folder: Path, trust: TrustSnapshot) -> None:
    verified = timestamp.verify((folder / "valid").read_bytes(), (folder / "stamped-data").read_bytes(), trust, AT)
    assert verified.gen_time == datetime(2012, 11, 29, 13, 10, 4, tzinfo=UTC)


def test_invalid_signature(folder: Path, trust: TrustSnapshot) -> None:
    with pytest.raises(errors.TimestampValidation, match="signature does not hold"):
        timestamp.verify((folder / "invalid-signature").read_bytes(), (folder / "stamped-data").read_bytes(), trust, AT)


def test_other_data(folder: Path, trust: TrustSnapshot) -> None:
    data = bytearray((folder / "stamped-data").read_bytes())
    data[42] ^= 1
    with pytest.raises(errors.MalformedSignature):
        timestamp.verify((folder / "valid").read_bytes(), bytes(data), trust, AT)
