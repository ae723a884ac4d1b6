"""The crosswalk as a service and as commands: over a small synthetic population with its known truth."""

import io
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from adapters.capture.difference import ended
from adapters.config import load_config
from adapters.crosswalk import load_definition
from adapters.crosswalk.hearing import Hearing
from adapters.crosswalk.opening import open_crosswalk
from adapters.errors import SearchRejected
from adapters.events import Event
from adapters.packaged import adapter_yaml
from adapters.source import And, Comparison, Not, Operator, Query, Source, open_source
from adapters.source.connection import CrosswalkConnection
from adapters.synthetic import ALL, generate
from adapters.synthetic.standard import REGISTERS, records
from bench.crosswalk import PRECISION, RECALL, measure
from spean.cli import main
from spean.commands import crosswalk_build
from tests.support.crosswalk import DECLARATION

HOUSEHOLDS, SEED = 40, 77


@dataclass(frozen=True)
class Made:
    """A crosswalk that was built by the command out of exports and adapters."""

    folder: Path
    config: Path
    spid: str
    patient: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("crosswalk")
    generate(folder, households=HOUSEHOLDS, seed=SEED, registers=ALL)
    config = folder / "crosswalk.yaml"
    source = {
        "kind": "crosswalk", "url": "sqlite:///crosswalk.sqlite", "key_file": "crosswalk.key",
        "declaration": str(DECLARATION),
    }  # fmt: skip
    config.write_text(
        adapter_yaml("crosswalk", listen="127.0.0.1:0", sender_id="KH-SANDBOX/GOV/SPR/REGISTRY", source=source)
    )
    for name in ("spr", "idpoor"):
        own = f"sqlite:///{folder / name}.sqlite"
        text = adapter_yaml(name, listen="127.0.0.1:0", sender_id="KH-SANDBOX/GOV/X/Y", source_url=own)
        (folder / f"{name}-adapter.yaml").write_text(text)
    exported = folder / "pmrs.jsonl"
    exported.write_text("".join(f"{json.dumps(each)}\n" for each in records(folder, "pmrs")))
    adapters = [str(folder / f"{name}-adapter.yaml") for name in ("idpoor", "spr")]
    assert main(["crosswalk", "build", str(config), *adapters, "--from", f"pmrs={exported}"]) == 0
    patient = next(
        each for each in records(folder, "pmrs") if any(i["identifier_type"] == "SPID" for i in each["identifier"])
    )
    of = {each["identifier_type"]: each["identifier_value"] for each in patient["identifier"]}
    return Made(folder, config, of["SPID"], of["LOCAL_ID"])


@pytest.fixture
async def source(made: Made) -> AsyncIterator[Source]:
    config = load_config(made.config)
    opened = open_source(config.services[0].source, config.connection, connections=1)
    yield opened
    await opened.close()


def query(where: object, limit: int = 10) -> Query:
    return Query(where, (), 0, limit, 100)  # type: ignore[arg-type]  # a filter


def by(kind: str, value: str) -> Comparison:
    return Comparison(kind, Operator.EQ, (value,))


async def test_any_number_finds_the_spid_and_where_the_person_is(made: Made, source: Source) -> None:
    for where in (by("SPID", made.spid), And((by("LOCAL_ID", made.patient), by("registry", "PMRS")))):
        [record] = (await source.search(query(where))).records
        assert record["spid"] == made.spid
        assert {"registry": "PMRS", "kind": "LOCAL_ID", "value": made.patient} in record["entries"]


async def test_the_record_is_one_of_the_standard(made: Made, source: Source) -> None:
    mapping = load_config(made.config).services[0].mapping
    [record] = (await source.search(query(by("SPID", made.spid)))).records
    assert mapping.apply(record)["member_identifier"][0] == {"identifier_type": "SPID", "identifier_value": made.spid}


@pytest.mark.parametrize(
    "where",
    [
        by("LOCAL_ID", "P1"),
        by("registry", "PMRS"),
        And((by("SPID", "1"), by("registry", "PMRS"))),
        Not(by("SPID", "1")),
        by("name", "Sok"),
        And((by("SPID", "1"), by("SPID", "2"))),
        Comparison("SPID", Operator.NE, ("1",)),
    ],
)
async def test_what_is_no_question_to_a_crosswalk_is_rejected(source: Source, where: object) -> None:
    with pytest.raises(SearchRejected):
        await source.search(query(where))


async def test_a_number_of_nobody_finds_nobody(source: Source) -> None:
    assert (await source.search(query(by("SPID", "nobody")))).total == 0


async def test_all_persons_are_streamed_and_counted(source: Source) -> None:
    await source.check()
    assert await source.count() == len([each async for each in source.stream()])


def test_weights_are_proposed_and_nothing_is_changed(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "proposed.yaml", DECLARATION.read_bytes()
    words = ["crosswalk", "weights", str(made.config), "--pairs", "20000"]
    assert main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^given +exact +\+6\.5 +\+\d", shown, re.MULTILINE)
    assert re.search(r"^number +missing +\+0\.0 +-", shown, re.MULTILINE)
    assert "Nothing was changed." in shown
    assert DECLARATION.read_bytes() == before
    weights = yaml.safe_load(out.read_text(encoding="utf-8"))["weights"]
    declaration = tmp_path / "crosswalk.yaml"
    declaration.write_text(yaml.safe_dump(yaml.safe_load(before) | {"weights": weights}, allow_unicode=True))
    proposed, declared = load_definition(declaration).weights, load_definition(DECLARATION).weights
    assert {f: {n: w.text for n, w in each.items()} for f, each in proposed.items()} == {
        f: {n: w.text for n, w in each.items()} for f, each in declared.items()
    }
    assert proposed["given"]["exact"].bits > 3
    assert proposed["given"]["different"].bits < 0
    assert main([*words, "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*words[:3], "--pairs", "0"]) == 2


def test_who_is_not_in_a_registry_any_more_is_ended_when_it_is_asked_for(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("crosswalk.yaml", "crosswalk.key", "crosswalk.sqlite"):
        shutil.copy(made.folder / each, tmp_path / each)
    lines = (made.folder / "pmrs.jsonl").read_text().splitlines(keepends=True)
    fewer, config = tmp_path / "pmrs.jsonl", str(tmp_path / "crosswalk.yaml")
    everybody = f"pmrs={made.folder / 'pmrs.jsonl'}"
    assert main(["crosswalk", "build", config, "--from", everybody, "--gone"]) == 0  # others may have added somebody
    capsys.readouterr()
    fewer.write_text("".join(each for each in lines if f'"{made.patient}"' not in each))
    words = ["crosswalk", "build", config, "--from", f"pmrs={fewer}"]
    assert main(words) == 0
    assert "ended" not in capsys.readouterr().out
    assert main([*words, "--accept-gone"]) == 2
    assert main([*words, "--gone"]) == 0
    assert "pmrs: 1 ended." in capsys.readouterr().out
    monkeypatch.setattr(crosswalk_build, "_GONE_FEW", 5)
    fewer.write_text("")
    assert main([*words, "--gone"]) == 1
    assert "See that all of the registry was read" in capsys.readouterr().err
    assert main([*words, "--gone", "--accept-gone"]) == 0
    assert f"pmrs: {len(lines) - 1} ended." in capsys.readouterr().out
    everyone = [str(made.folder / "spr-adapter.yaml"), "--gone"]
    assert main(["crosswalk", "build", config, *everyone]) == 0
    assert "spr: 0 ended." in capsys.readouterr().out


def test_who_was_heard_of_since_a_registry_was_read_is_left_as_the_event_said(made: Made, tmp_path: Path) -> None:
    """One who came while the registry was read was not seen in it, and is not gone; who went does not come back."""
    for each in ("crosswalk.yaml", "crosswalk.key", "crosswalk.sqlite"):
        shutil.copy(made.folder / each, tmp_path / each)
    lines = (made.folder / "pmrs.jsonl").read_text().splitlines()
    record = next(json.loads(each) for each in lines if f'"{made.patient}"' in each)
    new = record | {"identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "NEW-9"}]}
    connection = load_config(tmp_path / "crosswalk.yaml").connection
    assert isinstance(connection, CrosswalkConnection)
    opened, now = open_crosswalk(connection), datetime.now(UTC)
    events = [Event("new", now, "REGISTER", "Person", "1.0.0", new)]
    events.append(Event("gone", now, "REMOVE", "Person", "1.0.0", {}, ended(record)))
    hearing = Hearing(opened.crosswalk)
    opened.store.write_now(lambda one: hearing.hear(one, "pmrs", events, now))
    words = ["crosswalk", "build", str(tmp_path / "crosswalk.yaml"), "--from", f"pmrs={made.folder / 'pmrs.jsonl'}"]
    assert main([*words, "--gone"]) == 0
    hashes = {opened.crosswalk.rows.words.record("pmrs", key): key for key in ("NEW-9", made.patient)}
    rows = opened.store.read_now(lambda one: opened.crosswalk.rows.records_of(one, hashes))
    assert {hashes[word]: row.state == "ended" for word, row in rows.items()} == {"NEW-9": False, made.patient: True}
    opened.store.database.close()


def test_an_operator_gets_the_spid_and_its_own_number_only(made: Made) -> None:
    rules = {str(client): rule for rule in load_config(made.config).services[0].release.rules for client in rule.to}
    for client, rule in rules.items():
        given = [each.text for each in rule.fields]
        assert given[0] == "member_identifier[identifier_type=SPID]", client
        assert len(given) == 2
        assert given[1].startswith("registered_in[registry="), client


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main(["crosswalk", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def test_show_tells_why_in_both_languages(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{made.spid}\n"))
    code, shown = run(capsys, "show", made.config, "--id", "SPID:-")
    assert code == 0
    assert made.patient in shown
    assert "The sex is the same. ភេទដូចគ្នា។" in shown
    assert run(capsys, "show", made.config, "--id", "SPID:nobody")[0] == 1
    assert run(capsys, "show", made.config, "--id", "LOCAL_ID:1")[0] == 2


def test_build_again_changes_nothing(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "build", made.config, made.folder / "idpoor-adapter.yaml")
    assert code == 0
    assert "idpoor: 0 linked, 0 for review, 0 with nobody" in shown


@pytest.mark.parametrize("wrong", ["pmrs", "bank=x.jsonl"])
def test_build_refuses_what_it_does_not_know(made: Made, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    assert run(capsys, "build", made.config, "--from", wrong)[0] == 2
    assert run(capsys, "build", made.config)[0] == 2


def test_build_names_the_line_that_is_no_record(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    bad = made.folder / "bad.jsonl"
    for text in ("{}\nnot json\n", "{}\n[]\n"):
        bad.write_text(text)
        code, shown = run(capsys, "build", made.config, "--from", f"pmrs={bad}")
        assert code == 1
        assert "line 2" in shown


def test_a_human_decides_with_a_reason(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    unsure = made.folder / "unsure.jsonl"
    patient = next(records(made.folder, "pmrs"))
    patient |= {"identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "NEW-1"}]}
    person = next(each for each in records(made.folder, "spr") if each["registration_status"] == "REGISTERED")
    info = person["member"]["demographic_info"]
    patient |= {
        "name": info["name"],
        "sex": info["sex"],
        "birth_year": int((info.get("birth_date") or f"{info.get('birth_year')}")[:4]),
    }
    for gone in ("birth_date", "address"):
        patient.pop(gone, None)
    unsure.write_text(json.dumps(patient) + "\n")
    assert run(capsys, "build", made.config, "--from", f"pmrs={unsure}")[0] == 0
    code, shown = run(capsys, "review", made.config, "--list")
    assert code == 0
    assert "NEW-1" in shown
    pair = shown[: shown.index(" ", shown.index("NEW-1"))].rsplit("\n", 1)[1].split()[0]
    assert run(capsys, "review", made.config, "--decide", pair, "same")[0] == 2
    assert run(capsys, "review", made.config, "--decide", pair, "perhaps", "--reason", "x")[0] == 2
    decisions = made.folder / "decisions.csv"
    decisions.write_text(f"id,verdict,reason\n{pair},same,asked the commune\n{pair},same,twice\n")
    code, shown = run(capsys, "review", made.config, "--decisions", decisions, "--by", "sokha")
    assert code == 1
    assert f"{pair}: same" in shown
    assert "line 3" in shown


def test_duplicates_are_listed_as_owners_are_told(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "duplicates", made.config, "--json")
    assert code == 0
    for line in shown.splitlines():
        assert set(json.loads(line)) == {"owner", "registry", "event_id", "record"}
    assert run(capsys, "duplicates", made.config)[0] == 0


def test_a_command_about_the_crosswalk_wants_a_crosswalk(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "review", made.folder / "spr-adapter.yaml")
    assert code == 1
    assert "is no crosswalk" in shown


def test_the_truth_of_a_small_population_is_found(tmp_path: Path) -> None:
    found = measure(tmp_path, households=60, seed=3)
    assert found.precision >= PRECISION
    assert found.recall >= RECALL
    assert set(REGISTERS) >= set(found.missed_in)
