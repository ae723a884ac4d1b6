"""An adapter whose file names NATS servers sends through them: with a password, in TLS, and says what is wrong."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest
import yaml

from adapters.composition import compose, open_events_store
from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.events import EventsStore
from adapters.outbox import put
from adapters.serve import serve
from tests.exchange.test_outbox_serve import Node, running_node, with_events
from tests.support.nats import running_secured
from tests.support.outbox import outgoing, states
from tests.support.registry import make_adapter
from tests.support.sandboxes import free_ports

USER, PASSWORD, STREAM = "spean", "only-a-test", "spean-spr"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run a server for all tests here, and give its URL and the folder with certificates."""
    folder = tmp_path_factory.mktemp("nats")
    with running_secured(folder, user=USER, password=PASSWORD) as url:
        yield url, folder


@dataclass
class Running:
    """An adapter that runs, and the node that it sends to."""

    node: Node
    store: EventsStore
    page: str

    async def put(self, *keys: str) -> None:
        things = [outgoing(each, person=each) for each in keys]
        await self.store.write(lambda each: put(each, self.store.key, things, at=datetime.now(UTC)))

    async def until_sent(self) -> None:
        async with asyncio.timeout(40):
            while set(states(self.store).values()) != {"sent"}:  # noqa: ASYNC110  # the adapter writes it
                await asyncio.sleep(0.05)

    async def queue(self, said: str) -> dict[str, str]:
        """Return the health of the queue when it says something."""
        async with asyncio.timeout(40), aiohttp.ClientSession() as session:
            while True:
                async with session.get(self.page) as response:
                    found: dict[str, str] = (await response.json())["checks"]["queue"]
                if said in str(found):
                    return found
                await asyncio.sleep(0.1)


def adapter_file(folder: Path, node: str, metrics: str, queue: dict[str, Any], password: str) -> Path:
    path = with_events(make_adapter(folder), node, metrics)
    (folder / "nats.password").write_text(password)
    data = yaml.safe_load(path.read_text())
    data["events"]["queue"] = {
        "kind": "nats", "stream": STREAM, "replicas": 1, "shards": 2, "user": USER, "password_file": "nats.password",
    } | queue  # fmt: skip
    path.write_text(yaml.safe_dump(data))
    return path


@asynccontextmanager
async def running(folder: Path, queue: dict[str, Any], *, password: str = PASSWORD) -> AsyncIterator[Running]:
    [port] = free_ports(1)
    stop, ready = asyncio.Event(), asyncio.Event()
    async with running_node() as node, asyncio.TaskGroup() as tasks:
        path = adapter_file(folder, node.url, f"127.0.0.1:{port}", queue, password)
        tasks.create_task(serve(path, stop=stop, ready=lambda _url: ready.set()))
        await asyncio.wait_for(ready.wait(), 40)
        config = await asyncio.to_thread(load_config, path)
        assert config.events is not None
        store = await asyncio.to_thread(open_events_store, config.events)
        try:
            yield Running(node, store, f"http://127.0.0.1:{port}/healthz")
        finally:
            stop.set()
            await store.close()


async def put_in(url: str, folder: Path) -> int:
    """Return how many messages were ever put into the stream."""
    tls = ssl.create_default_context(cafile=folder / "ca.pem")
    client = await nats.connect(url, user=USER, password=PASSWORD, tls=tls)
    try:
        return int((await client.jetstream().stream_info(STREAM)).state.last_seq)
    finally:
        await client.close()


async def test_what_is_put_leaves_through_the_servers_of_the_file(server: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = server
    async with running(tmp_path, {"servers": [url], "ca_file": str(folder / "ca.pem")}) as adapter:
        await adapter.put("a", "b")
        await adapter.until_sent()
        assert (await adapter.queue("queue"))["state"] == "ok"
    told = [
        each["reference_id"] for _path, _headers, body in adapter.node.seen for each in body["message"]["notify_event"]
    ]
    assert sorted(told) == ["a", "b"]
    assert await put_in(url, folder) >= 1


async def test_a_wrong_password_is_told_and_counts_when_it_is_corrected(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = server
    async with running(tmp_path, {"servers": [url], "ca_file": str(folder / "ca.pem")}, password="wrong") as adapter:
        await adapter.put("c")
        found = await adapter.queue("password_file")
        assert (found["state"], set(states(adapter.store).values())) == ("degraded", {"waiting"})
        assert "compare `user` and `password_file`" in str(found)
        (tmp_path / "nats.password").write_text(PASSWORD)
        await adapter.until_sent()
        assert (await adapter.queue("works"))["state"] == "ok"


async def test_a_certificate_of_another_authority_is_told_and_nothing_leaves(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = server
    async with running(tmp_path, {"servers": [url], "ca_file": str(folder / "other.pem")}) as adapter:
        await adapter.put("d")
        found = await adapter.queue("certificate")
        assert found["state"] == "degraded"
        assert "`ca_file` under `events.queue` must hold the authority" in str(found)
        assert (set(states(adapter.store).values()), adapter.node.seen) == ({"waiting"}, [])


def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    queue = {"servers": ["tls://127.0.0.1:4222"], "ca_file": "empty.pem"}
    path = adapter_file(tmp_path, "http://127.0.0.1:1", "127.0.0.1:0", queue, PASSWORD)
    with pytest.raises(ConfigError, match=r"events\.queue\.ca_file: cannot be used"):
        compose(load_config(path))
