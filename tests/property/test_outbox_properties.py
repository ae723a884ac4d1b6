"""Whatever a receiver does, each event reaches it, in the order of its person, and is applied once."""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.events import open_events
from tests.support.outbox import KEY, RECEIVER, Receiver, moody, outgoing, put_now, running_relay, states

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # each write is synced: no disk is needed
OTHER = "KH/GOV/NSSF/MEMBERS/membership"


def by_person(applied: list[dict[str, Any]]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for each in applied:
        found[each["data"]["person"]].append(each["reference_id"])
    return found


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    badness=st.sampled_from([0.0, 0.3, 0.6]),
    persons=st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_at_least_once_in_order_and_applied_once(seed: int, badness: float, persons: list[int]) -> None:
    names = [str(each) for each in persons]
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        receivers = asyncio.run(_sent(Path(folder), seed, badness, names))
    for address, receiver in receivers.items():
        expected = defaultdict(list)
        for number, person in enumerate(names):
            expected[person].append(f"{number}{address[-3:]}")
        assert by_person(receiver.applied) == expected


async def _sent(folder: Path, seed: int, badness: float, persons: list[str]) -> dict[str, Receiver]:
    store = open_events(f"sqlite:///{folder / 'events.sqlite'}", KEY, config="adapter.yaml")
    receivers = {RECEIVER: Receiver(moody(seed, badness)), OTHER: Receiver(moody(seed + 1, badness))}

    class Both:
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Any:
            return await receivers[receiver].send(receiver, path, message_id, body)

    things = [
        outgoing(f"{number}{address[-3:]}", person=person, receiver=address)
        for number, person in enumerate(persons)
        for address in receivers
    ]
    half = len(things) // 2
    try:
        put_now(store, things[:half])
        async with running_relay(store, folder, Both()) as bench:
            await asyncio.to_thread(put_now, store, things[half:])
            await bench.until_over()
        assert set(states(store).values()) == {"sent"}
    finally:
        await store.close()
    return receivers
