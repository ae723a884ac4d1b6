"""Messages that arrive together: each is one transaction, with its own answer, and a large one holds up nobody."""

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from adapters.asynchronous import receiving
from adapters.events import Result, open_events
from adapters.events.model import Status
from adapters.events.tables import INBOX, REFERENCE
from adapters.registry import messages
from adapters.registry.app import _LARGE_BYTES
from adapters.writing import Writer
from tests.support.adapters import NOW
from tests.support.bus import EVENTS, REGISTRY, Adapter, make_registry, running
from tests.support.writing import FAMILY, KEY, LINE, SENDER, event, family, made_writer, person
from tests.support.writing import NOW as AT

Failing = Callable[[Connection, str], None]


def message(*names: str, **more: Any) -> dict[str, Any]:
    """Return a notification of families, each event named by its family."""
    elements = [
        {
            "reference_id": f"event {name}",
            "timestamp": NOW,
            "data": {
                "version": "1.0.0", "reg_type": "Social", "reg_event_type": "REGISTER",
                "reg_record_type": "Registration",
                "reg_records": family(name, more.get("village", "12010101"), [person(f"S{name}")]),
            },
        }
        for name in names
    ]  # fmt: skip
    head = {
        "version": "1.0.0", "message_id": str(uuid.uuid4()), "message_ts": datetime.now(UTC).isoformat(),
        "action": "notify", "status": "succ", "sender_id": SENDER, "receiver_id": REGISTRY,
        "total_count": len(elements),
    }  # fmt: skip
    return {"header": head, "message": {"transaction_id": "t-1", "notify_event": elements}}


@asynccontextmanager
async def taking(folder: Path, url: str, after: Failing | None = None) -> AsyncIterator[Adapter]:
    """Serve an adapter whose writer takes families in."""
    writer = Writer("person", made_writer(folder).definition, KEY)
    writer.after = after
    if url.startswith("postgresql"):
        url = url.replace("+psycopg", "")
    path = make_registry(folder / "adapter", events=EVENTS | {"database": {"url": url}})
    key = path.with_name("events.key")
    key.touch(0o600)
    key.write_bytes(bytes(range(32)))  # the writer's
    async with running(path, writer) as adapter:  # type: ignore[arg-type]  # any receiver
        await adapter.store.write(lambda connection: [connection.execute(text(each)) for each in (FAMILY, LINE)])
        yield adapter


async def told(adapter: Adapter, document: Mapping[str, Any]) -> tuple[int, Any]:
    status, answer = await adapter.post("/registry/notify", document, SENDER)
    return status, answer.get("message", answer)


def families(adapter: Adapter) -> set[str]:
    return set(adapter.store.read_now(lambda connection: connection.scalars(text("SELECT spr_no FROM family")).all()))


async def test_messages_that_come_together_are_applied_each_as_a_whole(tmp_path: Path, any_database: str) -> None:
    names = [[f"{place}-{each}" for each in range(30)] for place in range(4)]
    documents = [message(*each) for each in names]
    documents[3]["message"]["notify_event"][7]["data"]["reg_records"] = family("odd", None)  # the table wants a village
    async with taking(tmp_path, any_database) as adapter:
        answers = await asyncio.gather(*(told(adapter, each) for each in (*documents, documents[0], message("0-0"))))
        here = families(adapter)
    for answer, sent in zip(answers[1:4], names[1:], strict=True):
        assert answer[0] == 200
        assert [each["reference_id"] for each in answer[1]["results"]] == [f"event {each}" for each in sent]
    states = [each["status"] for each in answers[3][1]["results"]]
    assert states == ["succ"] * 7 + ["rjct"] + ["succ"] * 22
    assert sorted(answers[place][1]["ack_status"] for place in (0, 4)) == ["ACK", "NACK"]
    assert answers[5][1]["results"][0]["status"] == "succ"
    assert here == {each for every in names for each in every} - {"3-7"}


async def test_one_that_fails_leaves_nothing_and_the_other_is_whole(tmp_path: Path, any_database: str) -> None:
    def fail(connection: Connection, key: str) -> None:
        found = connection.execute(text("SELECT spr_no FROM family WHERE family_no = :key"), {"key": key}).scalar()
        if found == "bad-9":
            connection.execute(text("SELECT * FROM there_is_no_such_table"))

    one, two = message(*(f"bad-{each}" for each in range(10))), message(*(f"good-{each}" for each in range(10)))
    async with taking(tmp_path, any_database, fail) as adapter:
        (failed, _), (well, answer) = await asyncio.gather(told(adapter, one), told(adapter, two))
        rows = adapter.store.read_now(lambda connection: connection.scalar(select(func.count()).select_from(INBOX)))
        here = families(adapter)
    assert (failed, well, len(answer["results"])) == (503, 200, 10)
    assert here == {f"good-{each}" for each in range(10)}
    assert rows == 11  # one message and its events


async def test_a_large_message_is_read_beside_the_event_loop(
    tmp_path: Path, any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: dict[str, int] = {}

    def noted(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        where[name] = threading.get_ident()
        return work(*arguments)

    monkeypatch.setattr(messages, "read_document", partial(noted, "parsed", messages.read_document))
    monkeypatch.setattr(receiving, "judged", partial(noted, "judged", receiving.judged))
    monkeypatch.setattr(receiving, "apply", partial(noted, "applied", receiving.apply))
    document = message(*(f"F{each}" for each in range(200)))
    assert len(json.dumps(document)) > _LARGE_BYTES
    async with taking(tmp_path, any_database) as adapter:
        assert (await told(adapter, document))[0] == 200
    assert len(where) == 3
    assert threading.get_ident() not in where.values()
    assert where["judged"] != where["applied"]  # the one that writes waits for nothing that needs no database


async def test_a_message_is_found_by_each_event_that_it_brought(tmp_path: Path, any_database: str) -> None:
    """What a writer noted is found by its own row; what came before, or was rejected, by a reference."""
    first, second = message("A", "B"), message("B", "C", "D")
    second["message"]["notify_event"][2]["data"]["reg_records"] = family("D", None)
    async with taking(tmp_path, any_database) as adapter:
        assert adapter.parts.later is not None
        for each in (first, second):
            assert (await told(adapter, each))[0] == 200
        history = adapter.parts.services[0].history
        assert history is not None
        found = {}
        for name in "ABCDE":
            asked = {
                "reference_id": "s", "txn_type": "receipt", "attribute_type": "reference_id_list",
                "attribute_value": [f"event {name}"],
            }  # fmt: skip
            told_of = (await history.status(SENDER, asked))["receipt_information"]["results"]
            found[name] = [each["reference_id"].removeprefix("event ") for each in told_of]
        references = adapter.store.read_now(
            lambda connection: connection.scalar(select(func.count()).select_from(REFERENCE))
        )
    assert found == {"A": list("AB"), "B": list("ABBCD"), "C": list("BCD"), "D": list("BCD"), "E": ["s"]}
    assert references == 2


def test_writers_of_two_processes_wait_for_each_other(tmp_path: Path, any_database: str) -> None:
    """On SQLite the second waits for the lock; on PostgreSQL both write, and neither sees half of the other's."""
    stores = [open_events(any_database.replace("+psycopg", ""), KEY, config="adapter.yaml") for _each in range(2)]
    stores[0].write_now(lambda connection: [connection.execute(text(each)) for each in (FAMILY, LINE)])
    writer = made_writer(tmp_path, new={
        "familyNo": {"text": "{sprNo}"}, "state": {"value": "LIVE"}, "lines.line": {"next": {}},
        "lines.lineNo": {"text": "{familyNo}/{lines.line}"},
    })  # fmt: skip
    start = threading.Barrier(2)

    def load(place: int) -> list[Result]:
        start.wait(10)
        return [result for part in range(5) for result in stores[place].write_now(partial(take, f"{place}-{part}"))]

    def take(name: str, connection: Connection) -> list[Result]:
        events = [event(f"e{name}-{each}", family(f"{name}-{each}")) for each in range(20)]
        return writer.receive(connection, SENDER, events, AT)

    with ThreadPoolExecutor(2) as threads:
        results = [each for found in threads.map(load, range(2)) for each in found]
    assert [each.status for each in results] == [Status.SUCCEEDED] * 200
    count = stores[0].read_now(lambda connection: connection.scalar(text("SELECT count(*) FROM family")))
    assert count == 200
    for store in stores:
        store.database.close()
