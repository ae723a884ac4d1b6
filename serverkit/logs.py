"""One JSON object a line on standard error, for our own events and for the libraries' alike.

It refuses to know what is logged; it knows what must never be: secrets, bodies, and the words of foreign errors.
A process configures it once; modules take a logger and name events in snake_case.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from xroad.errors import XRoadError

# Values under these keys are never written, whoever logs them; `body` and the like hold personal data.
SECRET_KEYS = frozenset({
    "api_key",
    "attachment",
    "authorization",
    "body",
    "content",
    "cookie",
    "credentials",
    "document",
    "headers",
    "key_pem",
    "message",
    "passphrase",
    "passwd",
    "password",
    "payload",
    "pin",
    "private_key",
    "proxy_authorization",
    "secret",
    "set_cookie",
    "token",
    "token_pin",
    "x_api_key",
})  # fmt: skip
_REDACTED = "[redacted]"
_MAX_TEXT = 2000  # a log line is read by people and shipped by tools with limits
_MAX_FRAMES = 12
_NOT_SNAKE = re.compile(r"[^a-z0-9]+")

Event = MutableMapping[str, Any]


def configure_logs(*, stream: TextIO | None = None, level: str = "info") -> None:
    """Set up logging for the process.

    Args:
        stream: where lines go; standard error when absent.
        level: least level that is written: debug, info, warning or error.
    """
    target = stream or sys.stderr
    least = logging.getLevelNamesMapping()[level.upper()]
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_time,
        _describe_exception,
        _redact,
        _render,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _StandardHandler)]:
        root.removeHandler(handler)
    root.addHandler(_StandardHandler(processors, target))
    # Libraries tell their doings at `info`; the server's own lines say what matters.
    root.setLevel(max(least, logging.WARNING))


def get_logger(name: str = "") -> FilteringBoundLogger:
    """Give a logger; `log.info("exchange_completed", status=200)`."""
    logger: FilteringBoundLogger = structlog.get_logger(**({"component": name} if name else {}))
    return logger


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Put values (exchange id, request id) on every line within, also in tasks that are started within."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def _add_time(_logger: object, _method: str, event: Event) -> Event:
    event["time"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return event


def _describe_exception(_logger: object, _method: str, event: Event) -> Event:
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def describe(error: BaseException) -> Mapping[str, object]:
    """Tell an exception without its words: those of foreign libraries quote values, which may be personal data.

    Returns:
        type; for our own errors code, id and detail; the innermost frames; the cause, in the same form.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    told: dict[str, object] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, XRoadError):
        told |= {"code": error.full_code, "detail": error.detail, "error_id": error.error_id}
    if isinstance(error, BaseExceptionGroup):
        told["errors"] = [describe(inner) for inner in error.exceptions]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = describe(cause)
    return told


def _redact(_logger: object, _method: str, event: Event) -> Event:
    for key, value in event.items():
        plain = len(value) <= _MAX_TEXT if type(value) is str else type(value) in _HARMLESS
        if not (plain and not _is_secret(key)) and key not in _OWN_KEYS:
            event[key] = _clean(key, value)
    return event


# Nothing can be hidden in them; most values of a line are of these.
_HARMLESS = frozenset({int, float, bool, type(None)})

# Made by the processors before: nothing to look for.
_OWN_KEYS = frozenset({"event", "level", "time", "exception"})


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return key in SECRET_KEYS or _NOT_SNAKE.sub("_", key.lower()) in SECRET_KEYS


def _clean(key: str, value: object) -> object:
    if _is_secret(key):
        return _REDACTED
    if type(value) in _HARMLESS:
        return value
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), content) for inner, content in value.items()}
    return [_clean(key, item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value


_ENCODE: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode

_LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


def _render(_logger: object, _method: str, event: Event) -> str:
    line = _ENCODE(event)
    if line.isascii():
        return line
    # Out of a hostile header: lone surrogates would make the stream refuse the line, the others would split it.
    return line.encode("utf-8", "backslashreplace").decode("utf-8").translate(_LINE_BREAKS)


class _StandardHandler(logging.Handler):
    """Turns the records of the standard library's logging into our lines."""

    def __init__(self, processors: list[Processor], target: TextIO) -> None:
        super().__init__()
        self._processors = processors
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        # The format string is the library's own; its arguments may be values of an exchange. asyncio composes its
        # messages before, and quotes the failure's words after the first line.
        template = str(record.msg).partition("\n")[0]
        event: Any = {"event": "library_message", "component": record.name, "template": template}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        self._target.write(f"{event}\n")
        self._target.flush()
