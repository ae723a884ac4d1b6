import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from adapters.errors import ConfigError
from adapters.packaged import adapter_yaml
from adapters.serve import serve
from adapters.synthetic import generate
from tests.support.adapters import NOW, expression, search_item, search_message
from tests.support.registry import Caller, make_adapter
from tests.support.sandboxes import free_ports

GROUND = {"ts": NOW, "purpose": {"code": "ENROLMENT", "ref_uri": "https://example.test/ground"}}


async def started(tasks: asyncio.TaskGroup, path: Path, stop: asyncio.Event) -> str:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tasks.create_task(serve(path, stop=stop, ready=ready.set_result))
    return await asyncio.wait_for(ready, 10)


async def test_household_and_then_its_members_at_the_other_registry(tmp_path: Path) -> None:
    made = await asyncio.to_thread(generate, tmp_path, households=50, seed=3)
    stop, paths = asyncio.Event(), {}
    for programme, database in (("idpoor", made.idpoor), ("nssf", made.nssf)):
        paths[programme] = tmp_path / f"{programme}.yaml"
        text = adapter_yaml(programme, listen="127.0.0.1:0", source_url=f"sqlite:///{database}", sender_id=programme)
        paths[programme].write_text(text, encoding="utf-8")
    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as session:
        households = Caller(session, await started(tasks, paths["idpoor"], stop), "household")
        members = Caller(session, await started(tasks, paths["nssf"], stop), "membership")
        card = search_item({"type": "EQUITY_CARD", "value": made.example.card_no}, authorize=GROUND)
        [found] = await households.results(search_message(card))
        [household] = found["data"]["reg_records"]
        assert household["poverty_level"] in {"POOR_1", "POOR_2"}
        people = [each["demographic_info"] for each in household["member_list"]]
        ids = [each["identifier_value"] for person in people for each in person.get("identifier", ())]
        assert tuple(ids) == made.example.khmer_ids
        insured = search_item(expression({"KHM_ID": {"$in": ids}}), "expression", authorize=GROUND)
        [found] = await members.results(search_message(insured))
        records = found["data"]["reg_records"]
        assert len(records) >= 2
        for record in records:
            [known_by] = record["member"]["demographic_info"]["identifier"]
            assert known_by["identifier_type"] == "KHM_ID"
            assert known_by["identifier_value"] in ids
        stop.set()


async def test_requests_in_flight_are_answered_before_it_stops(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as session:
        caller = Caller(session, await started(tasks, make_adapter(tmp_path), stop))
        items = [search_item({"type": "LOCAL_ID", "value": "p1"}) | {"reference_id": str(n)} for n in range(100)]
        asked = tasks.create_task(caller.results(search_message(*items)))
        await asyncio.sleep(0.02)
        stop.set()
        assert len(await asked) == 100


async def test_it_starts_fast(tmp_path: Path) -> None:
    stop, began = asyncio.Event(), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        await started(tasks, make_adapter(tmp_path), stop)
        assert time.monotonic() - began < 5  # 0.1 s on an idle machine; generous, since tests share theirs
        stop.set()


async def test_what_is_seen_from_outside_holds_no_personal_value(tmp_path: Path) -> None:
    [port] = free_ports(1)
    path = make_adapter(tmp_path, metrics=f"127.0.0.1:{port}")
    program = [sys.executable, "-m", "spean", "adapter", "serve", str(path)]
    process = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        started_line = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        async with aiohttp.ClientSession() as session:
            caller = Caller(session, started_line["url"])
            await caller.results(search_message(search_item({"type": "LOCAL_ID", "value": "p1"})))
            await caller.post(b"SENSITIVE", headers={"Content-Type": "SENSITIVE", "X-Road-Id": "SENSITIVE VALUE"})
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                metrics = await response.text()
            async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
                assert response.status == 200
    finally:
        process.terminate()
        rest, _errors = await process.communicate()
    lines = [json.loads(line) for line in rest.splitlines()]
    assert [each["event"] for each in lines] == ["registry_request", "registry_request", "adapter_stopped"]
    assert 'spean_adapter_records_total{operation="/registry/sync/search",service="person"} 1.0' in metrics
    for value in ('"p1"', "Dara", "SENSITIVE", "m-1"):
        assert value not in metrics
        assert value not in rest.decode()


async def test_a_source_without_a_declared_column_does_not_start(tmp_path: Path) -> None:
    path = make_adapter(tmp_path, extra="ALTER TABLE person RENAME COLUMN sex TO gender;")
    with pytest.raises(ConfigError, match=r"source\.yaml"):
        await serve(path, stop=asyncio.Event())


async def test_an_address_in_use_is_said_so(tmp_path: Path) -> None:
    stop = asyncio.Event()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with asyncio.TaskGroup() as tasks:
        url = await started(tasks, make_adapter(tmp_path / "a"), stop)
        with pytest.raises(ConfigError, match="cannot be had"):
            await serve(make_adapter(tmp_path / "b", listen=url.removeprefix("http://")), stop=stop)
        stop.set()
