"""Kills security servers at random moments under load, and holds their message logs against what others have seen.

    async with faulty_bus(folder) as (bus, seen):
        await kill_often(bus, seen, 8, random.Random(7))
        report = await audit(bus, seen)

What others have seen: the service notes each request that reached it, the clients each answer, and each server is the
other's peer. Whatever was seen must be in the log of the server that let it out, once, and verify.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Final

import aiohttp
from aiohttp import web

from bench.bus import NODES, Bus, brought_up
from spean.sandbox.plan import MOP, NSAF, Institution
from tests.support.audit import LoggedNode, logged
from tests.support.little import http_server, whole

EXCHANGES: Final = 32
REQUEST_ID: Final = "X-Road-Request-Id"
QUERY_ID: Final = "X-Road-Id"
# Every twentieth body is above what stays in a record's own row, so that kills also fall between its pieces.
LARGE_EACH: Final = 20
LARGE_BYTES: Final = 600_000
# After its first exchange a server lives for at most so long.
LONGEST_LIFE_SECONDS: Final = 0.6
RETRY_SECONDS: Final = 0.1


@dataclass(slots=True)
class Seen:
    """Request ids, each with how often it was seen, and the numbers of the traffic."""

    by_service: Counter[str] = field(default_factory=Counter)
    by_clients: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    broken: int = 0
    numbers: "count[int]" = field(default_factory=count)


@asynccontextmanager
async def faulty_bus(folder: Path) -> AsyncIterator[tuple[Bus, Seen]]:
    """Run a bus whose service notes what it sees."""
    seen = Seen()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        seen.by_service[request.headers[REQUEST_ID]] += 1
        return web.Response(body=await whole(request))

    async with http_server(serve, "127.0.0.1") as port, brought_up(folder, f"http://127.0.0.1:{port}") as bus:
        yield bus, seen


@asynccontextmanager
async def traffic(bus: Bus, seen: Seen) -> AsyncIterator[None]:
    """Keep 32 exchanges going until the block ends; those in flight then finish."""
    over = asyncio.Event()
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for _ in range(EXCHANGES):
            group.create_task(_client(bus, session, seen, over))
        try:
            yield
        finally:
            over.set()


async def _client(bus: Bus, session: aiohttp.ClientSession, seen: Seen, over: asyncio.Event) -> None:
    while not over.is_set():
        number = next(seen.numbers)
        headers = bus.headers | {QUERY_ID: f"killed-{number}"}
        body = f"{number};".encode() * (LARGE_BYTES // 8 if number % LARGE_EACH == 0 else 10)
        try:
            async with session.post(bus.url, headers=headers, data=body) as answer:
                if answer.status == 200:
                    seen.by_clients[answer.headers[REQUEST_ID]] += 1
                    assert await answer.read() == body
                    continue
                seen.refused += 1
        except (aiohttp.ClientError, TimeoutError):
            seen.broken += 1
        # The other server is down: to ask without a pause would only keep it from starting.
        await asyncio.sleep(RETRY_SECONDS)


async def kill_often(bus: Bus, seen: Seen, times: int, rng: random.Random) -> None:
    """Kill a node, consumer or provider, so many times, and start it again each time."""
    async with traffic(bus, seen):
        for _ in range(times):
            answered = seen.by_clients.total()
            while seen.by_clients.total() == answered:  # noqa: ASYNC110 - a kill without traffic would prove nothing
                await asyncio.sleep(0.005)
            await asyncio.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
            victim = rng.choice(NODES)
            await bus.kill(victim)
            await bus.start(victim)


@dataclass(frozen=True, slots=True)
class Report:
    """What the two logs hold, and whatever is wrong with them."""

    records: int
    problems: tuple[str, ...]
    logs: Mapping[Institution, LoggedNode] = field(repr=False)


async def audit(bus: Bus, seen: Seen, known: Mapping[Institution, LoggedNode] = MappingProxyType({})) -> Report:
    """Hold both logs against what was seen, but for those that are known; the nodes may run or not."""
    logs = {each: known.get(each) or await logged(bus.layout.node(each)) for each in NODES}
    consumer, provider = logs[NSAF], logs[MOP]
    problems = [*_lost(seen, consumer, provider)]
    for each, log in logs.items():
        problems += [f"{each.key}: {problem}" for problem in log.problems]
    problems += [f"the service saw {name} {times} times" for name, times in seen.by_service.items() if times > 1]
    return Report(sum(len(log.messages) for log in logs.values()), tuple(problems), logs)


def _lost(seen: Seen, consumer: LoggedNode, provider: LoggedNode) -> list[str]:
    """Name each message that someone has seen, and that the server which let it out does not hold exactly once."""
    wanted = [
        (NSAF, consumer, "request", "the provider", provider.ids("request")),
        (MOP, provider, "request", "the service", set(seen.by_service)),
        (MOP, provider, "response", "the consumer", consumer.ids("response")),
        (NSAF, consumer, "response", "a client", set(seen.by_clients)),
    ]
    return [problem for each in wanted for problem in _missing(*each)]


def _missing(owner: Institution, log: LoggedNode, direction: str, who: str, ids: set[str]) -> list[str]:
    times = {each: log.messages[each, direction] for each in ids}
    return [
        f"{owner.key}: {who} has seen the {direction} {each}, and the log holds it {held} times"
        for each, held in times.items()
        if held != 1
    ]
