"""A cancellation is heard wherever it meets a call to NATS: the driver itself may lose one that meets an answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from adapters.outbox.config import NatsConfig
from adapters.outbox.stream import Stream, Taken
from tests.support.nats import Cluster, running_cluster

CALLS = 900  # each is cancelled at another turn of the loop
Call = Callable[[], Coroutine[Any, Any, object]]
RECEIVER = "KH/GOV/NSAF/FAMILY-PACKAGE/family"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nats"), size=1) as cluster:
        yield cluster


class Message:
    """A message whose driver answers at the very turn at which its caller is cancelled, as `asyncio` may lose it."""

    data = b""

    def __init__(self) -> None:
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    async def _call(self) -> None:
        try:
            self.asked.set()
            await self.answered.wait()
        except asyncio.CancelledError:
            pass

    async def ack(self) -> None:
        await self._call()

    async def nak(self, delay: float) -> None:
        await self._call()

    async def in_progress(self) -> None:
        await self._call()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled_at(call: Call, turn: int) -> bool | None:
    """Tell whether a call that was cancelled at a turn of the loop said so; None when it was over before."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(call())
        await turns(turn)
        if task.done():
            return None
        task.cancel()
    return task.cancelled()


@pytest.mark.parametrize("what", ["depth", "publish"])
async def test_a_call_that_is_cancelled_says_so_at_whatever_turn(server: Cluster, what: str) -> None:
    stream = Stream(NatsConfig(server.urls, f"spean-{what}", replicas=1), file="adapter.yaml")
    calls: dict[str, Call] = {
        "depth": lambda: stream.depth(RECEIVER),
        "publish": lambda: stream.publish(RECEIVER, 0, b"{}", key="once"),
    }
    try:
        await stream.depth(RECEIVER)
        most, heard = 50, 0
        for number in range(CALLS):
            said = await cancelled_at(calls[what], number % most)
            assert said is not False, f"{what} lost its cancellation at turn {number % most}"
            heard += said is True
            most += 10 if said is True and number % most == most - 1 else 0
    finally:
        await stream.close()
    assert heard > CALLS // 10


@pytest.mark.parametrize("what", ["done", "later", "working"])
async def test_what_is_said_of_a_message_is_cancelled_though_the_driver_lets_it_pass(what: str) -> None:
    message = Message()
    taken = Taken(message)  # type: ignore[arg-type]
    calls: dict[str, Call] = {
        "done": taken.done, "later": lambda: taken.later(1.0), "working": taken.working,
    }  # fmt: skip
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(calls[what]())
        await message.asked.wait()
        task.cancel()
    assert task.cancelled()
