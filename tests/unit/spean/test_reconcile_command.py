"""An operator's staff compare their copy with a registry over HTTP, and see what was done."""

import asyncio
import json
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from adapters.capture.digests import Digests
from adapters.composition import compose
from adapters.config import load_config
from adapters.errors import EventsError
from serverkit.http import HttpServer, Listen
from spean.cli import main
from tests.support.publisher import Publisher, make_publisher
from tests.support.publishing import CLIENT, OTHER
from tests.support.subscribing import IGNORED, INTAKE, TABLE, WRITE

PATH = "/people/registry/sync/digests"
PEOPLE = 8
ASKED = {"part": "ranges", "purpose": "ENROLMENT", "version": "1.0.0"}
MAPPING = """
mapping: client
version: 1.0.0
title: {en: Client, km: អតិថិជន}
target: {contract: cambodia/registration, version: 1.0.0}
code_lists: {sex: {M: male, F: female}}
rules:
  - {to: assistance_unit, constant: "1"}
  - {to: registration_status, constant: REGISTERED}
  - to: member_identifier
    append_when: spid
    required: true
    rules:
      - {to: identifier_type, constant: SPID}
      - {to: identifier_value, from: spid, required: true}
  - {to: member.demographic_info.name.given_name, from: name, required: true}
  - {to: member.demographic_info.sex, from: sex, transform: [code_list: sex], required: true}
ignored: [{path: number, reason: A number of the programme's own.}]
"""
SOURCE = """
source: client
version: 1.0.0
synthetic: true
statement_timeout_ms: 3000
record: {table: client, key: number, fields: {number: number, spid: spid, name: name, sex: sex}}
queries: {identifiers: [SPID], attributes: {SPID: {column: spid, type: string, selective: true}}}
"""


def make_operator(folder: Path, url: str) -> Path:
    """Write the files of a programme that keeps a copy, and its empty table."""
    folder.mkdir()
    files = {
        "source.yaml": SOURCE,
        "mapping.yaml": MAPPING,
        "client.write.yaml": WRITE,
        "client.intake.yaml": INTAKE % ", ".join(IGNORED),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    data = {
        "adapter": "client", "listen": "127.0.0.1:0", "sender_id": CLIENT,
        "access_log": "access.sqlite", "access_key_file": "access.key",
        "source": {"kind": "sql", "url": "sqlite:///client.sqlite"},
        "events": {"database": "source", "key_file": "events.key", "security_server": {"url": url}},
        "services": [{
            "code": "client", "source": "source.yaml", "mapping": "mapping.yaml", "write": "client.write.yaml",
            "record": {"reg_type": "Social", "type": "Registration"},
        }],
        "subscriptions": [{
            "name": "people", "at": "KH/GOV/SPR/REGISTRY/people", "into": "client", "record": "Registration",
            "events": ["REGISTER", "UPDATE", "REMOVE"], "version": "1.0.0",
            "purpose": {"code": "ENROLMENT", "text": "who gets it", "ref_uri": "https://law.example/1"},
        }],
    }  # fmt: skip
    with closing(sqlite3.connect(folder / "client.sqlite")) as connection:
        connection.execute(TABLE)
    path = folder / "adapter.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@dataclass(frozen=True, slots=True)
class Both:
    """The registry, served behind a security server, and the operator."""

    registry: Publisher
    operator: Path
    url: str

    async def post(self, document: Any, client: str | None = CLIENT, path: str = PATH) -> tuple[int, Any]:
        """Ask the registry's adapter as its security server does."""
        headers = {"Content-Type": "application/json"} | ({} if client is None else {"X-Road-Client": client})
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}{path}", data=data, headers=headers) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    async def reconcile(self, *words: str) -> int:
        return await asyncio.to_thread(
            main, ["adapter", "reconcile", str(self.operator), "--subscription", "people", *words]
        )

    def copies(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.operator.with_name("client.sqlite"))) as connection:
            return connection.execute("SELECT spid, sex FROM client ORDER BY spid").fetchall()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Both]:
    registry = make_publisher(folder / "p")
    registry.people(*range(PEOPLE))
    assert await asyncio.to_thread(main, ["adapter", "capture", str(registry.file), "--whole"]) == 0
    parts = compose(load_config(registry.file))
    await parts.store.open()
    server = await HttpServer.start(parts.app.application(), [Listen("127.0.0.1", 0)])
    url = f"http://{server.addresses[0]}"

    async def forward(request: web.Request) -> web.Response:
        headers = {each: request.headers[each] for each in ("X-Road-Client", "X-Road-Id", "Content-Type")}
        path = "/" + request.path.split("/", 6)[6]
        body = await request.read()
        async with aiohttp.ClientSession() as session, session.post(url + path, data=body, headers=headers) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")

    node = web.Application()
    node.router.add_post("/r1/{tail:.*}", forward)
    front = await HttpServer.start(node, [Listen("127.0.0.1", 0)])
    try:
        yield Both(registry, make_operator(folder / "c", f"http://{front.addresses[0]}"), url)
    finally:
        await front.close()
        await server.close()
        await parts.store.close()
        if parts.events is not None:
            await parts.events.close()


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with running(tmp_path) as found:
        yield found


async def test_a_copy_is_filled_repaired_and_shown(
    both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both.registry.subscribe("REGISTER", "UPDATE", "REMOVE")
    assert await both.reconcile("--dry-run") == 1
    assert (f"{PEOPLE} missing or older here: differs" in capsys.readouterr().out, both.copies()) == (True, [])
    assert await both.reconcile() == 0
    assert f"{PEOPLE} missing here: repaired" in capsys.readouterr().out
    assert both.copies() == [(f"S-{number}", "M") for number in range(PEOPLE)]
    assert await both.reconcile() == 0
    assert "Nothing differs." in capsys.readouterr().out
    both.registry.run("UPDATE person SET sex = 'F' WHERE num = 1")
    both.registry.run("DELETE FROM person WHERE num = 2")
    await asyncio.to_thread(main, ["adapter", "capture", str(both.registry.file), "--whole"])
    report = tmp_path / "report.json"
    capsys.readouterr()
    assert await both.reconcile("--list", "--report", str(report)) == 0
    shown = capsys.readouterr().out
    assert "older here: repaired" in shown
    assert "unknown there: repaired" in shown
    assert "S-1" not in shown
    assert both.copies()[1:3] == [("S-1", "F"), ("S-3", "M")]
    assert {each["key"] for each in json.loads(report.read_text())["records"]} == {"C-S-1", "C-S-2"}
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert await both.reconcile("--report", str(report)) == 1
    assert "exists already" in capsys.readouterr().err


async def test_who_has_not_subscribed_is_told_so(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    assert await both.reconcile() == 1
    assert "was not answered (HTTP 403, 'err.request.forbidden')" in capsys.readouterr().err


async def test_a_security_server_that_is_away_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    operator = make_operator(tmp_path / "c", "http://127.0.0.1:1")
    words = ["adapter", "reconcile", str(operator), "--subscription"]
    assert await asyncio.to_thread(main, [*words, "people"]) == 1
    assert "the own security server cannot be reached" in capsys.readouterr().err
    assert await asyncio.to_thread(main, [*words, "other"]) == 1
    assert "no subscription other. It has people" in capsys.readouterr().err


async def test_the_path_answers_subscribers_and_records_what_it_gives(both: Both) -> None:
    both.registry.subscribe("UPDATE")
    status, told = await both.post(ASKED)
    assert (status, told["records"], told["after"]) == (200, PEOPLE, None)
    _status, told = await both.post(ASKED | {"part": "entries", "buckets": list(range(256))})
    ids = [name for name, _digest in told["entries"]]
    status, told = await both.post(ASKED | {"part": "records", "ids": ids})
    assert (status, len(told["events"])) == (200, PEOPLE)
    with closing(sqlite3.connect(both.registry.file.with_name("access.sqlite"))) as access:
        found = access.execute("SELECT client, operation, purpose, records FROM access").fetchall()
    assert found == [(CLIENT, "/registry/sync/digests", "ENROLMENT", PEOPLE)]


@pytest.mark.parametrize(
    ("document", "client", "status", "code"),
    [
        (ASKED, None, 401, "err.request.unauthorized"),
        (ASKED, OTHER, 403, "err.request.forbidden"),
        (ASKED | {"part": "all"}, CLIENT, 400, "err.request.bad"),
        (b"[]", CLIENT, 400, "err.request.bad"),
        (b"{", CLIENT, 400, "err.request.bad"),
        (b'{"part": "' + b"x" * 1_000_000 + b'"}', CLIENT, 413, "err.request.bad"),
    ],
    ids=["nobody", "no subscriber", "part", "list", "torn", "large"],
)
async def test_what_cannot_be_answered_is_refused(
    both: Both, document: Any, client: str | None, status: int, code: str
) -> None:
    found, told = await both.post(document, client)
    assert (found, told["errors"][0]["code"]) == (status, code)


async def test_a_database_that_is_away_is_no_answer_and_others_have_no_such_path(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_arguments: object) -> None:
        raise EventsError("the database of events cannot be used")

    monkeypatch.setattr(Digests, "answer", away)
    status, told = await both.post(ASKED)
    assert (status, told["errors"][0]["code"]) == (503, "err.service.unavailable")
    status, _told = await both.post(ASKED, path="/other/registry/sync/digests")
    assert status == 404
