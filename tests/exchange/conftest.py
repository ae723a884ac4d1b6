"""One little instance for each module of exchange tests, put back into order after each test."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from serverkit.logs import configure_logs
from tests.support.instance import Instance, kept_running


@dataclass(slots=True)
class Lines:
    """The log lines since the test began; both nodes write into one stream."""

    stream: io.StringIO
    start: int = 0

    def text(self) -> str:
        return self.stream.getvalue()[self.start :]

    def all(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def exchanges(self, side: str) -> list[dict[str, object]]:
        return [line for line in self.all() if line["event"] == "exchange" and line["side"] == side]


@pytest.fixture(scope="module")
def log_stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logs(stream=stream)
    yield stream
    logging.getLogger().handlers.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, log_stream: io.StringIO) -> AsyncIterator[Instance]:
    async with kept_running(tmp_path_factory.mktemp("instance")) as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module")
async def instance(running: Instance) -> AsyncIterator[Instance]:
    running.backend.calls.clear()
    yield running
    running.middle.reset()


@pytest.fixture
def lines(log_stream: io.StringIO) -> Lines:
    return Lines(log_stream, len(log_stream.getvalue()))
