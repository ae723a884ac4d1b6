"""The log lines of a test, as the nodes of one process wrote them into one stream."""

import io
import json
import logging
import sys
from dataclasses import dataclass

import structlog
from structlog._config import BoundLoggerLazyProxy

from serverkit.logs import _StandardHandler


@dataclass(slots=True)
class Lines:
    """The log lines since the test began."""

    stream: io.StringIO
    start: int = 0

    def text(self) -> str:
        return self.stream.getvalue()[self.start :]

    def all(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def exchanges(self, side: str) -> list[dict[str, object]]:
        return [line for line in self.all() if line["event"] == "exchange" and line["side"] == side]


def standard_handlers() -> list[logging.Handler]:
    """Give what `configure_logs` put at the standard library's root; the test runner has others there."""
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _StandardHandler)]


def forget_cached_loggers() -> None:
    """Let module loggers find the new stream: structlog caches what they first wrote with, for the process's life."""
    for module in list(sys.modules.values()):
        for logger in list(vars(module).values()):
            if isinstance(logger, BoundLoggerLazyProxy):
                vars(logger).pop("bind", None)


def reset_logs() -> None:
    """Undo `configure_logs`."""
    for handler in standard_handlers():
        logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    structlog.reset_defaults()
    forget_cached_loggers()
