import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


NAMES = st.sampled_from(["a", "b", 'a":', "\\u0061", " :", '\\":'])
SPACE = st.text(alphabet=" \t\n\r", max_size=2)


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> str:
    """Objects as anybody may write them, in which names come twice, escaped, and like what stands between members."""
    parts = []
    for name in draw(st.lists(NAMES, max_size=4)):
        inner = draw(objects(depth + 1)) if depth < 2 and draw(st.booleans()) else json.dumps(draw(NAMES))
        written = name if name.startswith("\\") else json.dumps(name)[1:-1]
        parts.append(f'{draw(SPACE)}"{written}"{draw(SPACE)}:{draw(SPACE)}[{inner}]')
    return "{" + ",".join(parts) + "}"


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _value in pairs]
    if len(set(names)) < len(names):
        raise BadJson
    return dict(pairs)


@given(text=objects())
def test_a_name_that_comes_twice_is_found_however_it_is_written(text: str) -> None:
    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except BadJson:
        with pytest.raises(BadJson):
            parse(text.encode())
    else:
        assert parse(text.encode()) == expected
