import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spean.cli import main
from tests.support.adapters import CLIENT, search_item, search_message, write_yaml
from tests.support.registry import MAPPING, RELEASE, RULE, SOURCE, make_adapter, running

CARD = "012345678"
FILES = ("source.yaml", "mapping.yaml", "release.yaml")
PEOPLE = """
INSERT INTO person VALUES ('012345678', 'Sokha', 'F', '1985-02-03', 41, '01020101'),
    ('987654321', 'Vuthy', 'M', '1984-02-03', 42, '01020101');
"""
SPIDS = "INSERT INTO card VALUES ('spid-1', '012345678'), ('spid-2', '987654321');"


def by_card(data: object) -> Any:
    """Turn the little registry's own numbers into ID card numbers."""
    return json.loads(json.dumps(data).replace("LOCAL_ID", "KHM_ID"))


def registry(folder: Path, name: str, *, extra: str) -> Path:
    (folder / name).mkdir(parents=True)
    rule = by_card(RULE) | {"for": ["ELIGIBILITY"], "fields": ["name", "identifier[identifier_type=KHM_ID]"]}
    path = make_adapter(
        folder / name, extra=extra, source=by_card(SOURCE), release=RELEASE | {"give": [rule]}, adapter=name
    )
    write_yaml(folder / name / "mapping.yaml", by_card(MAPPING))
    return path


@pytest.fixture
def registries(tmp_path: Path) -> list[Path]:
    """Two registries: one knows SPIDs and ID cards, the other ID cards; the other was asked about two people."""
    paths = [registry(tmp_path, "spr", extra=PEOPLE + SPIDS), registry(tmp_path, "fund", extra=PEOPLE)]
    purpose: dict[str, Any] = {"authorize": {"purpose": {"code": "ELIGIBILITY"}}}

    async def ask() -> None:
        async with running(paths[1]) as caller:
            for number in (CARD, "987654321"):
                item = search_item({"type": "KHM_ID", "value": number}, **purpose)
                assert (await caller.results(search_message(item)))[0]["status"] == "succ"
            refused = search_item({"type": "KHM_ID", "value": CARD})
            assert (await caller.results(search_message(refused)))[0]["status"] == "rjct"

    asyncio.run(ask())
    return paths


def report(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["access-report", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_spid_finds_what_was_asked_by_another_number(
    registries: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(report(capsys, "--spid", "spid-1", *registries, "--json"))
    assert [(each["adapter"], each["outcome"], each["client"]) for each in found] == [
        ("fund", "given", CLIENT),
        ("fund", "refused", CLIENT),
    ]
    assert found[0]["purpose_title"] == {"en": "Check who can get it", "km": "ពិនិត្យសិទ្ធិ"}
    assert [each["field"] for each in found[0]["given"]] == ["name", "identifier[identifier_type=KHM_ID]"]
    assert [each["en"] for each in found[0]["given"]] == ["Name", "Identifiers (KHM_ID)"]
    assert found[1]["given"] == []
    assert json.loads(report(capsys, "--spid", "spid-3", *registries, "--json")) == []


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", ["who looked", "refused", "Check who"]), ("km", ["នរណាបានមើល", "បានបដិសេធ", "ពិនិត្យសិទ្ធិ"])],
)
def test_the_table_in_both_languages(
    registries: list[Path], capsys: pytest.CaptureFixture[str], lang: str, words: list[str]
) -> None:
    text = report(capsys, "--id", f"KHM_ID:{CARD}", *registries, "--lang", lang)
    assert len(text.splitlines()) == 3
    assert all(word in text for word in words)
    for hidden in (CARD, "Sokha", "spid-1"):
        assert hidden not in text


def test_a_number_can_be_given_without_showing_it(
    registries: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, typed in ((("--spid", "-"), "spid-1"), (("--id", "KHM_ID:-"), CARD)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
        assert len(json.loads(report(capsys, *words, *registries, "--json"))) == 2


def test_all_adapters_of_a_sandbox(registries: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "sandbox" / "adapters"
    folder.mkdir(parents=True)
    for path in registries:
        for each in path.parent.iterdir():
            text = each.read_bytes()
            if each.name == "adapter.yaml":
                for name in (
                    "source.yaml",
                    "mapping.yaml",
                    "release.yaml",
                    "people.sqlite",
                    "access.sqlite",
                    "access.key",
                ):
                    text = text.replace(name.encode(), str(path.parent / name).encode())
                (folder / f"{path.parent.name}.yaml").write_bytes(text)
    assert len(json.loads(report(capsys, "--spid", "spid-1", "--sandbox", folder.parent, "--json"))) == 2


def test_another_person_has_a_report_of_their_own(registries: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(report(capsys, "--spid", "spid-2", *registries, "--json"))
    assert [each["outcome"] for each in found] == ["given"]


@pytest.mark.parametrize(
    "words",
    [
        ("--spid", "x"),
        ("--id", "KHM_ID", "a.yaml"),
        ("--spid", "x", "nothing.yaml"),
        ("--spid", "x", "--sandbox", "none"),
    ],
)
def test_what_cannot_be_answered_is_said(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access-report", *words]) != 0
    assert capsys.readouterr().err


def test_nobody_looked(registries: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert "គ្មាននរណា" in report(capsys, "--spid", "spid-9", registries[0], "--lang", "km")


@pytest.fixture
def offices(tmp_path: Path) -> list[Path]:
    """Two registries with numbers of their own: p1 of the one is another person than p1 of the other."""
    paths = []
    for name in ("commune", "ministry"):
        (tmp_path / name).mkdir()
        rule = RULE | {"for": ["ELIGIBILITY"]}
        paths.append(make_adapter(tmp_path / name, release=RELEASE | {"give": [rule]}, adapter=name))

    async def ask(path: Path, number: str) -> None:
        async with running(path) as caller:
            item = search_item({"type": "LOCAL_ID", "value": number}, authorize={"purpose": {"code": "ELIGIBILITY"}})
            message = search_message(item, message_id=number)
            assert (await caller.results(message))[0]["status"] == "succ"

    for path, number in ((paths[0], "p2"), (paths[1], "p2"), (paths[1], "p3")):
        asyncio.run(ask(path, number))
    return paths


def test_a_number_of_one_registry_is_looked_for_there_only(
    offices: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*words: str) -> list[str]:
        return [each["adapter"] for each in json.loads(report(capsys, *words, *offices, "--json"))]

    assert asked("--id", "LOCAL_ID@commune:p2") == ["commune"]
    assert asked("--id", "LOCAL_ID@commune:p2", "--id", "LOCAL_ID@ministry:p3") == ["commune", "ministry"]
    assert asked("--id", "LOCAL_ID@commune,ministry:p2") == ["commune", "ministry"]
    assert asked("--spid", "c3", "--id", "LOCAL_ID@commune:p2") == ["commune", "ministry"]  # c3 is p3 at both
    monkeypatch.setattr(sys, "stdin", io.StringIO("p2\np3\n"))
    assert asked("--id", "LOCAL_ID@commune:-", "--id", "LOCAL_ID@ministry:-") == ["commune", "ministry"]
    assert len(json.loads(report(capsys, "--id", "LOCAL_ID:p3", offices[1], "--json"))) == 1  # the only one: no doubt


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--id", "LOCAL_ID:p2"], "another person's in the next"),
        (["--id", "LOCAL_ID@village:p2"], "no adapter is called village; these are: commune, ministry"),
        (["--id", "LOCAL_ID@:p2"], "TYPE@ADAPTER:VALUE"),
        ([], "Say whose data"),
    ],
)
def test_a_number_without_its_registry_is_refused(
    offices: list[Path], capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["access-report", *words, *map(str, offices)]) == 1
    assert said in capsys.readouterr().err


def test_a_source_that_is_away_is_named_beside_json_too(
    registries: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (registries[0].parent / "people.sqlite").unlink()
    assert main(["access-report", "--spid", "spid-1", *map(str, registries), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "The source of spr does not answer" in told.err


def test_who_of_the_clients_staff_asked_is_shown(offices: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    async def ask() -> None:
        async with running(offices[0]) as caller:
            item = search_item({"type": "SPID", "value": "c3"}, authorize={"purpose": {"code": "ELIGIBILITY"}})
            headers = {"Content-Type": "application/json", "X-Road-Client": CLIENT, "X-Road-UserId": "clerk\u202e-7"}
            await caller.post(search_message(item, message_id="by-a-clerk"), headers=headers)

    asyncio.run(ask())
    capsys.readouterr()  # the adapter's log
    [found] = json.loads(report(capsys, "--spid", "c3", offices[0], "--json"))
    assert (found["client"], found["user"]) == (CLIENT, "clerk\u202e-7")
    table = report(capsys, "--spid", "c3", offices[0])
    assert f"{CLIENT}, clerk" in table
    assert "\u202e" not in table  # a client's words cannot turn the line around
