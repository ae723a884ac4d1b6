"""A first load sends each record once, in chunks, goes on after a kill, and no old state wins over a newer one."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

import contracts
from adapters.capture import loading, positions
from adapters.capture.firstload import FirstLoad, Next
from adapters.capture.following import Following
from adapters.errors import CaptureStopped
from adapters.events.inboxrows import ALIKE
from adapters.events.notification import read_element
from adapters.events.tables import OUTBOX
from adapters.outbox import rows
from adapters.outbox.config import Limits
from adapters.outbox.waking import Waker
from tests.support.publishing import AT, CLIENT, Little, little

LOAD = {"chunk": 4, "waiting": 2}


@contextmanager
def loaded(folder: Path, url: str, people: int, **more: Any) -> Iterator[tuple[Little, FirstLoad]]:
    """Make a registry that was compared, and a load of it."""
    limits = {each: more.pop(each) for each in ("chunk", "waiting", "bytes") if each in more}
    publish = {"capture": {"kind": "snapshot"}, "load": LOAD | limits}
    with little(folder, url, publish) as registry:
        code = registry.subscribe("REGISTER", **more)
        registry.people(*range(people))
        asyncio.run(Following(registry.publisher, registry.store, registry.source, now=lambda: AT).once())
        yield registry, FirstLoad(registry.publisher, code, sender_id="KH/GOV/SPR/REGISTRY")


def step(registry: Little, load: FirstLoad) -> Next:
    return registry.store.write_now(lambda connection: load.step(connection, AT)).next


def run(registry: Little, load: FirstLoad) -> None:
    """Load until all is in the outbox, which is emptied whenever it is full."""
    while (found := step(registry, load)) is not Next.DONE:
        if found is Next.FULL:
            registry.empty_outbox()


def test_all_records_leave_in_chunks_that_are_one_message_each(tmp_path: Path, any_database: str) -> None:
    with loaded(tmp_path, any_database, 11) as (registry, load):
        assert [step(registry, load) for _ in range(3)] == [Next.PUT, Next.PUT, Next.FULL]
        assert not registry.store.read_now(load.has_room)
        registry.empty_outbox()
        assert registry.store.read_now(load.has_room)
        run(registry, load)
        assert step(registry, load) is Next.DONE
        messages = registry.messages()
        assert [each["header"]["total_count"] for each, _access in messages] == [4, 4, 3]
        for body, access in messages:
            contracts.validate("dci/async-notify", "1.0.0", body)
            assert access["records"] == body["header"]["total_count"] == len(access["subjects"])
            assert body["header"]["receiver_id"] == CLIENT
        people = {each.record["member_identifier"][0]["identifier_value"] for each in registry.sent()}
        assert people == {f"S-{num}" for num in range(11)}
        assert len({each.event_id for each in registry.sent()}) == 11


def test_a_chunk_is_no_larger_than_a_receiver_takes(tmp_path: Path) -> None:
    with loaded(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", 40, chunk=100, waiting=50, bytes=10_000) as found:
        registry, load = found
        run(registry, load)
        assert len({each.event_id for each in registry.sent()}) == 40
        sizes = [len(json.dumps(body, ensure_ascii=False).encode()) for body, _access in registry.messages()]
        assert 1 < len(sizes) < 20
        assert max(sizes) <= 10_000


def test_a_record_larger_than_a_chunk_leaves_alone(tmp_path: Path) -> None:
    with loaded(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", 3, chunk=100, waiting=50, bytes=1) as (registry, load):
        run(registry, load)
        assert [each["header"]["total_count"] for each, _access in registry.messages()] == [1, 1, 1]


def test_a_load_that_was_killed_goes_on_behind_its_last_chunk(tmp_path: Path, any_database: str) -> None:
    with loaded(tmp_path, any_database, 11) as (registry, load):
        step(registry, load)

        def killed(connection: Connection) -> None:
            assert load.step(connection, AT).next is Next.PUT
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            registry.store.write_now(killed)
        run(registry, FirstLoad(registry.publisher, load.code, sender_id="KH/GOV/SPR/REGISTRY"))
        assert len(registry.sent()) == len({each.event_id for each in registry.sent()}) == 11


def test_records_leave_in_the_order_of_the_registry_and_a_chunks_events_begin_alike(
    tmp_path: Path, any_database: str
) -> None:
    """Neighbours stay neighbours: in the receiver's tables by their keys, in its index of events by their names."""
    with loaded(tmp_path, any_database, 9) as (registry, load):
        run(registry, load)
        chunks = [body["message"]["notify_event"] for body, _access in registry.messages()]
        named = [read_element(each) for chunk in chunks for each in chunk]
        assert [each.record["member_identifier"][0]["identifier_value"] for each in named] == [
            f"S-{num}" for num in range(9)
        ]
        beginnings = [{each["reference_id"][:ALIKE] for each in chunk} for chunk in chunks]
        assert [len(each) for each in beginnings] == [1, 1, 1]
        assert len(set().union(*beginnings)) == 3


def test_a_load_that_an_older_version_began_begins_anew(tmp_path: Path, any_database: str) -> None:
    """Its position was a hash, behind which other records stand than behind a place."""
    with loaded(tmp_path, any_database, 3) as (registry, load):
        old = {"load": "L", "after": "ff" * 32, "chunks": 7, "records": 28, "looked_at": 28, "done": False}
        registry.store.write_now(
            lambda connection: positions.write(connection, registry.publisher.key, f"load:{load.code}", old, AT)
        )
        run(registry, load)
        assert len(registry.sent()) == 3


def test_what_is_loaded_is_what_was_told_and_has_its_time(tmp_path: Path, any_database: str) -> None:
    """A change between the comparison and the load is told as a change: the load must not be the newer one."""
    with loaded(tmp_path, any_database, 3) as (registry, load):
        registry.subscribe("UPDATE")
        registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
        run(registry, load)
        registry.look(1, at=AT + timedelta(seconds=1))
        states: dict[str, tuple[Any, str]] = {}
        for event in registry.sent():
            name = event.record["member_identifier"][0]["identifier_value"]
            states[name] = max(
                states.get(name, (AT - timedelta(days=1), "")),
                (event.at, event.record["member"]["demographic_info"]["sex"]),
            )
        assert states["S-1"] == (AT + timedelta(seconds=1), "female")
        assert states["S-2"][1] == "male"


def test_a_load_with_a_filter_looks_at_all_and_sends_what_fits(tmp_path: Path, any_database: str) -> None:
    where = {"village": {"$eq": "02040106"}}
    with loaded(tmp_path, any_database, 30, where=where) as (registry, load):
        registry.run("UPDATE person SET village = '02040106' WHERE num IN (3, 17)")
        registry.look(*range(30))
        registry.empty_outbox()
        before = len(registry.sent())
        run(registry, load)
        found = registry.sent()[before:]
        assert {each.record["member_identifier"][0]["identifier_value"] for each in found} == {"S-3", "S-17"}
        registry.subscribe("REMOVE", where=where)
        registry.run("DELETE FROM person WHERE num IN (3, 4)")
        registry.look(3, 4)
        assert [each.event_type for each in registry.sent()[-1:]] == ["REMOVE"]


def test_a_load_goes_on_as_soon_as_something_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for room for an hour: what was sent must be heard."""
    monkeypatch.setattr(loading, "_FULL_SECONDS", 3600)

    async def run_while_sent(registry: Little, first: FirstLoad) -> loading.Speed:
        left = Waker()
        left.bind()
        registry.store.when_left(left.ring)
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(loading.load(registry.store, first, left))
            while not running.done():
                await asyncio.sleep(0.01)
                await registry.store.write(lambda each: send_one(registry, each))
        return running.result()

    with loaded(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", 30) as (registry, first):
        assert asyncio.run(run_while_sent(registry, first)).records == 30
        assert len({each.event_id for each in registry.sent()}) == 30


def send_one(registry: Little, connection: Connection) -> None:
    receiver = connection.execute(select(OUTBOX.c.receiver)).scalar()
    batch = receiver and rows.take(connection, registry.store.key, receiver, limits=Limits(), now=2**50)
    if batch:
        rows.sent(connection, registry.store.key, batch, {}, now=2**50)


def test_a_load_waits_for_the_first_comparison(tmp_path: Path) -> None:
    with little(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}", {"load": LOAD}) as registry:
        code = registry.subscribe("REGISTER")
        load = FirstLoad(registry.publisher, code, sender_id="KH/GOV/SPR/REGISTRY")
        assert step(registry, load) is Next.EARLY


def test_a_subscription_that_is_not_there_or_gets_nothing_is_not_loaded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'r.sqlite'}"
    with loaded(tmp_path, url, 1, authorize={"purpose": {"code": "PAYMENT"}}) as (registry, load):
        with pytest.raises(CaptureStopped, match="no subscription"):
            step(registry, load)
        with pytest.raises(CaptureStopped, match="no subscription"):
            step(registry, FirstLoad(registry.publisher, "other", sender_id="KH/GOV/SPR/REGISTRY"))
