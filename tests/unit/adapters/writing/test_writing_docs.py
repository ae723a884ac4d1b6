"""The example of the page about taking records in works, and its steps can be followed."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from adapters.composition import compose, open_events_store, writers_of
from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.events import Event
from adapters.yamlfile import SCHEMAS
from spean.cli import main
from tests.support.mariadb import PASSWORD, MariaDb
from tests.support.writing import NOW

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE = DOCS / "writing.md"
SENDER = "KH-SANDBOX/GOV/SPR/REGISTRY"
TABLES = """
CREATE TABLE school (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE grant_paid (id INTEGER PRIMARY KEY, pupil_id TEXT REFERENCES pupil (id), year INTEGER);
CREATE TABLE pupil (id TEXT PRIMARY KEY, full_name TEXT, sex TEXT, birth_date_be TEXT, id_card TEXT UNIQUE,
    school_code TEXT REFERENCES school (code), spid TEXT UNIQUE, village TEXT, state TEXT, changed_at TEXT,
    version INTEGER);
CREATE TABLE phone (id INTEGER PRIMARY KEY, pupil_id TEXT NOT NULL, number TEXT NOT NULL);
"""
RECORD: dict[str, object] = {
    "identifier": [{"identifier_type": "SPID", "identifier_value": "7K2M-9QXA"}],
    "name": {"surname": "សុខ", "given_name": "ដារា"},
    "sex": "male",
    "birth_date": "2010-05-20T00:00:00+07:00",
    "address": [{"country_code": "KH", "region_code": "12", "village_code": "12010101"}],
    "phone_number": ["+85512345678"],
}


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Write the files of both pages, and the registry that they speak of."""
    for page in (DOCS / "adapters.md", PAGE):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            name = re.match(r"# (\S+)", block)
            if name is not None and name[1].startswith("pupils/"):
                (tmp_path / name[1]).parent.mkdir(exist_ok=True)
                (tmp_path / name[1]).write_text(block, encoding="utf-8")
    path = tmp_path / "pupils" / "adapter.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["services"][0]["write"] = "pupil.write.yaml"
    server = {"url": "http://127.0.0.1:1"}
    data["events"] = {"database": "source", "key_file": "events.key", "security_server": server}
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with closing(sqlite3.connect(path.parent / "pupils.sqlite")) as database:
        database.executescript(TABLES)
    return path


def send(adapter: Path, *records: dict[str, object]) -> None:
    config = load_config(adapter)
    assert config.events is not None
    store = open_events_store(config.events)
    writer = writers_of(config, store, None)["pupil"]
    events = [Event(f"e{n}{hash(str(each))}", NOW, "UPDATE", "Person", "1.0.0", each) for n, each in enumerate(records)]
    results = store.write_now(lambda connection: writer.receive(connection, SENDER, events, NOW))
    store.database.close()
    assert {each.status.value for each in results} == {"succ"}


def rows(adapter: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(adapter.parent / "pupils.sqlite")) as database:
        found = database.execute(statement).fetchall()
        database.commit()
        return found


def test_the_example_of_the_page_writes(adapter: Path) -> None:
    send(adapter, RECORD)
    assert rows(adapter, "SELECT id, full_name, sex, birth_date_be, village, state, version FROM pupil") == [
        ("P00001", "សុខ ដារា", "1", "20/05/2553", "12010101", "NEW", 1)
    ]
    assert rows(adapter, "SELECT pupil_id, number FROM phone") == [("P00001", "+85512345678")]


def test_the_example_writes_into_mariadb(adapter: Path, mariadb_server: MariaDb) -> None:
    name = mariadb_server.new_database()
    tables = TABLES.replace("id TEXT PRIMARY KEY", "id VARCHAR(20) PRIMARY KEY").replace(
        "code TEXT P", "code CHAR(9) P"
    )
    tables = tables.replace("spid TEXT", "spid VARCHAR(20)").replace("id_card TEXT", "id_card VARCHAR(9)")
    tables = re.sub("CREATE TABLE grant_paid.*\n", "", tables)
    tables = tables.replace("school_code TEXT", "school_code CHAR(9)").replace("pupil_id TEXT", "pupil_id VARCHAR(20)")
    mariadb_server.execute(name, tables)
    data = yaml.safe_load(adapter.read_text(encoding="utf-8"))
    data["source"] = {"kind": "sql", "url": mariadb_server.url(name), "password_file": "password"}
    data["events"]["database"] = {"url": "sqlite:///events.sqlite"}
    (adapter.parent / "password").write_text(PASSWORD)
    adapter.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    compose(load_config(adapter))
    send(adapter, RECORD)
    with closing(mariadb_server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, full_name, sex, version FROM pupil")
        assert cursor.fetchall() == (("P00001", "សុខ ដារា", "1", 1),)
    mariadb_server.execute(name, "ALTER TABLE phone ENGINE=MyISAM")
    with pytest.raises(ConfigError, match="phone has no transactions"):
        compose(load_config(adapter))


def test_other_databases_hold_the_events_beside_the_rows(adapter: Path) -> None:
    data = yaml.safe_load(adapter.read_text(encoding="utf-8"))
    data["events"]["database"] = {"url": "sqlite:///events.sqlite"}
    adapter.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match="must be source, because pupil writes what others send"):
        compose(load_config(adapter))


def test_a_record_can_be_tried_and_changes_nothing(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send(adapter, RECORD)
    sent = adapter.parent / "sent.json"
    sent.write_text(json.dumps(RECORD | {"sex": "female"}), encoding="utf-8")
    assert main(["adapter", "try", str(adapter), "--write", str(sent)]) == 0
    shown = capsys.readouterr().out
    assert "* sex: '1' → '2'" in shown
    assert "Nothing was changed." in shown
    assert rows(adapter, "SELECT sex FROM pupil") == [("1",)]
    sent.write_text(json.dumps(RECORD | {"sex": "other"}), encoding="utf-8")
    assert main(["adapter", "try", str(adapter), "--write", str(sent)]) == 1
    assert "It would be rejected: mapping: " in capsys.readouterr().out


def test_conflicts_are_listed_and_decided(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send(adapter, RECORD)
    rows(adapter, "UPDATE pupil SET full_name = 'ours', sex = '9'")
    changed = RECORD | {"name": {"surname": "សុខ", "given_name": "ធីតា"}, "sex": "female"}
    send(adapter, changed)
    assert main(["adapter", "conflicts", str(adapter)]) == 0
    shown = capsys.readouterr().out
    assert "1  " in shown
    assert "name  kept local" in shown
    assert "ours" not in shown
    assert main(["adapter", "conflicts", str(adapter), "--values"]) == 0
    assert "local 'ours'" in capsys.readouterr().out
    assert main(["adapter", "conflicts", str(adapter), "--decide", "1", "sent"]) == 0
    assert main(["adapter", "conflicts", str(adapter), "--decide", "2", "local"]) == 0
    assert rows(adapter, "SELECT full_name, sex FROM pupil") == [("សុខ ធីតា", "9")]
    capsys.readouterr()
    assert main(["adapter", "conflicts", str(adapter)]) == 0
    assert "No conflict is open." in capsys.readouterr().out
    assert main(["adapter", "conflicts", str(adapter), "--decide", "1", "local"]) == 1


def test_a_value_that_was_changed_again_is_not_decided_over(adapter: Path) -> None:
    send(adapter, RECORD)
    rows(adapter, "UPDATE pupil SET full_name = 'ours'")
    send(adapter, RECORD | {"name": {"surname": "សុខ", "given_name": "ធីតា"}})
    rows(adapter, "UPDATE pupil SET full_name = 'again'")
    assert main(["adapter", "conflicts", str(adapter), "--decide", "1", "sent"]) == 1
    assert rows(adapter, "SELECT full_name FROM pupil") == [("again",)]


def test_the_check_tells_what_is_wrong_with_a_write_file(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["adapter", "check", str(adapter), "--against-data"])
    shown = capsys.readouterr().out
    assert "the list sex does not know" in shown
    assert "Errors: 0" in shown
    intake = adapter.parent / "pupil.intake.yaml"
    intake.write_text(intake.read_text(encoding="utf-8").replace("email, ", ""), encoding="utf-8")
    assert main(["adapter", "check", str(adapter)]) == 1
    assert "neither mapped nor ignored with a reason: email" in capsys.readouterr().out


def test_the_check_against_data_finds_columns_that_are_not_there(
    adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(adapter, "ALTER TABLE pupil DROP COLUMN changed_at")
    assert main(["adapter", "check", str(adapter), "--against-data"]) == 1
    assert "pupil has no column changed_at" in capsys.readouterr().out


def test_the_page_names_everything_that_a_write_file_may_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    schema = json.loads((SCHEMAS / "write.schema.json").read_text(encoding="utf-8"))
    names = [*schema["properties"], *schema["$defs"]["makers"]["additionalProperties"]["properties"]]
    names += [
        "table",
        "key",
        "fields",
        "many",
        "row",
        "same",
        "absent",
        "insert",
        "reject",
        "skip",
        "ask",
        "mark",
        "delete",
    ]
    assert [name for name in names if not re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", page)] == []
