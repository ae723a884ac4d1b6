"""The outbox through a cluster of NATS JetStream: a server killed, a stream lost, a receiver in trouble."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest

from adapters.events import EventsStore, open_events
from adapters.outbox.config import Limits, NatsConfig
from adapters.outbox.delivery import Delivery
from adapters.outbox.natsqueue import NatsQueue
from adapters.outbox.stream import Stream
from adapters.outbox.verdicts import Answer
from adapters.outbox.waking import Waker
from tests.support.nats import Cluster, running_cluster
from tests.support.outbox import (
    KEY,
    RECEIVER,
    UNHURRIED,
    MakeQueue,
    Receiver,
    moody,
    outgoing,
    put_now,
    running_relay,
    states,
)

STREAM = "spean-test"
OTHER = "KH/GOV/NSSF/MEMBERS/membership"


def through(
    cluster: Cluster, *, replicas: int = 3, shards: int = 2, limits: Callable[[str], Limits] = lambda _: UNHURRIED
) -> MakeQueue:
    config = NatsConfig(cluster.urls, STREAM, replicas=replicas, shards=shards)

    def make(store: EventsStore, delivery: Delivery, waker: Waker) -> NatsQueue:
        return NatsQueue(store, delivery, waker, limits, Stream(config, file="adapter.yaml", ack_seconds=1.5))

    return make


async def leader(cluster: Cluster) -> str:
    client = await nats.connect(list(cluster.urls))
    info: Any = await client.jetstream().stream_info(STREAM)
    await client.close()
    return str(info.cluster.leader)


def by_person(receiver: Receiver) -> dict[str, list[str]]:
    found = defaultdict(list)
    for each in receiver.applied:
        found[each["data"]["person"]].append(each["reference_id"])
    return found


async def test_the_server_that_leads_the_stream_is_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    """Two processes send; the records are in the table only."""
    total, persons = 60, 6
    receiver = Receiver()
    with running_cluster(tmp_path) as cluster:
        url = f"sqlite:///{tmp_path / 'events.sqlite'}"
        one, other = (open_events(url, KEY, config="adapter.yaml") for _ in range(2))
        first = running_relay(one, tmp_path, receiver, queue=through(cluster), name="one")
        second = running_relay(other, tmp_path, receiver, queue=through(cluster), name="other")
        async with first as bench, second:
            things = [outgoing(f"{number:03}", person=str(number % persons)) for number in range(total)]
            await asyncio.to_thread(put_now, one, things[: total // 2])
            await bench.until(lambda: len(receiver.applied) > 5)
            await asyncio.to_thread(cluster.kill, await leader(cluster))
            await asyncio.to_thread(put_now, one, things[total // 2 :])
            await bench.until_over()
        for each in (one, other):
            await each.close()
        stored = await asyncio.to_thread(blocks, tmp_path)
    assert set(states_of(receiver)) == {f"{number:03}" for number in range(total)}
    for person, seen in by_person(receiver).items():
        assert seen == [f"{number:03}" for number in range(total) if str(number % persons) == person]
    assert stored
    assert b"reg_record_type" not in stored


def blocks(folder: Path) -> bytes:
    """Give all that servers have on disk."""
    return b"".join(each.read_bytes() for each in folder.glob("n*/**/*.blk"))


def states_of(receiver: Receiver) -> list[str]:
    return [each["reference_id"] for each in receiver.applied]


@pytest.fixture
def alone(tmp_path: Path) -> Any:
    with running_cluster(tmp_path, size=1) as cluster:
        yield cluster


async def test_a_receiver_is_left_alone_by_all_shards_as_long_as_it_asks(alone: Cluster, tmp_path: Path) -> None:
    store = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    receiver = Receiver(lambda *_: Answer(429, b"", None, "3600"))
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(40)])
    async with running_relay(store, tmp_path, receiver, queue=through(alone, replicas=1, shards=4)) as bench:
        await bench.until(lambda: bool(receiver.sent))
        await asyncio.sleep(1.5)
    assert len(receiver.sent) == 1
    await store.close()


async def test_a_receiver_in_trouble_is_asked_by_one_shard_at_a_time(alone: Cluster, tmp_path: Path) -> None:
    store = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    under_way, most, failing = 0, 0, 6

    class Troubled(Receiver):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Any:
            nonlocal under_way, most, failing
            under_way += 1
            if failing:
                most = max(most, under_way)
            await asyncio.sleep(0.02)
            under_way -= 1
            if failing:
                failing -= 1
                return Answer(503, b"")
            return await super().send(receiver, path, message_id, body)

    receiver = Troubled()
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(40)])
    async with running_relay(store, tmp_path, receiver, queue=through(alone, replicas=1, shards=4)) as bench:
        await bench.until_over()
    assert most == 1
    assert len(receiver.applied) == 40
    await store.close()


async def test_a_stream_that_was_removed_is_fed_again_from_the_table(alone: Cluster, tmp_path: Path) -> None:
    store = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    open_now = asyncio.Event()

    class Held(Receiver):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Any:
            await open_now.wait()
            return await super().send(receiver, path, message_id, body)

    receiver = Held()
    put_now(store, [outgoing(f"{number}", person=str(number)) for number in range(40)])
    async with running_relay(store, tmp_path, receiver, queue=through(alone, replicas=1)) as bench:
        client = await nats.connect(list(alone.urls))
        jetstream = client.jetstream()

        async def waiting() -> int:
            try:
                return int((await jetstream.stream_info(STREAM)).state.messages)
            except nats.errors.Error:
                return 0

        async with asyncio.timeout(20):
            while await waiting() < 4:  # noqa: ASYNC110  # another task feeds it
                await asyncio.sleep(0.05)
        await jetstream.delete_stream(STREAM)
        open_now.set()
        await bench.until_over()
        await client.close()
    assert set(states(store).values()) == {"sent"}
    assert len(set(states_of(receiver))) == 40
    await store.close()


async def test_chunks_of_a_first_load_are_under_way_together(alone: Cluster, tmp_path: Path) -> None:
    """They are about nobody, and yet not all in one shard: each waits there for the one before it."""
    store = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    hands: list[str] = []
    let_go = asyncio.Event()

    class Held(Receiver):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Any:
            hands.append(message_id)
            if message_id != "one-0":  # until it has taken one, there is one at a time
                await let_go.wait()
            return await super().send(receiver, path, message_id, body)

    receiver = Held()
    bodies: list[dict[str, Any]] = [{"header": {"message_id": f"one-{n}"}, "message": {}} for n in range(5)]
    put_now(store, [outgoing(f"{n}", person=None, kind="load", body=body) for n, body in enumerate(bodies)])
    async with running_relay(store, tmp_path, receiver, queue=through(alone, replicas=1)) as bench:
        await bench.until(lambda: len(hands) == 3)  # as many as there are shards, after the first
        let_go.set()
        await bench.until_over()
    assert sorted(hands) == sorted(receiver.messages) == [f"one-{n}" for n in range(5)]
    await store.close()


async def test_without_nats_all_is_written_and_leaves_when_it_is_back(alone: Cluster, tmp_path: Path) -> None:
    """The receiver is in trouble too: a pause of its own holds up nobody else."""
    await asyncio.to_thread(alone.kill, "n0")
    store = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    receivers = {RECEIVER: Receiver(moody(3, 0.4)), OTHER: Receiver()}

    class Both:
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Any:
            return await receivers[receiver].send(receiver, path, message_id, body)

    things = [
        outgoing(f"{number}{each[-3:]}", person=str(number % 4), receiver=each)
        for number in range(12)
        for each in receivers
    ]
    async with running_relay(store, tmp_path, Both(), queue=through(alone, replicas=1)) as bench:
        await asyncio.to_thread(put_now, store, things)
        await asyncio.sleep(0.3)
        assert set(states(store).values()) == {"waiting"}
        await asyncio.to_thread(alone.start, "n0")
        await bench.until_over()
    assert set(states(store).values()) == {"sent"}
    for address, receiver in receivers.items():
        for person, seen in by_person(receiver).items():
            assert seen == [f"{number}{address[-3:]}" for number in range(12) if str(number % 4) == person]
    await store.close()
