"""A publisher and three subscribers on a bus of two security servers, all as processes: what faults are tried on.

The publisher's registry is in PostgreSQL, and so are its events; each subscriber has an SQLite database of its own,
whose triggers note every write. A person's record carries a mark with a number that grows with each change, so that
order and doubles show.
"""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from bench.bus import NODES
from pki.token import KeyType
from securityserver.commands import apply_services
from spean.sandbox import bootstrap
from spean.sandbox.plan import LOOPBACK, MOP, NSAF, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Running, Server, crew
from tests.support.nats import Cluster
from tests.support.postgres import Server as PostgreSql
from tests.support.sandboxes import free_ports

PUBLISHER: Final = "people"
SUBSCRIBERS: Final = ("copy-1", "copy-2", "copy-3")
PURPOSE: Final = {"code": "DATA_UPDATE", "text": "Keep copies true", "ref_uri": "https://example.test/law"}
_START_SECONDS: Final = 60.0

_SOURCE: Final = {
    "version": "1.0.0", "synthetic": True, "statement_timeout_ms": 3000,
    "queries": {
        "identifiers": ["LOCAL_ID"],
        "attributes": {"LOCAL_ID": {"column": "id", "type": "string", "selective": True, "sortable": True}},
    },
    "record": {"table": "person", "key": "id", "fields": {"id": "id", "name": "name", "mark": "mark"}},
}  # fmt: skip
_MAPPING: Final = {
    "version": "1.0.0", "title": {"en": "Person", "km": "បុគ្គល"},
    "target": {"contract": "cambodia/person", "version": "1.0.0"},
    "rules": [
        {"to": "identifier", "append_when": "id", "rules": [
            {"to": "identifier_type", "constant": "LOCAL_ID"},
            {"to": "identifier_value", "from": "id", "required": True}]},
        {"to": "identifier", "append_when": "mark", "rules": [
            {"to": "identifier_type", "constant": "SPID"},
            {"to": "identifier_value", "from": "mark", "required": True}]},
        {"to": "name.given_name", "from": "name", "required": True},
        {"to": "sex", "constant": "unknown"},
    ],
}  # fmt: skip
_INTAKE: Final = {
    "version": "1.0.0", "title": {"en": "Person", "km": "បុគ្គល"},
    "source": {"contract": "cambodia/person", "version": "1.0.0"},
    "rules": [
        {"to": "id", "from": "identifier[identifier_type=LOCAL_ID].identifier_value", "required": True},
        {"to": "name", "from": "name.given_name", "required": True},
        {"to": "mark", "from": "identifier[identifier_type=SPID].identifier_value", "required": True},
    ],
    "ignored": [{"reason": "Copies hold no more.", "paths": [
        "identifier.identifier_type", "sex", "birth_date", "birth_year", "birth_date_approximate", "death_date",
        "address", "phone_number", "email", "registration_date", "last_updated",
        *(f"name.{each}" for each in (
            "surname", "second_name", "maiden_name", "prefix", "suffix", "surname_latin", "given_name_latin",
            "surname_received", "given_name_received", "second_name_received", "maiden_name_received")),
    ]}],
}  # fmt: skip
_COPY: Final = """
CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT NOT NULL, mark TEXT NOT NULL);
CREATE TABLE applied (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, mark TEXT NOT NULL);
CREATE TRIGGER person_new AFTER INSERT ON person BEGIN INSERT INTO applied (id, mark) VALUES (new.id, new.mark); END;
CREATE TRIGGER person_old AFTER UPDATE ON person BEGIN INSERT INTO applied (id, mark) VALUES (new.id, new.mark); END;
"""
_REGISTRY: Final = """
CREATE TABLE person (id text PRIMARY KEY, name text NOT NULL, mark text NOT NULL);
CREATE TABLE change (number bigserial PRIMARY KEY, id text NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class EventBus:
    """The running processes, where their files are, and the publisher's database."""

    layout: Layout
    ports: Ports
    members: Crew
    servers: dict[str, Server]
    registry: PostgreSql
    database: str
    cluster: Cluster | None

    @property
    def victims(self) -> tuple[str, ...]:
        """What can be killed: every adapter, either security server, the database, and every server of the queue."""
        return (*self.servers, "database", *(self.cluster.commands if self.cluster else ()))

    def adapter(self, name: str) -> Path:
        """Give an adapter's file."""
        return self.layout.root / "adapters" / name / "adapter.yaml"

    def copy(self, name: str) -> Path:
        """Give a subscriber's database."""
        return self.adapter(name).with_name("copy.sqlite")

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """Open the publisher's database."""
        return psycopg.connect(self.database.replace("+psycopg", ""), connect_timeout=2)

    async def kill(self, victim: str) -> None:
        """Kill it, and wait until it is gone."""
        if victim == "database":
            await asyncio.to_thread(kill_database, self.registry)
            return
        if self.cluster is not None and victim in self.cluster.commands:
            await asyncio.to_thread(self.cluster.wait)  # one at a time: the others must be well
            await asyncio.to_thread(self.cluster.kill, victim)
            return
        running = self._process(victim)
        running.process.send_signal(signal.SIGKILL)
        await running.process.wait()
        self.members.running.remove(running)

    async def start(self, victim: str) -> None:
        """Start it again, and wait until it is well."""
        if victim == "database":
            await asyncio.to_thread(start_database, self.registry)
            return
        if self.cluster is not None and victim in self.cluster.commands:
            await asyncio.to_thread(self.cluster.start, victim)
            return
        await self.members.spawn([self.servers[victim]])
        await self.members.ready({victim})

    def _process(self, name: str) -> Running:
        return next(each for each in self.members.running if each.server.name == name)


def kill_database(registry: PostgreSql) -> None:
    """Kill the postmaster as the kernel's out-of-memory killer would."""
    pid = int((registry.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


def start_database(registry: PostgreSql) -> None:
    """Start it again; its children of before may still be ending."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            registry.start()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@asynccontextmanager
async def event_bus(
    folder: Path, registry: PostgreSql, key_type: KeyType = "ec-p256", *, cluster: Cluster | None = None
) -> AsyncIterator[EventBus]:
    """Run everything in a new folder until the block ends; with a cluster, each adapter sends through it."""
    layout, database = Layout(folder), registry.new_database()
    with reserved(None) as ports:
        await asyncio.to_thread(bootstrap.make, layout, ports, key_type)
        servers = _adapters(layout, ports, database, cluster)
        _write_services(layout, ports, servers)
        servers |= {each.key: _node(each, layout, ports) for each in NODES}
        async with crew() as members:
            bus = EventBus(layout, ports, members, servers, registry, database, cluster)
            with bus.connect() as connection:
                connection.execute(_REGISTRY)
            await members.spawn(_authorities(layout, ports))
            await members.ready()
            await members.spawn(servers.values())
            await members.ready()
            yield bus


def _node(each: Institution, layout: Layout, ports: Ports) -> Server:
    words = ("node", "run", str(layout.node(each)))
    return Server(each.key, words, LOOPBACK, ports.node(each).metrics, "/healthz", layout.log(each.key))


def _authorities(layout: Layout, ports: Ports) -> list[Server]:
    authority = ("authority", "run", str(layout.authority), "--listen", f"{LOOPBACK}:{ports.authority}")
    central = ("central", "run", str(layout.central))
    return [
        Server("authority", authority, LOOPBACK, ports.authority, "/healthz", layout.log("authority")),
        Server("central", central, LOOPBACK, ports.central, "/healthz", layout.log("central")),
    ]


def _adapters(layout: Layout, ports: Ports, database: str, cluster: Cluster | None) -> dict[str, Server]:
    servers = {}
    for name, port in zip((PUBLISHER, *SUBSCRIBERS), free_ports(1 + len(SUBSCRIBERS)), strict=True):
        file = layout.root / "adapters" / name / "adapter.yaml"
        file.parent.mkdir(parents=True)
        owner = MOP if name == PUBLISHER else NSAF
        url = f"http://{LOOPBACK}:{ports.node(owner).client_http}"
        adapter = _common(name, port, owner, url)
        if cluster is not None:
            queue = {
                "kind": "nats",
                "servers": list(cluster.urls),
                "stream": f"spean-{name}",
                "replicas": 3,
                "shards": 2,
            }
            adapter["events"]["queue"] = queue
        if name == PUBLISHER:
            _publish(adapter, file.parent, database)
        else:
            _subscribe(adapter, file.parent, name)
        _write(file, adapter)
        health = "/health"
        servers[name] = Server(name, ("adapter", "serve", str(file)), LOOPBACK, port, health, layout.log(name))
    return servers


def _common(name: str, port: int, owner: Institution, url: str) -> dict[str, Any]:
    return {
        "adapter": name, "listen": f"{LOOPBACK}:{port}", "sender_id": str(owner.subsystem),
        "access_log": "access.sqlite", "access_key_file": "access.key",
        "events": {
            "database": "source", "key_file": "events.key", "security_server": {"url": url}, "timeout_seconds": 5,
            "retry": {"first_seconds": 0.2, "most_seconds": 1, "attempts": 1000},
        },
    }  # fmt: skip


def _service(folder: Path, name: str) -> dict[str, Any]:
    _write(folder / "source.yaml", {"source": name, **_SOURCE})
    _write(folder / "mapping.yaml", {"mapping": name, **_MAPPING})
    return {
        "code": name, "source": "source.yaml", "mapping": "mapping.yaml",
        "record": {"reg_type": "Social", "type": "Person"},
    }  # fmt: skip


def _publish(adapter: dict[str, Any], folder: Path, database: str) -> None:
    rule = {
        "to": [str(NSAF.subsystem)], "for": [PURPOSE["code"]], "basis": "authorize", "ask_by": ["LOCAL_ID"],
        "fields": ["identifier", "name", "sex"],
    }  # fmt: skip
    purposes = {PURPOSE["code"]: {"en": "Keep copies true", "km": "រក្សាច្បាប់ចម្លង"}}
    _write(folder / "release.yaml", {"release": PUBLISHER, "version": "1.0.0", "purposes": purposes, "give": [rule]})
    capture = {"kind": "change-table", "table": "change", "sequence": "number", "key": "id", "every_seconds": 1}
    adapter["source"] = {"kind": "sql", "url": database.replace("+psycopg", "")}
    adapter["services"] = [_service(folder, PUBLISHER) | {"release": "release.yaml", "publish": {"capture": capture}}]


def _subscribe(adapter: dict[str, Any], folder: Path, name: str) -> None:
    with closing(sqlite3.connect(folder / "copy.sqlite")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_COPY)
    _write(folder / "intake.yaml", {"mapping": name, **_INTAKE})
    fields = {"id": "id", "name": "name", "mark": "mark"}
    write = {
        "write": name, "version": "1.0.0", "record_type": "Person", "mapping": "intake.yaml",
        "from": [{"client": str(MOP.subsystem)}], "record": {"table": "person", "key": "id", "fields": fields},
        "find": [{"field": "id"}], "missing": "insert", "wins": {"default": "sent"},
    }  # fmt: skip
    _write(folder / "write.yaml", write)
    adapter["source"] = {"kind": "sql", "url": "sqlite:///copy.sqlite"}
    adapter["services"] = [_service(folder, name) | {"write": "write.yaml"}]
    adapter["subscriptions"] = [
        {
            "name": "people", "at": f"{MOP.subsystem}/{PUBLISHER}", "into": name, "events": ["REGISTER", "UPDATE"],
            "record": "Person", "version": "1.0.0", "purpose": PURPOSE,
        }
    ]  # fmt: skip


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(json.loads(json.dumps(data)), allow_unicode=True, sort_keys=False))


def _write_services(layout: Layout, ports: Ports, servers: dict[str, Server]) -> None:
    """Each member's services, open to the other; the two are each other's only peers."""
    for owner, names, other in ((MOP, (PUBLISHER,), NSAF), (NSAF, SUBSCRIBERS, MOP)):
        text = f'[[client]]\nid = "{owner.subsystem}"\nconnection = "http"\n'
        for name in names:
            url = f"http://{LOOPBACK}:{servers[name].port}/{name}"
            text += f'\n[[client.service]]\ncode = "{name}"\nurl = "{url}"\ntimeout = 10\n'
            text += f'\n[[client.service.access]]\nsubject = "{other.subsystem}"\n'
        layout.services(owner).write_text(text)
        apply_services(layout.node(owner), layout.services(owner))
