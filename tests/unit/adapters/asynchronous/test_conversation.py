import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

import contracts
from adapters.asynchronous import asking
from adapters.asynchronous.asking import Question
from adapters.asynchronous.documents import Pen
from adapters.asynchronous.keeping import Held, held
from adapters.asynchronous.subscriptions import Subscription, active, due
from adapters.errors import SourceError
from adapters.events.tables import JOB, REQUEST, SUBSCRIPTION
from adapters.registry.operations import LATER_SEARCH
from tests.support.adapters import CLIENT, NOW, search_item
from tests.support.bus import PURPOSE, REGISTRY, TO, Adapter, Applied, carry, make_client, make_registry, running

DECLARED: dict[str, Any] = {
    "name": "people",
    "at": str(TO),
    "into": "person",
    "events": ["REGISTER", "UPDATE"],
    "record": "Person",
    "version": "1.0.0",
    "purpose": PURPOSE,
    "days": 100,
}
ITEM = search_item({"type": "LOCAL_ID", "value": "p1"}, authorize={"ts": NOW, "purpose": PURPOSE})


def question(*items: Any) -> Question:
    return Question(
        LATER_SEARCH,
        "ask",
        "person",
        TO,
        str(uuid.uuid4()),
        {"search_request": list(items or (ITEM,))},
        len(items) or 1,
    )


async def ask(adapter: Adapter, asked: Question) -> str:
    return await adapter.store.write(
        lambda connection: asking.ask(connection, adapter.store.key, Pen(adapter.client), asked, datetime.now(UTC))
    )


def request(adapter: Adapter, message_id: str) -> tuple[str, Any]:
    row = adapter.store.read_now(
        lambda connection: connection.execute(select(REQUEST).where(REQUEST.c.message_id == message_id)).one()
    )
    return row.state, adapter.store.key.unseal(row.sealed)


def subscriptions(adapter: Adapter) -> list[Subscription]:
    at = datetime.now(UTC)
    return adapter.store.read_now(lambda connection: active(connection, adapter.store.key, "person", at))


def holdings(adapter: Adapter) -> list[Held]:
    return adapter.store.read_now(lambda connection: held(connection, adapter.store.key))


async def test_a_search_is_answered_later_though_everything_stops_in_between(tmp_path: Path) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c")
    applied = Applied()
    async with running(client, applied) as here:
        message_id = await ask(here, question())
        async with running(registry) as there:
            [(status, ack)] = await carry(here, there)
            assert (status, ack["message"]["ack_status"]) == (202, "ACK")
            assert not there.waiting()
    async with running(registry) as there:
        assert await there.jobs() == 1
        assert await there.jobs() == 0
    async with running(registry) as there, running(client, applied) as here:
        [answer] = there.waiting()
        contracts.validate("dci/async-on-search", "1.0.0", answer)
        assert answer["message"]["correlation_id"] == ack["message"]["correlation_id"]
        assert answer["header"]["meta"]["release"][0]["given"] == ["identifier", "name", "sex", "birth_date"]
        [(status, said)] = await carry(there, here)
        assert (status, said["message"]["ack_status"]) == (200, "ACK")
        assert [each["status"] for each in said["message"]["results"]] == ["succ"]
        state, told = request(here, message_id)
        assert (state, told["answer"]) == ("answered", answer["message"])
        [event] = applied.events
        assert event.record == answer["message"]["search_response"][0]["data"]["reg_records"][0]
        status, again = await here.post("/registry/on-search", answer, REGISTRY)
        assert again["message"]["error"]["code"] == "rjct.message_id.duplicate"
        other = answer | {"header": answer["header"] | {"message_id": "another"}}
        status, again = await here.post("/registry/on-search", other, REGISTRY)
        assert (status, again["message"]["error"]["code"]) == (200, "rjct.message_id.duplicate")
        assert len(applied.events) == 1


async def test_an_access_is_recorded_once_and_before_the_answer_can_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c")
    async with running(client) as here, running(registry) as there:
        await ask(here, question())
        await carry(here, there)
        assert there.parts.later is not None
        jobs = there.parts.later.jobs
        with monkeypatch.context() as patched:
            patched.setattr(jobs, "_finish", killed)
            with pytest.raises(ExceptionGroup):
                await jobs.run_due(datetime.now(UTC))
        assert not there.waiting()
        assert await there.jobs() == 1
        assert len(there.waiting()) == 1
        found = await there.parts.store.transactions("person", CLIENT, "reference_id_list", ["r-1"])
    assert [each.items[0].status for each in found] == ["succ"]


async def killed(*_ignored: object) -> None:
    raise RuntimeError("the process ends here")


async def test_a_registry_that_fails_is_asked_again_and_then_answers_that_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c")
    async with running(client) as here, running(registry) as there:
        message_id = await ask(here, question())
        await carry(here, there)
        assert there.parts.later is not None
        monkeypatch.setattr(type(there.parts.services[0].registry.source), "search", fails)
        at = datetime.now(UTC)
        for attempt in range(8):
            assert not there.waiting()
            assert await there.parts.later.jobs.run_due(at + timedelta(hours=attempt)) == 1
        await carry(there, here)
        state, told = request(here, message_id)
        assert state == "refused"
        [result] = told["answer"]["search_response"]
        assert (result["reference_id"], result["status"]) == ("r-1", "rjct")
        rows = there.store.read_now(lambda connection: connection.execute(select(JOB.c.state)).scalars().all())
        assert rows == ["failed"]


async def fails(*_ignored: object) -> None:
    raise SourceError("away")


async def test_answers_of_anyone_but_the_one_who_was_asked_are_refused(tmp_path: Path) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c")
    async with running(client) as here, running(registry) as there:
        await ask(here, question())
        await carry(here, there)
        await there.jobs()
        [answer] = there.waiting()
        forged = answer | {"header": answer["header"] | {"sender_id": "x"}}
        status, said = await here.post("/registry/on-search", forged, "KH-SANDBOX/COM/1/X")
        assert (status, said["message"]["error"]["code"]) == (403, "err.request.forbidden")
        assert [status for status, _said in await carry(there, here)] == [200]


async def test_declared_subscriptions_are_kept_up(tmp_path: Path) -> None:
    registry = make_registry(tmp_path / "r")
    client = make_client(tmp_path / "c", subscriptions=[DECLARED | {"frequency": "0 2 * * *", "first_load": True}])
    start = datetime.now(UTC)
    async with running(registry) as there:
        async with running(client) as here:
            await here.look()
            await here.look()
            [asked] = here.waiting()
            contracts.validate("dci/async-subscribe", "1.0.0", asked)
            loads = [each["subscribe_criteria"].get("first_load") for each in asked["message"]["subscribe_request"]]
            assert loads == [True, None]
            await carry(here, there)
            assert [status for status, _said in await carry(there, here)] == [200]
            [one] = holdings(here)
            assert (one.name, one.state, len(one.codes)) == ("people", "answered", 2)
            first = subscriptions(there)
            assert sorted(each.event_type for each in first) == ["REGISTER", "UPDATE"]
            assert due(first[0], start) == (start + timedelta(days=start.hour >= 2)).replace(
                hour=2, minute=0, second=0, microsecond=0
            )
        async with running(client) as here:  # after a start, what is in force is not asked for again
            await here.look()
            assert not here.waiting()
            let_pass(here, there, timedelta(days=95))
            await here.look()  # within the margin before the end
            [renewal] = here.waiting()
            assert all(
                "first_load" not in each["subscribe_criteria"] for each in renewal["message"]["subscribe_request"]
            )
            await carry(here, there)
            await carry(there, here)
            await here.look()
            assert [each["header"]["action"] for each in here.waiting()] == ["unsubscribe"]
            await carry(here, there)
            [(status, _said)] = await carry(there, here)
            assert status == 200
            second = subscriptions(there)
            assert len(second) == 2
            assert {each.code for each in first}.isdisjoint(each.code for each in second)
        make_client_again(tmp_path / "c")
        async with running(tmp_path / "c" / "adapter.yaml") as here:  # it is not declared any more
            await here.look()
            await here.look()
            [gone] = here.waiting()
            assert sorted(gone["message"]["subscription_codes"]) == sorted(each.code for each in second)
            await carry(here, there)
            await carry(there, here)
            assert subscriptions(there) == []
            await here.look()
            assert not here.waiting()


def let_pass(here: Adapter, there: Adapter, passed: timedelta) -> None:
    """Make what was asked as old as if so much time had passed."""
    milliseconds = int(passed.total_seconds() * 1000)

    def older(connection: Connection) -> None:
        row = connection.execute(select(REQUEST)).one()
        told = here.store.key.unseal(row.sealed)
        for result in told["answer"]["subscribe_response"]:
            for each in result["subscriptions"]:
                ends = datetime.fromisoformat(each["frequency"]["end_time"]) - passed
                each["frequency"]["end_time"] = ends.isoformat()
        values = {"created": row.created - milliseconds, "sealed": here.store.key.seal(told)}
        connection.execute(update(REQUEST).values(**values))

    here.store.write_now(older)
    sooner = update(SUBSCRIPTION).values(ends=SUBSCRIPTION.c.ends - milliseconds)
    there.store.write_now(lambda connection: connection.execute(sooner))


def make_client_again(folder: Path) -> None:
    (folder / "people.sqlite").unlink()
    make_client(folder)


async def test_what_was_refused_is_asked_again_the_next_day(tmp_path: Path) -> None:
    registry = make_registry(tmp_path / "r")
    client = make_client(tmp_path / "c", subscriptions=[DECLARED | {"events": ["Death"]}])
    at = datetime.now(UTC)
    async with running(client) as here, running(registry) as there:
        await here.look(at)
        await carry(here, there)
        await carry(there, here)
        [one] = holdings(here)
        assert (one.state, one.refused[0][0]) == ("refused", "rjct.notify_types.invalid")
        await here.look(at + timedelta(hours=12))
        assert not here.waiting()
        await here.look(at + timedelta(hours=25))
        assert len(here.waiting()) == 1


async def test_subscriptions_end_by_themselves(tmp_path: Path) -> None:
    registry = make_registry(tmp_path / "r")
    client = make_client(tmp_path / "c", subscriptions=[DECLARED | {"days": 1}])
    async with running(client) as here, running(registry) as there:
        await here.look()
        await carry(here, there)
        made = subscriptions(there)
        assert {due(each, datetime.now(UTC)) for each in made} == {None}
        later = datetime.now(UTC) + timedelta(days=2)
        assert there.store.read_now(lambda c: active(c, there.store.key, "person", later)) == []
        await there.look(later)
        assert subscriptions(there) == []


async def test_notifications_arrive_at_the_writer(tmp_path: Path) -> None:
    client = make_client(tmp_path / "c")
    applied = Applied()
    element = {
        "reference_id": "e-1",
        "timestamp": NOW,
        "data": {"reg_event_type": "UPDATE", "reg_record_type": "Person", "reg_records": {"sex": "male"}},
    }
    head = {"message_id": "n-1", "message_ts": datetime.now(UTC).isoformat(), "action": "notify", "status": "succ"}
    async with running(client, applied) as here:
        document = {"header": head, "message": {"transaction_id": "n-1", "notify_event": [element]}}
        status, said = await here.post("/registry/notify", document, REGISTRY)
        assert (status, said["message"]["results"][0]["status"]) == (200, "succ")
    async with running(client, applied) as here:  # after a kill, a copy is known
        status, said = await here.post("/registry/notify", document, REGISTRY)
        assert said["message"]["error"]["code"] == "rjct.message_id.duplicate"
    assert [each.event_id for each in applied.events] == ["e-1"]
