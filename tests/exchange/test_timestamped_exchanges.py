"""Whatever two servers log of an exchange gets its time-stamp; when nobody stamps for too long, nothing new begins."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from securityserver.app import Node
from tests.support.instance import Instance, kept_running, little_instance
from tests.support.loglines import Lines
from tests.support.tsa import ERROR, GOOD
from xroad import hashchain, logstamps, timestamp

PERIOD = 1.0
SHORT = f"[timestamping]\nacceptable_failure_seconds = {PERIOD}\nretry_seconds = 0.05"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, log_stream: object) -> AsyncIterator[Instance]:
    async with kept_running(tmp_path_factory.mktemp("instance"), limits=SHORT) as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module")
async def instance(running: Instance) -> AsyncIterator[Instance]:
    yield running
    running.tsa.behaviour = GOOD
    for node in running.nodes.values():
        assert await node.parts.timestamps.round()


async def _verify(node: Node) -> int:
    """Judge each record's time-stamp with the trust of the moment; give how many there are."""
    await node.parts.log.settled()
    reader, trust, count = node.parts.log.reader, node.parts.trust.current(), 0
    async for each in reader.iterate():
        stamp = await reader.timestamp_of(each)
        assert stamp is not None
        if stamp.hash_chain_result is None:
            value = logstamps.alone(each.signature).data
            timestamp.verify(stamp.token, value, trust, node.parts.clock.now())
        else:
            timestamp.verify(stamp.token, stamp.hash_chain_result, trust, node.parts.clock.now())
            assert each.timestamp_hash_chain is not None
            files = {logstamps.TS_HASH_CHAIN: each.timestamp_hash_chain, logstamps.SIGNATURES: each.signature}
            hashchain.verify(stamp.hash_chain_result, {logstamps.SIGNATURES: None}, files.get)
        count += 1
    return count


async def _look(instance: Instance, node: Node, path: str) -> tuple[int, str]:
    async with instance.http.get(f"http://{node.addresses.metrics[0]}{path}") as answer:
        return answer.status, await answer.text()


@pytest.mark.asyncio(loop_scope="module")
async def test_all_records_of_an_exchange_are_stamped_on_both_sides(instance: Instance) -> None:
    answers = await asyncio.gather(*(instance.ask("POST", data=b"body") for _ in range(5)))
    assert {each.status for each in answers} == {200}
    before = len(instance.tsa.requests)
    for node in (instance.consumer, instance.provider):
        assert await node.parts.timestamps.round()
        assert await _verify(node) >= 10
    # One for the records of each node, one for the head of its tree.
    assert len(instance.tsa.requests) - before <= 4


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("failing", "side"), [("consumer", "ClientProxy"), ("provider", "ServerProxy")])
async def test_exchanges_stop_with_their_own_code_and_go_on_when_an_authority_is_back(
    instance: Instance, lines: Lines, failing: str, side: str
) -> None:
    node: Node = getattr(instance, failing)
    instance.tsa.behaviour = ERROR
    assert (await instance.ask()).status == 200
    assert not await node.parts.timestamps.round()
    # Within the period traffic goes on, and whoever looks is told.
    assert (await instance.ask()).status == 200
    status, health = await _look(instance, node, "/healthz")
    assert status == 200
    assert "Exchanges go on for" in health
    told = [line for line in lines.all() if line["event"] == "timestamping_failed"]
    assert told[0]["level"] == "error"
    assert told[0]["exchanges_stopped"] is False
    await asyncio.sleep(PERIOD)
    calls = len(instance.backend.calls)
    refused = await instance.ask()
    assert refused.headers["X-Road-Error"] == f"Server.{side}.LoggingFailed.TimestamperFailed"
    assert refused.status == 500
    assert len(instance.backend.calls) == calls
    status, health = await _look(instance, node, "/healthz")
    assert status == 503
    assert "so exchanges have stopped" in health
    assert "spean_timestamping_budget_seconds 0.0" in (await _look(instance, node, "/metrics"))[1]
    instance.tsa.behaviour = GOOD
    assert await node.parts.timestamps.round()
    assert (await instance.ask()).status == 200
    assert await node.parts.timestamps.round()
    assert await _verify(node)
    assert (await _look(instance, node, "/healthz"))[0] == 200


async def test_immediately_means_before_the_message_moves_on(tmp_path: Path) -> None:
    async with little_instance(tmp_path, limits="[timestamping]\nimmediately = true") as instance:
        assert (await instance.ask("POST", data=b"body")).status == 200
        for node in (instance.consumer, instance.provider):
            assert await _verify(node) == 2
        instance.tsa.behaviour = ERROR
        calls = len(instance.backend.calls)
        refused = await instance.ask()
        assert refused.headers["X-Road-Error"] == "Server.ClientProxy.LoggingFailed.TimestampingFailed"
        assert len(instance.backend.calls) == calls
        instance.tsa.behaviour = GOOD
        assert await instance.consumer.parts.timestamps.round()
        assert await _verify(instance.consumer) == 3


async def test_signatures_in_the_log_stay_as_they_were_signed(tmp_path: Path) -> None:
    async with little_instance(tmp_path) as instance:
        assert (await instance.ask()).status == 200
        reader = instance.consumer.parts.log.reader
        before = [each.signature async for each in reader.iterate()]
        assert await instance.consumer.parts.timestamps.round()
        assert [each.signature async for each in reader.iterate()] == before
