"""Fixtures that every test may use."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.loglines import forget_cached_loggers, reset_logs, standard_handlers
from tests.support.postgres import any_database, postgresql_server, postgresql_url
from tests.support.shared import need_shared

__all__ = ["any_database", "postgresql_server", "postgresql_url"]  # fixtures: found here by every test


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Give the finder of reference data: ``shared("vectors/xroad/asic")``."""
    return need_shared


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Leave the process's logs as they were: else the next test would write to a stream that this one has closed."""
    configured, configuration = structlog.is_configured(), structlog.get_config()
    handlers, level = standard_handlers(), logging.getLogger().level
    yield
    if structlog.get_config() == configuration and standard_handlers() == handlers:
        return
    reset_logs()
    if configured:
        structlog.configure(**configuration)
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(level)
    forget_cached_loggers()
