"""BER to DER: lengths and pieces, and nothing that keeps a server busy."""

import pytest

from xroad import ber


@pytest.mark.parametrize(
    ("data", "der"),
    [
        ("020105", "020105"),
        ("02810105", "020105"),
        ("30800201050000", "3003020105"),
        ("3080308002010500000000", "30053003020105"),
        ("2480040161040162 0000", "04026162"),
        ("24060401610401 62", "04026162"),
        ("a0800401610000", "a003040161"),
        ("3000", "3000"),
    ],
)
def test_becomes_der(data: str, der: str) -> None:
    assert ber.to_der(bytes.fromhex(data)) == bytes.fromhex(der)


def test_long_values_keep_their_length() -> None:
    der = ber.encode(0x04, bytes(300))
    assert der[:4] == bytes.fromhex("0482012c")
    assert ber.to_der(der) == der


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "cut short"),
        ("02", "cut short"),
        ("0205", "cut short"),
        ("3080020105", "cut short"),
        ("0480", "cut short"),
        ("020105ff", "more than one value"),
        ("1f8101", "of a tag that they do not have"),
        ("2403020105", "pieces that are none"),
        ("3002020105", "reaches beyond"),
        ("308501010101 01", "longer than"),
    ],
)
def test_what_is_not_one_value_is_refused(data: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ber.to_der(bytes.fromhex(data))


def test_deep_and_long_values_are_refused() -> None:
    with pytest.raises(ValueError, match="deeper"):
        ber.to_der(b"\x30\x80" * 40)
    with pytest.raises(ValueError, match="longer"):
        ber.to_der(bytes(ber.MAX_BYTES + 1))
