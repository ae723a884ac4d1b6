"""Kills adapters, security servers and the database while changes are told, and holds what came against what was told.

    async with event_bus(folder, postgresql) as bus:
        told = await tell_under_kills(bus, kills=8, notifications=300, rng=random.Random(7))
        problems = await audit(bus)

None lost, none applied twice, each person's in order; the access record names every message that left, and both message
logs hold and prove it.
"""

import asyncio
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from adapters.events import EventsKey, load_events_key
from bench.bus import NODES
from tests.support.audit import logged
from tests.support.eventbus import PUBLISHER, SUBSCRIBERS, EventBus

PERSONS: Final = 40
AT_ONCE: Final = 5  # changes in one transaction
PAUSE_SECONDS: Final = 0.05
LONGEST_LIFE_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 180.0
_STEP: Final = (
    "INSERT INTO person VALUES (%s, 'ដារ៉ា', 'S1') ON CONFLICT (id) "
    "DO UPDATE SET mark = 'S' || (substr(person.mark, 2)::integer + 1)"
)
_OUTBOX: Final = "SELECT receiver, state, message, recorded, sealed FROM spean_outbox WHERE kind = 'notify' ORDER BY id"


@dataclass(frozen=True, slots=True)
class Told:
    """One event that was put into the outbox for one subscriber."""

    receiver: str
    state: str
    message: str
    recorded: bool
    person: str
    step: int


async def tell_under_kills(
    bus: EventBus, *, kills: int, notifications: int, rng: random.Random, victims: Sequence[str] = ()
) -> Counter[str]:
    """Change persons until so many notifications were written and so many processes killed; give who was killed."""
    await _subscribed(bus)
    over, killed = asyncio.Event(), Counter[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(_change(bus, over, rng))
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0, LONGEST_LIFE_SECONDS))
            victim = rng.choice(victims or bus.victims)
            await bus.kill(victim)
            await bus.start(victim)
            killed[victim] += 1
        while await asyncio.to_thread(_written, bus) < notifications:  # noqa: ASYNC110 - it is another process's table
            await asyncio.sleep(0.5)
        over.set()
    await _settled(bus)
    return killed


async def audit(bus: EventBus) -> list[str]:
    """Say what is wrong; nothing when all is as it must be."""
    told = await asyncio.to_thread(_told, bus)
    problems = [f"{each.receiver}: {each.person}/{each.step} is {each.state}" for each in told if each.state != "sent"]
    for name in SUBSCRIBERS:
        problems += _compared(name, told, _applied(bus, name))
    problems += _access_record(bus, told)
    problems += await _message_logs(bus, {each.message for each in told})
    return problems


async def _subscribed(bus: EventBus) -> None:
    statement = "SELECT count(DISTINCT callback) FROM spean_subscription WHERE status = 'subscribe'"
    await _until(lambda: _one(bus, statement) == len(SUBSCRIBERS), "subscriptions")
    # What is there at the first look is told nobody: whoever wants it asks for a first load.
    await _until(lambda: _one(bus, "SELECT count(*) FROM spean_position") == 1, "the first look")


async def _change(bus: EventBus, over: asyncio.Event, rng: random.Random) -> None:
    """What the registry's clerks do; while the database is away they try again."""
    while not over.is_set():
        persons = [f"P{rng.randrange(PERSONS):03d}" for _ in range(AT_ONCE)]
        try:
            await asyncio.to_thread(_write, bus, sorted(set(persons)))
        except psycopg.Error:
            await asyncio.sleep(0.2)
        await asyncio.sleep(PAUSE_SECONDS)


def _write(bus: EventBus, persons: list[str]) -> None:
    with bus.connect() as connection:
        for each in persons:
            connection.execute(_STEP, (each,))
            connection.execute("INSERT INTO change (id) VALUES (%s)", (each,))


def _written(bus: EventBus) -> int:
    try:
        return _one(bus, "SELECT count(*) FROM spean_outbox WHERE kind = 'notify'")
    except psycopg.Error:
        return 0


async def _settled(bus: EventBus) -> None:
    """Wait until every copy is the registry, and nothing waits."""
    with bus.connect() as connection:
        wanted = dict(connection.execute("SELECT id, mark FROM person").fetchall())
    for name in SUBSCRIBERS:
        await _until(lambda name=name: _copy(bus, name) == wanted, f"a whole copy at {name}")
    await _until(lambda: _one(bus, "SELECT count(*) FROM spean_outbox WHERE state = 'waiting'") == 0, "an empty outbox")


async def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            if await asyncio.to_thread(condition):
                return
        except (psycopg.Error, sqlite3.Error):
            pass  # the database is starting
        assert time.monotonic() < deadline, f"{what}: it did not come to pass"
        await asyncio.sleep(0.2)


def _one(bus: EventBus, statement: str) -> int:
    with bus.connect() as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _copy(bus: EventBus, name: str) -> dict[str, str]:
    with closing(sqlite3.connect(bus.copy(name), timeout=10)) as database:
        return dict(database.execute("SELECT id, mark FROM person"))


def _told(bus: EventBus) -> list[Told]:
    key = load_events_key(bus.adapter(PUBLISHER).with_name("events.key"), config="adapter.yaml")
    with bus.connect() as connection:
        return [_event(key, *row) for row in connection.execute(_OUTBOX.encode()).fetchall()]


def _event(key: EventsKey, receiver: str, state: str, message: str, recorded: int, sealed: bytes) -> Told:
    record = key.unseal(bytes(sealed))["body"]["data"]["reg_records"]
    numbers = {each["identifier_type"]: each["identifier_value"] for each in record["identifier"]}
    return Told(receiver, state, message, bool(recorded), numbers["LOCAL_ID"], _step(numbers["SPID"]))


def _step(mark: str) -> int:
    return int(mark.removeprefix("S"))


def _applied(bus: EventBus, name: str) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(bus.copy(name))) as database:
        return [(row[0], _step(row[1])) for row in database.execute("SELECT id, mark FROM applied ORDER BY number")]


def _compared(name: str, told: list[Told], applied: list[tuple[str, int]]) -> Iterator[str]:
    """Each person's steps as they were told are those that were applied, in their order, each once."""
    sent, came = defaultdict(list), defaultdict(list)
    for each in told:
        if each.receiver.endswith(f"/{name}"):
            sent[each.person].append(each.step)
    for person, step in applied:
        came[person].append(step)
    if not sent:
        yield f"{name}: nothing was told"
    for person in sorted(sent.keys() | came.keys()):
        if sent[person] != came[person]:
            yield f"{name}: of {person} the steps {sent[person]} were told, and {came[person]} applied"


def _access_record(bus: EventBus, told: list[Told]) -> Iterator[str]:
    """Whatever left stands in the access record, under the id of its message."""
    with closing(sqlite3.connect(bus.adapter(PUBLISHER).with_name("access.sqlite"))) as database:
        rows = database.execute("SELECT xroad_id, count(*) FROM access WHERE outcome = 'given' GROUP BY xroad_id")
        entries = dict(rows.fetchall())
    for message, events in Counter(each.message for each in told).items():
        if entries.get(message, 0) < events:
            yield f"the access record has {entries.get(message, 0)} entries for the {events} events of {message}"


async def _message_logs(bus: EventBus, messages: set[str]) -> list[str]:
    problems = []
    for each in NODES:
        log = await logged(bus.layout.node(each))
        problems += [f"{each.key}: {problem}" for problem in log.problems]
        problems += [f"{each.key}: its log lacks the message {lost}" for lost in sorted(messages - log.query_ids)]
    return problems
