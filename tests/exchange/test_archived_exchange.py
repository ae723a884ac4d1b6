"""What two servers exchange goes into archives by itself, opens with each side's own key, and verifies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from securityserver.app import Node
from securityserver.archiving.unsealing import extract
from securityserver.archiving.verification import in_link_order, verify_chain, verify_file
from securityserver.logkey import body_keys
from tests.support.instance import Instance, little_instance
from xroad import asic
from xroad.asic import Outcome

BODY = b"a household of five " * 20_000  # more than stays in memory
ARCHIVE = """
[archive]
directory = "archives"
interval_seconds = 1
grouping = "member"
"""


@pytest_asyncio.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Instance]:
    async with little_instance(tmp_path, limits=ARCHIVE) as running:
        yield running


def archives(instance: Instance, node: Node) -> list[Path]:
    place = instance.directory / node.parts.config.server.id.server_code / "archives"
    return sorted(file for file in place.iterdir() if file.suffix == ".zip") if place.is_dir() else []


async def until_archived(instance: Instance, node: Node, containers: int) -> list[Path]:
    async with asyncio.timeout(30):
        while sum(verify_file(file).containers for file in archives(instance, node)) < containers:
            await node.parts.timestamps.round()
            await asyncio.sleep(0.1)
    return archives(instance, node)


async def test_both_sides_archive_what_they_exchanged(instance: Instance) -> None:
    for path in ("/one", "/two"):
        assert (await instance.ask("POST", path, data=BODY)).status == 200
    for node in (instance.consumer, instance.provider):
        files = await until_archived(instance, node, 4)
        chain = list(verify_chain(in_link_order(map(verify_file, files))))
        assert sum(archive.sealed for archive in chain) > 0
        out = instance.directory / f"documents-{node.parts.config.server.id.server_code}"
        for file in files:
            assert BODY[:20] not in file.read_bytes()
            assert all(inside for _, inside in extract(file, out, body_keys(node.parts.config)))
        _all_hold(node, out)


def _all_hold(node: Node, directory: Path) -> None:
    trust, at = node.parts.trust.current(), node.parts.clock.now()
    verdicts = [asic.judge(file.read_bytes(), trust, at) for file in sorted(directory.iterdir())]
    assert [verdict.outcome for verdict in verdicts] == [Outcome.VALID] * 4
    assert not any(verdict.verified.left_out for verdict in verdicts if verdict.verified)


async def test_the_node_tells_how_its_archiving_is(instance: Instance) -> None:
    assert (await instance.ask("POST", data=b"body")).status == 200
    await until_archived(instance, instance.consumer, 2)
    place = f"http://{instance.consumer.addresses.metrics[0]}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{place}/healthz") as answer:
            assert (await answer.json())["checks"]["archive"]["state"] == "ok"
        async with session.get(f"{place}/metrics") as answer:
            text = await answer.text()
    assert "spean_archived_records_total" in text
    assert "spean_archive_oldest_record_age_seconds" in text
