"""A small registry in SQLite, its source and mapping, and an adapter over it."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp

from adapters.composition import compose
from adapters.config import AdapterConfig, load_config
from serverkit.http import HttpServer, Listen
from tests.support.adapters import CLIENT, mapping_data, write_yaml

SOURCE: dict[str, Any] = {
    "source": "people",
    "version": "1.0.0",
    "synthetic": True,
    "statement_timeout_ms": 2000,
    "record": {
        "table": "person",
        "key": "id",
        "fields": {"id": "id", "name": "name", "sex": "sex", "dob": {"column": "dob", "null": "missing"}},
        "one": {"home": {"table": "village", "key": "code", "parent": "village_code", "fields": {"code": "code"}}},
        "many": {
            "cards": {
                "table": "card",
                "key": "person_id",
                "order": ["number"],
                "limit": 3,
                "fields": {"number": "number"},
            }
        },
    },
    "queries": {
        "identifiers": ["LOCAL_ID", "SPID"],
        "attributes": {
            "LOCAL_ID": {"column": "id", "type": "string", "selective": True, "sortable": True},
            "SPID": {"table": "card", "key": "person_id", "column": "number", "type": "string", "selective": True},
            "age": {"column": "age", "type": "integer", "sortable": True},
            "birth_date": {"column": "dob", "type": "date", "selective": True},
            "sex": {
                "column": "sex",
                "type": "string",
                "operators": ["eq", "ne", "in"],
                "codes": {"male": "M", "female": "F"},
            },
        },
    },
}
RULES: list[dict[str, Any]] = [
    {
        "to": "identifier",
        "append_when": "id",
        "rules": [{"to": "identifier_type", "constant": "LOCAL_ID"}, {"to": "identifier_value", "from": "id"}],
    },
    {
        "to": "identifier",
        "each": "cards",
        "rules": [{"to": "identifier_type", "constant": "SPID"}, {"to": "identifier_value", "from": "number"}],
    },
    {"to": "name.given_name_latin", "from": "name", "required": True},
    {"to": "sex", "from": "sex", "transform": [{"sex_code": "sex"}], "required": True},
    {"to": "birth_date", "from": "dob", "transform": [{"date": {"format": "iso"}}]},
]
MAPPING = mapping_data(
    RULES,
    code_lists={"sex": {"M": "male", "F": "female"}},
    ignored=[{"path": "home.code", "reason": "The address is not part of this service."}],
)
TABLES = """
CREATE TABLE village (code TEXT PRIMARY KEY);
CREATE TABLE person (id TEXT PRIMARY KEY, name TEXT, sex TEXT, dob TEXT, age INTEGER, village_code TEXT);
CREATE TABLE card (number TEXT PRIMARY KEY, person_id TEXT);
CREATE INDEX person_dob ON person (dob);
INSERT INTO village VALUES ('01020101');
INSERT INTO person VALUES ('p1', 'Dara', 'M', '1980-05-20', 46, '01020101'), ('p2', 'Sophea', 'F', NULL, 40, NULL),
    ('p3', 'Bopha', 'F', '1990-01-01', 36, '01020101'), ('p4', 'Vichet', 'M', '1990-01-01', 36, 'gone');
INSERT INTO card VALUES ('c1', 'p1'), ('c2', 'p1'), ('c3', 'p3');
"""
SERVICE: dict[str, Any] = {
    "code": "person",
    "source": "source.yaml",
    "mapping": "mapping.yaml",
    "record": {"reg_type": "Social", "type": "Person"},
    "release": "release.yaml",
}
RULE: dict[str, Any] = {
    "to": [CLIENT],
    "ask_by": ["LOCAL_ID", "SPID", "age", "birth_date", "sex"],
    "fields": ["identifier", "name", "sex", "birth_date"],
}
RELEASE: dict[str, Any] = {
    "release": "people",
    "version": "1.0.0",
    "purposes": {"ELIGIBILITY": {"en": "Check who can get it", "km": "ពិនិត្យសិទ្ធិ"}},
    "give": [RULE],
}
SEARCH = "/person/registry/sync/search"


def make_database(folder: Path, extra: str = "") -> Path:
    """Write the registry's database."""
    path = folder / "people.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES + extra)
    return path


def make_adapter(
    folder: Path,
    *,
    extra: str = "",
    source: object = None,
    release: object = None,
    service: dict[str, Any] | None = None,
    **more: Any,
) -> Path:
    """Write database, source, mapping, release and adapter file; ``more`` goes into the adapter file."""
    make_database(folder, extra)
    write_yaml(folder / "release.yaml", release or RELEASE)
    write_yaml(folder / "source.yaml", source or SOURCE)
    write_yaml(folder / "mapping.yaml", MAPPING)
    adapter = {
        "adapter": "people",
        "listen": "127.0.0.1:0",
        "sender_id": "people-registry",
        "source": {"kind": "sql", "url": "sqlite:///people.sqlite"},
        "services": [SERVICE | (service or {})],
        "access_log": "access.sqlite",
        "access_key_file": "access.key",
    }
    return write_yaml(folder / "adapter.yaml", adapter | more)


class Caller:
    """Asks a running adapter."""

    def __init__(self, session: aiohttp.ClientSession, url: str, service: str = "person") -> None:
        self.session = session
        self.url = url
        self.service = service
        self._sent = 0

    async def post(
        self, body: object, *, headers: dict[str, str] | None = None, path: str = "/registry/sync/search"
    ) -> tuple[int, Any]:
        """Send a body (bytes as they are, anything else as JSON) and return status and parsed answer.

        The message ``m-1`` may be sent again and again: each time it is another one.
        """
        data = body if isinstance(body, bytes) else json.dumps(self._fresh(body)).encode()
        sent = {"Content-Type": "application/json", "X-Road-Client": CLIENT} if headers is None else headers
        async with self.session.post(f"{self.url}/{self.service}{path}", data=data, headers=sent) as response:
            return response.status, await response.json()

    def _fresh(self, body: object) -> object:
        header = body.get("header") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(header, dict) or header.get("message_id") != "m-1":
            return body
        self._sent += 1
        return body | {"header": header | {"message_id": "m-1" if self._sent == 1 else f"m-1-{self._sent}"}}

    async def results(self, body: object) -> list[dict[str, Any]]:
        """Return the results of a message that was not refused."""
        status, answer = await self.post(body)
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["message"]["search_response"]
        return found


@asynccontextmanager
async def running(config: AdapterConfig | Path) -> AsyncIterator[Caller]:
    """Serve an adapter on a free port."""
    loaded = config if isinstance(config, AdapterConfig) else load_config(config)
    parts = compose(loaded)
    await parts.store.open()
    server = await HttpServer.start(parts.app.application(), [Listen("127.0.0.1", 0)], shutdown_seconds=2)
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(session, f"http://{server.addresses[0]}")
    finally:
        await server.close()
        for each in parts.services:
            await each.close()
        await parts.store.close()
