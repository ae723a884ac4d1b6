"""The canonical form is RFC 8785, whichever library wrote it."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from adapters.events.canonical import canonical, written

_numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["2025-12-02T00:00:00+07:00", '":1', ",1.0", "[2.5e3", "\\u0041", '"', "ដារ៉ា", "\x00\x1f\x7f\u2028"]
)
_json: Any = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab_\x20z", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_the_form_is_that_of_rfc_8785_whatever_wrote_it(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(_json)
def test_what_is_written_is_what_is_read(value: Any) -> None:
    assert json.loads(written(value)) == value


@pytest.mark.parametrize(
    "value", [1.0, -0.0, 1e21, 1e-7, 0.1, [1.0], [None, 1e21], {"a": 1.0}, {"a": [True, 2.0]}, None]
)
def test_numbers_are_written_as_ecmascript_writes_them(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", ["\ud800", {1: "a"}, {"a": {2}}])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)
