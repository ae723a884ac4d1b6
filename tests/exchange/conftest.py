"""One little instance for each module of exchange tests, put back into order after each test."""

import io
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from serverkit.logs import configure_logs
from tests.support.instance import Instance, kept_running
from tests.support.loglines import Lines, forget_cached_loggers, reset_logs

# Short, so that slow peers and services are found out in a test's time.
LIMITS = "peer_seconds = 3\nread_seconds = 1\nconnect_seconds = 2\nbody_bytes = 8000000"


@pytest.fixture(scope="module")
def log_stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logs(stream=stream)
    forget_cached_loggers()
    yield stream
    reset_logs()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, log_stream: io.StringIO) -> AsyncIterator[Instance]:
    async with kept_running(tmp_path_factory.mktemp("instance"), limits=LIMITS) as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module")
async def instance(running: Instance) -> AsyncIterator[Instance]:
    running.backend.calls.clear()
    yield running
    running.middle.reset()


@pytest.fixture
def lines(log_stream: io.StringIO) -> Lines:
    return Lines(log_stream, len(log_stream.getvalue()))
