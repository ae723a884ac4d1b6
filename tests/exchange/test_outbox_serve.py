"""An adapter that runs sends what is in its outbox to its own security server, and says so on its own page."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from structlog.testing import capture_logs

import contracts
from adapters.composition import open_events_store
from adapters.config import load_config
from adapters.outbox import put
from adapters.serve import serve
from tests.support.outbox import outgoing, states
from tests.support.registry import make_adapter
from tests.support.sandboxes import free_ports


@dataclass
class Node:
    """The client port of a security server."""

    url: str = ""
    seen: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, dict(request.headers), json.loads(await request.read())))
        message = {"ack_status": "ACK", "timestamp": "2026-11-28T09:00:00+07:00", "correlation_id": "c-1"}
        return web.json_response({"message": message}, status=202)


@asynccontextmanager
async def running_node() -> AsyncIterator[Node]:
    node, [port] = Node(), free_ports(1)
    app = web.Application()
    app.router.add_post("/r1/{tail:.*}", node.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    node.url = f"http://127.0.0.1:{port}"
    yield node
    await runner.cleanup()


def with_events(path: Path, node: str, metrics: str) -> Path:
    data = yaml.safe_load(path.read_text())
    data |= {"sender_id": "KH/GOV/SPR/REGISTRY", "metrics": metrics}
    data["events"] = {"database": "source", "key_file": "events.key", "security_server": {"url": node}}
    path.write_text(yaml.safe_dump(data))
    return path


async def test_what_is_put_beside_a_change_leaves_through_the_own_security_server(tmp_path: Path) -> None:
    [port] = free_ports(1)
    stop, ready = asyncio.Event(), asyncio.Event()
    with capture_logs() as logs:
        await tell(tmp_path, port, stop, ready)
    [advice] = [each["problem"] for each in logs if each["event"] == "events_database_is_slow"]
    assert "PRAGMA journal_mode=WAL" in advice


async def tell(tmp_path: Path, port: int, stop: asyncio.Event, ready: asyncio.Event) -> None:
    async with running_node() as node, asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as session:
        path = with_events(make_adapter(tmp_path), node.url, f"127.0.0.1:{port}")
        tasks.create_task(serve(path, stop=stop, ready=lambda _url: ready.set()))
        await asyncio.wait_for(ready.wait(), 20)
        config = await asyncio.to_thread(load_config, path)
        assert config.events is not None
        store = await asyncio.to_thread(open_events_store, config.events)
        things = [outgoing("a"), outgoing("b", person="2")]
        await store.write(lambda each: put(each, store.key, things, at=datetime.now(UTC)))
        async with asyncio.timeout(20):
            while set(states(store).values()) != {"sent"}:  # noqa: ASYNC110  # the adapter writes it
                await asyncio.sleep(0.05)
        async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
            health = await response.json()
        stop.set()
        await store.close()
    [(target, headers, document)] = node.seen
    assert target == "/r1/KH/GOV/NSAF/FAMILY-PACKAGE/family/registry/notify"
    assert headers["X-Road-Client"] == "KH/GOV/SPR/REGISTRY"
    assert headers["X-Road-Id"] == document["header"]["message_id"]
    assert health["checks"]["outbox"]["state"] == "ok"
    events = document["message"]["notify_event"]
    assert [each["reference_id"] for each in events] == ["a", "b"]
    with sqlite3.connect(tmp_path / "access.sqlite") as access:
        found = access.execute("SELECT client, operation, xroad_id, purpose FROM access").fetchall()
    assert found == [("KH/GOV/NSAF/FAMILY-PACKAGE", "/registry/notify", headers["X-Road-Id"], "ENROLMENT")] * 2
    contracts.validate("dci/async-notify", "1.0.0", document)
