from collections.abc import Mapping

import pytest

from contracts import siblings

PREFIX = {"village": "commune", "commune": "district"}
ORDER = {"until": "since"}


@pytest.mark.parametrize(
    ("instance", "broken"),
    [
        ({"village": "0101", "commune": "01"}, None),
        ({"village": "0201", "commune": "01"}, "village"),
        ({"village": "0101", "commune": "01", "district": "9"}, "commune"),
        ({"village": "0201"}, None),
        ({"village": "0201", "commune": 1}, None),
        ({"village": 201, "commune": "01"}, None),
        ({}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_one_field_begins_with_the_other(instance: object, broken: str | None) -> None:
    assert siblings.KEYWORDS["x-prefix"](PREFIX, instance) == broken


@pytest.mark.parametrize(
    ("instance", "broken"),
    [
        ({"until": "2026-01-02T00:00:00+07:00", "since": "2026-01-01T00:00:00+07:00"}, None),
        ({"until": "2026-01-01T00:00:00+07:00", "since": "2026-01-01T00:00:00+07:00"}, None),
        ({"until": "2025-12-31T00:00:00+07:00", "since": "2026-01-01T00:00:00+07:00"}, "until"),
        ({"until": "2025-12", "since": "2026-01"}, "until"),
        ({"until": "2025-12-31T00:00:00+07:00"}, None),
        ({"since": "2026-01-01T00:00:00+07:00"}, None),
        ({"until": None, "since": "2026-01-01T00:00:00+07:00"}, None),
    ],
)
def test_one_day_is_not_before_the_other(instance: Mapping[str, object], broken: str | None) -> None:
    assert siblings.KEYWORDS["x-not-before"](ORDER, instance) == broken
