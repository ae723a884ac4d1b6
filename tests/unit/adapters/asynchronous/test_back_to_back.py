"""All of it at once: two adapters with relay, jobs and publishing, and a bus between them."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from adapters.asynchronous import asking
from adapters.asynchronous.asking import Question
from adapters.asynchronous.documents import Pen
from adapters.asynchronous.keeping import Held, held, unsubscribe_question
from adapters.capture.assembly import publisher_of
from adapters.config import load_config
from adapters.registry.operations import LATER_SEARCH
from tests.support.adapters import NOW, search_item
from tests.support.bus import EVENTS, PURPOSE, TO, Adapter, Applied, Bus, make_client, make_registry, working

SOON = 20.0  # seconds, on a machine that does other things; what is waited for takes a fraction of one
DECLARED: dict[str, Any] = {
    "name": "people",
    "at": str(TO),
    "into": "person",
    "events": ["REGISTER", "UPDATE"],
    "record": "Person",
    "version": "1.0.0",
    "purpose": PURPOSE,
}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110  # what is looked at stands in a database
            await asyncio.sleep(0.02)


def holdings(adapter: Adapter) -> list[Held]:
    return adapter.store.read_now(lambda connection: held(connection, adapter.store.key))


def ask(adapter: Adapter, question: Question) -> str:
    pen, key = Pen(adapter.client), adapter.store.key
    return adapter.store.write_now(lambda connection: asking.ask(connection, key, pen, question, datetime.now(UTC)))


def state(adapter: Adapter, message_id: str) -> str:
    rows = adapter.store.read_now(asking.requests)
    return str(next(each.state for each in rows if each.message_id == message_id))


async def change(adapter: Adapter, config: Path, sex: str) -> None:
    [service] = load_config(config).services
    source = adapter.parts.services[0].registry.source
    publisher = publisher_of(service, source, adapter.store, at_source=True)

    def write(connection: Connection) -> None:
        connection.execute(text("UPDATE person SET sex = :sex WHERE id = 'p1'"), {"sex": sex})
        publisher.publish(connection, "p1", datetime.now(UTC))

    await adapter.store.write(write)


async def test_from_subscription_to_its_end_with_a_kill_in_between(tmp_path: Path) -> None:
    bus, applied = Bus(), Applied()
    async with bus.serving() as url:
        events = EVENTS | {"security_server": {"url": url}, "retry": {"first_seconds": 1, "most_seconds": 1}}
        registry = make_registry(tmp_path / "r", events=events | {"database": "source"})
        client = make_client(tmp_path / "c", events=events, subscriptions=[DECLARED])
        async with working(bus, registry) as there:
            async with working(bus, client, applied) as here:
                await until(lambda: [each.state for each in holdings(here)] == ["answered"])
                await change(there, registry, "F")
                await until(lambda: len(applied.events) == 1)
            await change(there, registry, "M")  # the client is away: the event waits
            async with working(bus, client, applied) as here:
                await until(lambda: len(applied.events) == 2)
                assert applied.events[1].event_type == "UPDATE"
                [changed] = applied.events[1].changes
                assert (changed.field, changed.old, changed.new) == ("sex", "female", "male")
                item = search_item({"type": "LOCAL_ID", "value": "p1"}, authorize={"ts": NOW, "purpose": PURPOSE})
                body = {"search_request": [item]}
                asked = ask(here, Question(LATER_SEARCH, "ask", "person", TO, str(uuid.uuid4()), body))
                await until(lambda: state(here, asked) == "answered")
                assert applied.events[2].record["sex"] == "male"
                [one] = holdings(here)
                over = ask(here, unsubscribe_question("people", "person", TO, one.codes, datetime.now(UTC)))
                await until(lambda: state(here, over) == "answered" and there.waiting() == [])
                await change(there, registry, "F")
                assert there.waiting() == []
    assert len(applied.events) == 3
