import asyncio
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spean.cli import main
from tests.support.bus import PURPOSE, TO, Adapter, carry, make_client, make_registry, running
from tests.support.registry import make_adapter

DECLARED: dict[str, Any] = {
    "name": "people",
    "at": str(TO),
    "into": "person",
    "events": ["UPDATE"],
    "record": "Person",
    "version": "1.0.0",
    "purpose": PURPOSE,
    "filter": {"type": "idtype-value", "value": {"type": "SPID", "value": "c1-secret"}},
}


async def both(here: Adapter, there: Adapter) -> None:
    await carry(here, there)
    await there.jobs()
    await carry(there, here)


async def subscribed(registry: Path, client: Path) -> None:
    async with running(registry) as there, running(client) as here:
        await here.look(datetime.now(UTC))
        await both(here, there)


async def answered(registry: Path, client: Path) -> None:
    async with running(registry) as there, running(client) as here:
        await both(here, there)


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["subscription", "list", *arguments, "--json"]) == 0
    return [json.loads(each) for each in capsys.readouterr().out.splitlines() if each.startswith("{")]


def test_staff_see_and_end_subscriptions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c", subscriptions=[DECLARED])
    asyncio.run(subscribed(registry, client))
    [kept] = lines(capsys, str(client))
    assert (kept["kind"], kept["name"], kept["state"], kept["refused"]) == ("kept", "people", "answered", "")
    [here] = lines(capsys, str(registry))
    assert (here["kind"], here["code"], here["event"], here["status"]) == ("here", kept["codes"], "UPDATE", "in force")
    assert main(["subscription", "list", str(registry)]) == 0
    shown = capsys.readouterr().out
    assert here["code"] in shown
    assert "secret" not in shown
    assert main(["subscription", "end", str(registry), here["code"]]) == 0
    assert main(["subscription", "end", str(registry), here["code"]]) == 1
    assert lines(capsys, str(registry)) == []
    [ended] = lines(capsys, str(registry), "--all")
    assert ended["status"] == "ended"


def test_staff_ask_and_read_the_answer_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, client = make_registry(tmp_path / "r"), make_client(tmp_path / "c")
    monkeypatch.setattr("sys.stdin", io.StringIO("p1\n"))
    asked = ["--at", str(TO), "--id", "LOCAL_ID:-", "--purpose", PURPOSE["code"], "--ref-uri", PURPOSE["ref_uri"]]
    assert main(["subscription", "ask", str(client), *asked]) == 0
    said = capsys.readouterr().out
    assert "p1" not in said
    message_id = said.split(str(client))[1].split()[0]
    out = tmp_path / "answer.json"
    answer = ["subscription", "answer", str(client), message_id, "--out"]
    assert main([*answer, str(out)]) == 3
    asyncio.run(answered(registry, client))
    assert main([*answer, str(out)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["search_response"][0]["data"]["reg_records"][0]["name"]["given_name_latin"] == "Dara"
    assert out.stat().st_mode & 0o077 == 0
    assert main([*answer, str(out)]) == 1
    assert main(["subscription", "answer", str(client), "another", "--out", "-"]) == 1


@pytest.mark.parametrize("wrong", [["--id", "p1"], ["--id", "SPID:"], ["--at", "https://example.org/x"]])
def test_questions_that_cannot_be_asked(tmp_path: Path, wrong: list[str]) -> None:
    client = make_client(tmp_path / "c")
    asked = ["--at", str(TO), "--id", "LOCAL_ID:p1", "--purpose", "X", *wrong]
    assert main(["subscription", "ask", str(client), *asked]) == 2


def test_an_adapter_without_events_has_no_subscriptions(tmp_path: Path) -> None:
    assert main(["subscription", "list", str(make_adapter(tmp_path))]) == 1
