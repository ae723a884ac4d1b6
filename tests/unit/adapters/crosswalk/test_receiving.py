"""Registry events reach the crosswalk by themselves: from a row of the registry, over messages, into the crosswalk."""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from adapters.composition import compose
from adapters.config import load_config
from adapters.crosswalk.definition import load_definition
from adapters.crosswalk.duplicates import reports
from adapters.crosswalk.hearing import Hearing
from adapters.crosswalk.opening import crosswalk_of
from adapters.crosswalk.receiving import Receiving
from adapters.crosswalk.taking import Crosswalk
from adapters.crosswalk.watching import CrosswalkWatch
from adapters.errors import ConfigError
from adapters.events import Event, Result
from adapters.events.model import Status
from adapters.packaged import adapter_yaml
from adapters.source.connection import CrosswalkConnection
from adapters.synthetic.registers import spr
from serverkit.http import HttpServer, Listen
from serverkit.metrics import HealthState, Metrics
from tests.support.bus import Adapter, running
from tests.support.crosswalk import AT, DECLARATION, KEY, Bench

SPR = "KH-SANDBOX/GOV/SPR/REGISTRY"
PMRS = "KH-SANDBOX/GOV/NPCA/PMRS"
PATIENT: dict[str, Any] = {
    "identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "P1"}],
    "name": {"surname": "កែវ", "given_name": "សុភា"},
    "sex": "female",
    "birth_date": "1990-03-21T00:00:00+07:00",
    "address": [{"village_code": "12040911"}],
}
PERSON = (
    "INSERT INTO person VALUES (:spid, 'F1', 1, :card, NULL, 'កែវ', 'សុភា', 'Keo', 'Sophea', 'F', '1990-03-21', NULL, "
    "'HEAD', '12040911', 'REGISTERED', NULL, '2026-01-01T00:00:00')"
)


def crosswalk_yaml(folder: Path, url: str = "http://127.0.0.1:1", **changes: Any) -> Path:
    """Write the adapter file of the packaged crosswalk."""
    folder.mkdir(exist_ok=True)
    source = {
        "kind": "crosswalk", "url": "sqlite:///crosswalk.sqlite", "key_file": "crosswalk.key",
        "declaration": str(DECLARATION),
    }  # fmt: skip
    events = {"security_server": {"url": url}}
    text = adapter_yaml("crosswalk", listen="127.0.0.1:0", sender_id=SPR, source=source, events=events)
    path = folder / "crosswalk.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(text) | changes))
    return path


def spr_yaml(folder: Path, url: str) -> Path:
    """Write the adapter file of the packaged registry, whose tables are empty and are looked at often."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "spr.sqlite")) as database:
        database.executescript(spr.SCHEMA + spr.INDEXES)
    events = {"security_server": {"url": url}}
    source = f"sqlite:///{folder / 'spr.sqlite'}"
    data = yaml.safe_load(adapter_yaml("spr", listen="127.0.0.1:0", sender_id=SPR, source_url=source, events=events))
    for each in data["services"]:
        each["publish"]["capture"]["every_seconds"] = 0.05
    path = folder / "spr.yaml"
    path.write_text(yaml.safe_dump(data | {"subscriptions": []}))
    return path


def notification(*elements: dict[str, Any], sender: str = PMRS) -> dict[str, Any]:
    head = {
        "version": "1.0.0", "message_id": str(uuid.uuid4()), "message_ts": datetime.now(UTC).isoformat(),
        "action": "notify", "status": "succ", "sender_id": sender, "receiver_id": SPR, "total_count": len(elements),
    }  # fmt: skip
    return {"header": head, "message": {"transaction_id": "t-1", "notify_event": list(elements)}}


def element(name: str, record: dict[str, Any], kind: str = "REGISTER", record_type: str = "Person") -> dict[str, Any]:
    data = {
        "version": "1.0.0", "reg_type": "Social", "reg_event_type": kind, "reg_record_type": record_type,
        "reg_records": record,
    }  # fmt: skip
    return {"reference_id": name, "timestamp": datetime.now(UTC).isoformat(), "data": data}


async def tell(adapter: Adapter, document: dict[str, Any], client: str = PMRS) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json", "X-Road-Client": client}
    url = f"{adapter.url}/crosswalk/registry/notify"
    async with adapter.session.post(url, data=json.dumps(document), headers=headers) as response:
        answer = await response.json()
        return response.status, answer.get("message", answer)


@dataclass
class Looked:
    """The crosswalk as it is in the adapter's database."""

    adapter: Adapter
    crosswalk: Crosswalk

    def states(self, registry: str, *keys: str) -> list[str]:
        def read(connection: Connection) -> list[str]:
            if registry == self.crosswalk.definition.anchor:
                found = self.crosswalk.rows.people_of(connection, keys)
                return [found[each].state if each in found else "" for each in keys]
            words = [self.crosswalk.rows.words.record(registry, each) for each in keys]
            rows = self.crosswalk.rows.records_of(connection, words)
            return [rows[each].state if each in rows else "" for each in words]

        return self.adapter.store.read_now(read)


def looked(adapter: Adapter, path: Path) -> Looked:
    connection = load_config(path).connection
    assert isinstance(connection, CrosswalkConnection)
    return Looked(adapter, crosswalk_of(connection))


@asynccontextmanager
async def hearing(folder: Path) -> AsyncIterator[Looked]:
    path = crosswalk_yaml(folder)
    async with running(path) as adapter:
        yield looked(adapter, path)


async def test_a_message_is_taken_once_and_said_to_be_known_the_second_time(tmp_path: Path) -> None:
    document = notification(element("e1", PATIENT))
    async with hearing(tmp_path) as crosswalk:
        status, first = await tell(crosswalk.adapter, document)
        assert (status, first["ack_status"], first["results"][0]["status"]) == (200, "ACK", "succ")
        assert crosswalk.states("pmrs", "P1") == ["open"]
        _, second = await tell(crosswalk.adapter, document)
        assert (second["ack_status"], second["correlation_id"]) == ("NACK", first["correlation_id"])


async def test_what_fails_before_it_is_durable_is_not_there_and_is_taken_when_it_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crosswalk has it and the message is not remembered yet: neither stays, or both."""
    from adapters.asynchronous import inbox  # noqa: PLC0415  # what fails

    document = notification(element("e1", PATIENT))

    def fail(*_arguments: object) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk full"))

    async with hearing(tmp_path) as crosswalk:
        with monkeypatch.context() as failing:
            failing.setattr(inbox, "remember", fail)
            assert (await tell(crosswalk.adapter, document))[0] == 503
        assert crosswalk.states("pmrs", "P1") == [""]
        assert (await tell(crosswalk.adapter, document))[0] == 200
        assert crosswalk.states("pmrs", "P1") == ["open"]


async def test_only_owners_are_heard_each_of_its_own_lists(tmp_path: Path) -> None:
    nameless = {"name": PATIENT["name"]}
    async with hearing(tmp_path) as crosswalk:
        told = [element("a", PATIENT, record_type="Group"), element("b", nameless), element("c", PATIENT)]
        _, answer = await tell(crosswalk.adapter, notification(*told))
        results = {each["reference_id"]: each for each in answer["results"]}
        assert {name: each["status"] for name, each in results.items()} == {"a": "rjct", "b": "rjct", "c": "succ"}
        assert "no such records from you" in results["a"]["status_reason_message"]
        assert "by a LOCAL_ID: your release declaration" in results["b"]["status_reason_message"]
        stranger = "KH-SANDBOX/GOV/NSAF/STRANGER"
        assert (await tell(crosswalk.adapter, notification(told[2], sender=stranger), stranger))[0] == 403


async def test_a_row_of_the_registry_reaches_the_crosswalk_over_the_bus_and_leaves_it(tmp_path: Path) -> None:
    adapters: dict[str, Adapter] = {}

    async def carry(request: web.Request) -> web.Response:
        """Play the security server: the path names the service, and so whose it is."""
        service, path = request.match_info["tail"].removeprefix(f"{SPR}/").split("/", 1)
        there = adapters["crosswalk" if service == "crosswalk" else "spr"]
        headers = {"Content-Type": "application/json", "X-Road-Client": request.headers["X-Road-Client"]}
        url = f"{there.url}/{service}/{path}"
        async with there.session.post(url, data=await request.read(), headers=headers) as response:
            return web.json_response(await response.json(), status=response.status)

    app = web.Application()
    app.router.add_post("/r1/{tail:.*}", carry)
    server = await HttpServer.start(app, [Listen("127.0.0.1", 0)], shutdown_seconds=2)
    url = f"http://{server.addresses[0]}"
    path = crosswalk_yaml(tmp_path / "crosswalk", url)
    try:
        async with running(spr_yaml(tmp_path / "spr", url)) as registry, running(path) as adapter:
            adapters |= {"spr": registry, "crosswalk": adapter}
            await _story(registry, looked(adapter, path), tmp_path / "spr" / "spr.sqlite")
    finally:
        await server.close()


async def _story(registry: Adapter, crosswalk: Looked, database: Path) -> None:
    jobs = [*registry.parts.jobs, *crosswalk.adapter.parts.jobs]

    async def work(job: Callable[[], Any]) -> None:
        await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(each)) for each in jobs]
        await until(lambda: "answered" in owned(crosswalk.adapter))
        change(database, (PERSON, {"spid": "AAAA-0001", "card": "012345678"}))
        await until(lambda: crosswalk.states("spr", "AAAA-0001") == ["active"])
        change(database, (PERSON, {"spid": "BBBB-0001", "card": None}))
        await until(lambda: crosswalk.states("spr", "BBBB-0001") == ["active"])
        found = crosswalk.adapter.store.read_now(lambda one: list(reports(one, crosswalk.crosswalk)))
        assert {each.event.record["finding"] for each in found} == {"TWO_SPIDS"}
        change(database, ("DELETE FROM person WHERE spid = :spid", {"spid": "BBBB-0001"}))
        await until(lambda: crosswalk.states("spr", "BBBB-0001") == ["ended"])
        assert crosswalk.states("spr", "AAAA-0001") == ["active"]
        assert crosswalk.adapter.store.read_now(lambda one: list(reports(one, crosswalk.crosswalk))) == []
        for each in tasks:
            each.cancel()


def owned(adapter: Adapter) -> set[str]:
    rows = adapter.store.read_now(lambda one: one.exec_driver_sql("SELECT state FROM spean_request").all())
    return {row[0] for row in rows}


def change(database: Path, *statements: tuple[str, dict[str, Any]]) -> None:
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        for statement, values in statements:
            connection.execute(statement, values)


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not there():  # noqa: ASYNC110  # what is looked at stands in a database
            await asyncio.sleep(0.05)


def test_the_crosswalk_must_be_where_its_events_are(tmp_path: Path) -> None:
    path = crosswalk_yaml(tmp_path)
    data = yaml.safe_load(path.read_text())
    data["events"]["database"] = {"url": "sqlite:///elsewhere.sqlite"}
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"events\.database: must be source, because the crosswalk takes"):
        compose(load_config(path))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("record: Pregnancy", "record: Enrolment", r"registries\.family-package\.record: stands twice"),
        (", owner: KH-SANDBOX/GOV/NPCA/PMRS", "", r"registries\.pmrs\.record: needs owner"),
    ],
)
def test_an_event_must_say_which_list_it_is_about(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "crosswalk.yaml"
    path.write_text(DECLARATION.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        load_definition(path)


@dataclass
class Watched:
    """A receiver, and what is seen of it."""

    bench: Bench
    receiver: Receiving
    watch: CrosswalkWatch
    metrics: Metrics

    def receive(self, *events: Event) -> Sequence[Result]:
        return self.bench.write(lambda one: self.receiver.receive(one, PMRS, events, AT))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    bench, metrics = Bench(tmp_path), Metrics()
    watch = CrosswalkWatch(metrics)
    return Watched(bench, Receiving(bench.crosswalk, watch), watch, metrics)


def told(name: str, record: dict[str, Any], minutes: int = 0) -> Event:
    return Event(name, AT - timedelta(minutes=minutes), "REGISTER", "Person", "1.0.0", record)


def test_it_is_seen_when_the_crosswalk_is_behind(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.receive(told("a", PATIENT, 5), told("b", PATIENT, 7))
    assert watched.watch.health.state is HealthState.OK
    assert watched.value("spean_crosswalk_behind_seconds", registry="pmrs") == 300
    assert watched.value("spean_crosswalk_events_total", registry="pmrs", outcome="taken") == 1
    assert watched.value("spean_crosswalk_events_total", registry="pmrs", outcome="older") == 1
    [result] = watched.receive(told("c", {"sex": "male"}))
    assert (result.status, watched.watch.health.state) == (Status.REJECTED, HealthState.DEGRADED)

    def fail(*_arguments: object, **_more: object) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk full"))

    with monkeypatch.context() as failing:
        failing.setattr(Hearing, "hear", fail)
        with pytest.raises(Exception, match="OperationalError"):
            watched.receive(told("d", PATIENT))
    assert "could not be written" in watched.watch.health.en
    watched.receive(told("d", PATIENT))
    assert watched.watch.health.state is HealthState.OK
    assert KEY is watched.bench.crosswalk.rows.key
