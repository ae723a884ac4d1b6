"""What staff do by hand about publishing: look, load, decide; and what subscribers hear of it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.composition import writers_of
from adapters.config import load_config
from adapters.events import Event
from adapters.events.model import Change
from spean.cli import main
from tests.support.publisher import SENDER, Publisher, make_publisher

PEOPLE = 60


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return make_publisher(tmp_path / "p")


def record(number: int, name: str, sex: str = "male") -> dict[str, Any]:
    return {
        "assistance_unit": "1", "registration_status": "REGISTERED",
        "member_identifier": [{"identifier_type": "SPID", "identifier_value": f"S-{number}"}],
        "member": {"demographic_info": {"name": {"given_name": name}, "sex": sex}},
    }  # fmt: skip


def take(publisher: Publisher, *records: dict[str, Any], kind: str = "UPDATE") -> None:
    """Let another registry's records in, without telling anybody: what is told later is of the decision."""
    at = datetime.now(UTC)
    events = [
        Event(f"e{at.timestamp()}-{place}", at, kind, "Registration", "1.0.0", each)
        if kind != "REMOVE"
        else Event(
            f"e{place}", at, kind, "Registration", "1.0.0", {}, tuple(Change(*pair, None) for pair in each.items())
        )
        for place, each in enumerate(records)
    ]
    with publisher.store() as store:
        writer = writers_of(load_config(publisher.file), store, None)["people"]
        results = store.write_now(lambda connection: writer.receive(connection, SENDER, events, at))
        assert {each.status.value for each in results} == {"succ"}


def command(*words: object) -> int:
    return main(["adapter", *map(str, words)])


def told(publisher: Publisher) -> list[tuple[str, str, str]]:
    """Return type of event, person and name of what waits for the operator."""
    found = []
    for each in publisher.sent():
        shown = each.record or {each_.field: each_.old for each_ in each.changes}
        member = shown.get("member", {}).get("demographic_info", {})
        found.append((each.event_type, shown["member_identifier"][0]["identifier_value"], member["name"]["given_name"]))
    return found


def test_subscribers_hear_what_was_decided_for_the_sender(publisher: Publisher) -> None:
    publisher.people(1)
    publisher.subscribe("UPDATE")
    assert command("capture", publisher.file, "--key", "1") == 0
    take(publisher, record(1, "សុខា"))
    assert command("conflicts", publisher.file, "--decide", "1", "sent") == 0
    assert publisher.run("SELECT name FROM person") == [("សុខា",)]
    [event] = publisher.sent()
    assert [(each.field, each.old, each.new) for each in event.changes] == [
        ("member.demographic_info.name.given_name", "ដារ៉ា", "សុខា")
    ]


def test_subscribers_hear_nothing_of_what_stays_as_it_was(publisher: Publisher) -> None:
    publisher.people(1)
    publisher.subscribe("UPDATE")
    command("capture", publisher.file, "--key", "1")
    take(publisher, record(1, "សុខា"))
    assert command("conflicts", publisher.file, "--decide", "1", "local") == 0
    assert publisher.run("SELECT name FROM person") == [("ដារ៉ា",)]
    assert publisher.sent() == []


def test_what_waits_for_a_decision_is_entered_and_told_once_it_is_decided(publisher: Publisher) -> None:
    publisher.subscribe("REGISTER")
    take(publisher, record(7, "សុខា"), record(8, "ធីតា"))
    assert (publisher.run("SELECT * FROM person"), publisher.sent()) == ([], [])
    assert command("conflicts", publisher.file, "--decide", "1", "sent") == 0
    assert command("conflicts", publisher.file, "--decide", "2", "local") == 0
    assert publisher.run("SELECT num, spid, name, sex FROM person") == [(1, "S-7", "សុខា", "M")]
    assert told(publisher) == [("REGISTER", "S-7", "សុខា")]
    assert command("conflicts", publisher.file, "--decide", "1", "sent") == 1


def test_who_is_gone_elsewhere_is_ended_here_when_staff_say_so(publisher: Publisher) -> None:
    publisher.people(1, 2)
    publisher.subscribe("REMOVE")
    command("capture", publisher.file, "--key", "1", "--key", "2")
    take(publisher, record(1, "ដារ៉ា"), record(2, "ដារ៉ា"), kind="REMOVE")
    assert len(publisher.run("SELECT * FROM person")) == 2
    assert command("conflicts", publisher.file, "--decide", "1", "sent") == 0
    assert command("conflicts", publisher.file, "--decide", "2", "local") == 0
    assert publisher.run("SELECT spid FROM person") == [("S-2",)]
    assert told(publisher) == [("REMOVE", "S-1", "ដារ៉ា")]


def test_changes_are_looked_for_by_hand(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.people(1, 2)
    publisher.subscribe("UPDATE", "REMOVE")
    assert command("capture", publisher.file, "--whole") == 0
    assert "2 records looked at" in capsys.readouterr().out
    publisher.run("UPDATE person SET name = 'សុខា' WHERE num = 1")
    publisher.run("DELETE FROM person WHERE num = 2")
    assert command("capture", publisher.file, "--key", "1", "--key", "2", "--key", "99") == 0
    assert "2 notifications to send" in capsys.readouterr().out
    assert sorted(told(publisher)) == [("REMOVE", "S-2", "ដារ៉ា"), ("UPDATE", "S-1", "សុខា")]
    publisher.run("UPDATE person SET sex = 'X' WHERE num = 1")
    assert command("capture", publisher.file, "--key", "1") == 1
    assert "1 that cannot be given in the standard" in capsys.readouterr().out


def test_a_whole_registry_that_is_gone_is_told_when_staff_say_so(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.people(*range(200))
    publisher.subscribe("REMOVE")
    command("capture", publisher.file, "--whole")
    publisher.run("DELETE FROM person")
    assert command("capture", publisher.file, "--whole") == 1
    assert "--accept-gone" in capsys.readouterr().err
    assert publisher.sent() == []
    assert command("capture", publisher.file, "--whole", "--accept-gone") == 0
    assert len(publisher.sent()) == 200


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["capture", "FILE", "--key", "1", "--whole"], 2, "not both"),
        (["capture", "FILE", "--accept-gone"], 2, "goes with --whole"),
        (["capture", "FILE", "--service", "other"], 2, "other"),
        (["load", "FILE", "--subscription", "none"], 1, "no subscription"),
        (["load", "FILE"], 2, "--subscription"),
        (["load", "FILE.yaml", "--subscription", "x"], 1, "FILE.yaml"),
        (["reconcile", "FILE", "--subscription", "none"], 1, "no subscription none"),
        (["reconcile", "FILE"], 2, "--subscription"),
        (["conflicts", "FILE", "--decide", "1", "both"], 2, "sent or local"),
        (["conflicts", "FILE", "--decide", "9", "sent"], 1, "no conflict 9"),
    ],
)
def test_wrong_input_is_a_sentence(
    words: list[str], code: int, said: str, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended = command(*(each.replace("FILE", str(publisher.file)) for each in words))
    except SystemExit as error:
        ended = int(str(error.code))
    shown = capsys.readouterr().err
    assert ended == code
    assert said.replace("FILE", str(publisher.file)) in shown
    assert "Traceback" not in shown


def test_an_adapter_that_publishes_nothing_says_so(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    text = publisher.file.read_text()
    publisher.file.write_text(text[: text.index("  publish:")] + text[text.index("  record:") :])
    assert command("capture", publisher.file) == 1
    assert "publishes nothing" in capsys.readouterr().err


def test_a_load_is_made_once_and_again_when_it_is_asked_for(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.people(*range(9))
    publisher.change(load={"chunk": 4, "waiting": 50})
    [code] = publisher.subscribe("REGISTER")
    assert command("load", publisher.file, "--subscription", code) == 0
    assert "9 records in 3 messages" in capsys.readouterr().out
    assert command("load", publisher.file, "--subscription", code) == 0
    assert "It was loaded before" in capsys.readouterr().out
    assert len(publisher.sent()) == 9
    assert command("load", publisher.file, "--subscription", code, "--again") == 0
    assert len(publisher.sent()) == 18


def test_a_load_that_is_killed_goes_on_with_nothing_lost_and_nothing_twice(publisher: Publisher) -> None:
    publisher.people(*range(PEOPLE))
    publisher.change(load={"chunk": 1, "waiting": PEOPLE // 2})  # nobody sends: it stands still there at the latest
    [code] = publisher.subscribe("REGISTER")
    words = [sys.executable, "-m", "spean", "adapter", "load", str(publisher.file), "--subscription", code]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while waiting(publisher.database) < 5:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    before = len(publisher.sent())
    assert 5 <= before < PEOPLE
    publisher.change(load={"chunk": 1, "waiting": 1000})
    assert command("load", publisher.file, "--subscription", code) == 0
    found = [each.record["member_identifier"][0]["identifier_value"] for each in publisher.sent()]
    assert sorted(found) == sorted(f"S-{number}" for number in range(PEOPLE))


def waiting(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM spean_outbox").fetchone()[0])
