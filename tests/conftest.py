"""Fixtures that every test may use."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from serverkit.memory import calm
from tests.support.loglines import forget_cached_loggers, reset_logs, standard_handlers
from tests.support.mariadb import mariadb_server
from tests.support.memorydisk import in_memory
from tests.support.migrating import _migrated_once, true_migrations
from tests.support.postgres import any_database, postgresql_server, postgresql_url
from tests.support.shared import need_shared
from tests.support.stretching import _stretched_once, true_salts

__all__ = [  # fixtures: found here by every test
    "_migrated_once",
    "_stretched_once",
    "any_database",
    "mariadb_server",
    "postgresql_server",
    "postgresql_url",
    "true_migrations",
    "true_salts",
]

# Tests start more than a hundred processes, and each would compile the project anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How fast a machine makes examples is no property of the code: a busy one failed for that alone.
settings.register_profile("spean", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spean")


LONG = frozenset(
    f"test_{each}"
    for each in (
        "large_bodies", "sandbox_full", "sandbox_demo", "sandbox_up", "running_a_node", "event_kills", "log_faults",
        "log_faults_disk", "outbox_nats", "archive_kills", "messagelog_crash",
    )
)  # fmt: skip


def pytest_configure() -> None:
    """Choose where temporary folders are before anybody asks for one."""
    in_memory()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for garbage as servers do, and not among seven thousand tests: that took a tenth of a worker's time."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
    calm()


@pytest.hookimpl(trylast=True)  # in whatever order they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end it would leave the other workers without work."""
    items.sort(key=lambda item: item.path.stem not in LONG)


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
