from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.asynchronous import cron

AT = datetime(2026, 11, 28, 22, 15, 30, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 0 5,15 * ? *", datetime(2026, 12, 5, tzinfo=UTC)),  # DCI's own example
        ("0 0 6 * * ?", datetime(2026, 11, 29, 6, tzinfo=UTC)),
        ("0 2 * * *", datetime(2026, 11, 29, 2, tzinfo=UTC)),
        ("16 22 * * *", datetime(2026, 11, 28, 22, 16, tzinfo=UTC)),
        ("15 22 * * *", datetime(2026, 11, 29, 22, 15, tzinfo=UTC)),
        ("*/20 22-23 * * *", datetime(2026, 11, 28, 22, 20, tzinfo=UTC)),
        ("0 0 * * MON-FRI", datetime(2026, 11, 30, tzinfo=UTC)),
        ("0 0 * * 7", datetime(2026, 11, 29, tzinfo=UTC)),
        ("0 0 0 ? * 1", datetime(2026, 11, 29, tzinfo=UTC)),  # Quartz's first day of the week is Sunday
        ("0 0 13 * FRI", datetime(2026, 12, 4, tzinfo=UTC)),  # either of two day fields is enough
        ("0 0 1 jan *", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 0 0 1 1 ? 2027", datetime(2027, 1, 1, tzinfo=UTC)),
        ("* * * * * ?", AT + timedelta(seconds=1)),
        ("0 0 30 2 *", None),
        ("0 0 0 1 1 ? 2020", None),
    ],
)
def test_next_time(text: str, expected: datetime | None) -> None:
    assert cron.parse(text).after(AT) == expected


def test_it_is_read_in_the_callers_zone() -> None:
    phnom_penh = timezone(timedelta(hours=7))
    found = cron.parse("0 6 * * *").after(AT.astimezone(phnom_penh))
    assert found == datetime(2026, 11, 29, 6, tzinfo=phnom_penh)


def test_each_second_is_at_once() -> None:
    assert cron.parse("* * * * * ?").at_once
    assert not cron.parse("* * * * *").at_once


@pytest.mark.parametrize(
    "text",
    [
        "", "daily", "@daily", "0 2 * *", "0 2 * * * * * *", "60 2 * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *",
        "0 0 L * *", "0 0 15W * *", "0 0 * * 5#3", "0 0 * FOO *", "0 0 * * 8", "0 0 0 ? * 0", "5-1 * * * *",
        "*/0 * * * *", "*-5 * * * *", "1,,2 * * * *", "-1 * * * *", "1. * * * *", "٣ * * * *", "0 0 0 1 1 ? 3000",
    ],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(cron.BadCron):
        cron.parse(text)
