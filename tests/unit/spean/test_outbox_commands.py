"""What staff see of an outbox and do about it, with errors that help."""

import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from adapters.composition import open_events_store
from adapters.config import load_config
from adapters.events import EventsStore
from adapters.events.tables import OUTBOX
from spean.cli import main
from tests.support.outbox import RECEIVER, outgoing, put_now, states
from tests.support.registry import make_adapter

EVENTS = {"database": "source", "key_file": "events.key", "security_server": {"url": "http://127.0.0.1:8080"}}
OTHER = "KH/GOV/NSSF/MEMBERS/membership"
SECRET = "012345678"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make_adapter(tmp_path, events=EVENTS)


@pytest.fixture
def store(config: Path) -> Iterator[EventsStore]:
    """Five rows: 1 waits, 2 is sent, 3 rejected, 4 dead, 5 dead for another receiver."""
    events = load_config(config).events
    assert events is not None
    opened = open_events_store(events)
    rows = [
        outgoing(f"e-{number}", person=SECRET, receiver=OTHER if number == 5 else RECEIVER) for number in range(1, 6)
    ]
    put_now(opened, rows)
    result = {"reference_id": "e-3", "status": "rjct", "message": "no such village",
              "conflicts": [{"field": "sex", "sent": SECRET, "local": SECRET}]}  # fmt: skip
    for number, values in {
        2: {"state": "sent", "finished": 1},
        3: {"state": "rejected", "finished": 1, "result": opened.key.seal(result)},
        4: {"state": "dead", "finished": 1, "attempts": 40, "problem": "timeout: there was no answer in time"},
        5: {"state": "dead", "finished": 1, "attempts": 40, "created": 1000},
    }.items():
        change = update(OUTBOX).where(OUTBOX.c.id == number).values(**values)
        opened.write_now(lambda each, change=change: each.execute(change))  # type: ignore[misc]  # each has its own
    yield opened
    opened.database.close()


def spean(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main(["outbox", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def listed(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[int]:
    code, shown = spean(capsys, "list", *arguments, "--json")
    assert code == 0
    return [json.loads(line)["number"] for line in shown.splitlines()]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ([], [1, 3, 4, 5]),
        (["--state", "sent", "--state", "dead"], [2, 4, 5]),
        (["--receiver", RECEIVER], [1, 3, 4]),
        (["--receiver", "KH/GOV/NSSF/MEMBERS"], [5]),
        (["--receiver", "KH/GOV/NSSF/MEM"], []),
        (["--older-than", "60"], [5]),
        (["--after", "3"], [4, 5]),
        (["--limit", "2"], [1, 3]),
    ],
)
@pytest.mark.usefixtures("store")
def test_rows_are_found_by_what_they_are(
    config: Path, capsys: pytest.CaptureFixture[str], filters: list[str], numbers: list[int]
) -> None:
    assert listed(capsys, config, *filters) == numbers


@pytest.mark.usefixtures("store")
def test_the_table_is_for_people_and_holds_no_person(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "list", config, "--limit", "3")
    assert code == 0
    assert "timeout: there was no answer in time" in shown
    assert "ផ្ញើមិនបាន" in shown
    assert "--after 4" in shown
    assert SECRET not in shown
    assert "No row fits" in spean(capsys, "list", config, "--state", "dropped")[1]


@pytest.mark.usefixtures("store")
def test_show_tells_what_the_receiver_said_and_no_value(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "show", config, 3)
    assert code == 0
    assert "no such village" in shown
    assert "conflicts" in shown
    assert SECRET not in shown
    assert SECRET not in spean(capsys, "show", config, 3, "--json")[1]


@pytest.mark.usefixtures("store")
def test_the_document_is_written_where_it_was_asked_for(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "event.json"
    assert spean(capsys, "show", config, 3, "--document", file)[0] == 0
    document: dict[str, Any] = json.loads(file.read_text())
    assert document["body"]["reference_id"] == "e-3"
    assert document["result"]["conflicts"][0]["local"] == SECRET
    assert file.stat().st_mode & 0o077 == 0
    assert spean(capsys, "show", config, 3, "--document", file)[0] == 1  # an existing file is left as it is
    assert SECRET in spean(capsys, "show", config, 3, "--document", "-")[1]


def test_one_row_or_all_dead_ones_are_sent_again(
    config: Path, store: EventsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert spean(capsys, "retry", config, 3)[0] == 0
    assert states(store)["e-3"] == "waiting"
    code, shown = spean(capsys, "retry", config, "--dead", "--receiver", "KH/GOV/NSSF/MEMBERS")
    assert (code, states(store)["e-4"], states(store)["e-5"]) == (0, "dead", "waiting")
    assert "1 will be sent again" in shown
    assert spean(capsys, "retry", config, "--dead")[0] == 0
    assert states(store)["e-4"] == "waiting"


def test_what_is_dropped_says_why_by_whom_and_when(
    config: Path, store: EventsStore, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = spean(capsys, "drop", config, 4, "--reason", "It was told by telephone.")
    assert (code, states(store)["e-4"]) == (0, "dropped")
    assert "Row 4 is dropped" in shown
    shown = spean(capsys, "show", config, 4)[1]
    assert "It was told by telephone." in shown
    assert getpass.getuser() in shown
    assert "dropped_at" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", 99], "no row 99"),
        (["retry", 99], "no row 99"),
        (["retry", 2], "row 2 is sent"),
        (["retry"], "Give numbers of rows"),
        (["retry", 4, "--dead"], "not both"),
        (["retry", 4, "--receiver", RECEIVER], "goes with --dead"),
        (["drop", 2, "--reason", "x"], "row 2 is sent"),
        (["drop", 4, "--reason", " "], "--reason says why"),
        (["list", "--limit", "0"], "at least 1"),
        (["list", "--older-than", "-1"], "number of minutes"),
    ],
)
@pytest.mark.usefixtures("store")
def test_an_error_helps(config: Path, capsys: pytest.CaptureFixture[str], arguments: list[object], said: str) -> None:
    command, *others = arguments
    code, shown = spean(capsys, command, config, *others)
    assert code != 0
    assert said in shown


def test_an_adapter_without_events_has_no_outbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "list", make_adapter(tmp_path))
    assert code == 1
    assert "no outbox" in shown


@pytest.mark.usefixtures("store")
def test_another_key_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "events.key").write_bytes(bytes(32))
    code, shown = spean(capsys, "show", config, 3)
    assert code == 1
    assert "another events key" in shown
