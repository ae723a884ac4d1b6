import pytest

from adapters.registry.strictjson import MAX_DEPTH, BadJson, parse

SECRET = "SENSITIVE-VALUE"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'"\\ud800"',
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * 100_000,
        b"1" * 5_000,
        b'{"a": 1e999}',
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'"a\nb"',
        f'{{"{SECRET}": "{SECRET}"'.encode(),
    ],
)
def test_bad_json_is_refused_without_its_content(data: bytes) -> None:
    with pytest.raises(BadJson) as caught:
        parse(data)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{}", {}),
        ('{"a": "ភាសាខ្មែរ"}'.encode(), {"a": "ភាសាខ្មែរ"}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    ],
)
def test_good_json_is_parsed(data: bytes, expected: object) -> None:
    found = parse(data)
    assert expected is None or found == expected
