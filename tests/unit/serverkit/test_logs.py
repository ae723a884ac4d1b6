import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from serverkit.logs import SECRET_KEYS, bound, configure_logs, get_logger
from xroad.errors import LoggingFailed


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    target = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs(stream=target)
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_object_a_line(stream: io.StringIO) -> None:
    get_logger("node").info("exchange_completed", status=200, path="a\nb", name="សុខ")
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "exchange_completed",
        "level": "info",
        "component": "node",
        "status": 200,
        "path": "a\nb",
        "name": "សុខ",
    }


def test_time_is_utc_with_milliseconds(stream: io.StringIO) -> None:
    get_logger().info("x")
    time = lines(stream)[0]["time"]
    assert len(time) == len("2026-01-01T00:00:00.000Z")
    assert datetime.fromisoformat(time).tzinfo is not None


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_secrets_are_never_written(stream: io.StringIO, key: str) -> None:
    get_logger().info("x", **{key: "hidden", "nested": {key: "hidden", "list": [{key.upper(): "hidden"}]}})
    get_logger().info("x", **{key.replace("_", "-").title(): "hidden", f"{key}_seen": 1})
    assert "hidden" not in stream.getvalue()
    assert lines(stream)[1][f"{key}_seen"] == 1


def test_bytes_and_long_text_are_not_written(stream: io.StringIO) -> None:
    get_logger().info("x", data=b"abc", text="y" * 10_000)
    (line,) = lines(stream)
    assert line["data"] == "[3 bytes]"
    assert len(line["text"]) < 2100


def test_hostile_text_cannot_break_a_line(stream: io.StringIO) -> None:
    get_logger().info("x", text='"}\n{"event":"forged"\udcff\u2028')
    (line,) = lines(stream)
    assert line["event"] == "x"


async def test_bound_values_follow_the_task(stream: io.StringIO) -> None:
    async def work(number: int) -> None:
        with bound(exchange_id=number):
            await asyncio.sleep(0)
            get_logger().info("step")

    await asyncio.gather(work(1), work(2))
    get_logger().info("after")
    assert [line.get("exchange_id") for line in lines(stream)] == [1, 2, None]


def test_foreign_exceptions_are_told_without_their_words(stream: io.StringIO) -> None:
    def fail() -> None:
        try:
            int("card 0123456789")
        except ValueError as error:
            raise LoggingFailed("make room on the disk") from error

    try:
        fail()
    except LoggingFailed as error:
        get_logger().error("exchange_failed", exc_info=error)
        get_logger().exception("exchange_failed")
    told = lines(stream)
    assert "0123456789" not in stream.getvalue()
    assert told[0]["exception"]["detail"] == "make room on the disk"
    assert told[0]["exception"]["cause"]["type"] == "builtins.ValueError"
    assert "test_logs.py" in told[0]["exception"]["frames"][0]
    assert told[1]["exception"]["code"] == "LoggingFailed"


def test_groups_are_told(stream: io.StringIO) -> None:
    get_logger().error("x", exc_info=ExceptionGroup("card 1", [ValueError("card 2")]))
    assert lines(stream)[0]["exception"]["errors"][0]["type"] == "builtins.ValueError"
    assert "card" not in stream.getvalue().replace("test_logs", "")


def test_libraries_come_through_without_values(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "citizen", exc_info=ValueError("card"))
    logging.getLogger("alembic").info("quiet")
    (line,) = lines(stream)
    assert (line["component"], line["level"]) == ("aiohttp.server", "error")
    assert line["template"] == "Error handling request from %s"
    assert line["exception"]["type"] == "builtins.ValueError"
    assert "citizen" not in stream.getvalue()


def test_level_and_repeated_configuration(stream: io.StringIO) -> None:
    configure_logs(stream=stream, level="warning")
    get_logger().info("quiet")
    logging.getLogger("lib").warning("once")
    assert [line["event"] for line in lines(stream)] == ["library_message"]


def test_a_secret_that_is_a_number_is_redacted_too(stream: io.StringIO) -> None:
    get_logger().info("opened", pin=123456)
    assert lines(stream)[-1]["pin"] == "[redacted]"


def test_a_library_that_composes_its_message_of_values_tells_its_first_line_only(stream: io.StringIO) -> None:
    """asyncio appends the task that failed, with the exception's words."""
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=ValueError('Sok')>")
    (line,) = lines(stream)
    assert line["template"] == "Task exception was never retrieved"
