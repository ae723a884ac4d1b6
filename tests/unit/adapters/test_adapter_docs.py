import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import contracts
from adapters.config import load_config
from adapters.errors import UnknownCodeError
from adapters.registry.queries import _OPERATORS
from adapters.source import Comparison, Operator, Query, SqlSource, load_source
from adapters.source.connection import SqlConnection
from adapters.yamlfile import SCHEMAS
from spean.cli import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters.md"
TABLES = """
CREATE TABLE school (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE pupil (id TEXT PRIMARY KEY, full_name TEXT, sex TEXT, birth_date_be TEXT, id_card TEXT UNIQUE,
    school_code TEXT REFERENCES school (code));
CREATE TABLE grant_paid (id INTEGER PRIMARY KEY, pupil_id TEXT REFERENCES pupil (id), year INTEGER);
INSERT INTO pupil VALUES ('7', 'សុខ សុភ័ក្រ្ត', '2', '20/05/2553', '០១២៣៤៥៦៧៨', 's'), ('8', 'ធី', '3', NULL, NULL, NULL);
INSERT INTO school VALUES ('s', 'x');
"""


COMMANDS = re.findall(r"^ +\$ spean (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
ENDS_WITH = {"new": 0, "check": 1, "check --against-data": 1, "try": 0, "export": 0}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Write every file of the page, and the registry that it speaks of."""
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        name = re.match(r"# (\S+)", block)
        assert name is not None
        (tmp_path / name[1]).parent.mkdir(exist_ok=True)
        (tmp_path / name[1]).write_text(block, encoding="utf-8")
    make_registry(tmp_path / "pupils" / "pupils.sqlite")
    return tmp_path


def make_registry(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)


def test_the_example_of_the_page_works(example: Path) -> None:
    config = load_config(example / "pupils" / "adapter.yaml")
    [service] = config.services
    assert isinstance(config.connection, SqlConnection)
    source = SqlSource(service.source, config.connection.url)
    source.check()
    both = source.find(Query(Comparison("LOCAL_ID", Operator.IN, ("7", "8")), (), 0, 10, 10)).records
    source.close()
    assert service.mapping.apply(both[0]) == {
        "identifier": [{"identifier_type": "KHM_ID", "identifier_value": "012345678"}],
        "name": {"surname": "សុខ", "given_name": "សុភ័ក្ត្រ", "given_name_received": "សុភ័ក្រ្ត"},
        "sex": "female",
        "birth_date": "2010-05-20T00:00:00+07:00",
    }
    contracts.validate("cambodia/person", "1.0.0", service.mapping.apply(both[0]))
    with pytest.raises(UnknownCodeError, match="'3'"):
        service.mapping.apply(both[1])


@pytest.mark.parametrize("kind", ["rest", "soap", "files"])
def test_the_other_kinds_of_sources_on_the_page_can_be_read(example: Path, kind: str) -> None:
    assert load_source(example / kind / "source.yaml").kind == kind


def test_the_steps_of_the_page_can_be_followed(
    example: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = example / "pupils"
    work = example / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    make_registry(work / "pupils.sqlite")
    (work / "url.txt").write_text("sqlite:///pupils.sqlite\n")
    for command in COMMANDS:
        words = command.split()
        step = " ".join([words[1], *(word for word in words if word == "--against-data")])
        assert main(words) == ENDS_WITH[step], step
        if step == "check":  # now the files are edited until they are as on the page
            for file in written.iterdir():
                (work / "pupils" / file.name).write_bytes(file.read_bytes())
    shown = capsys.readouterr().out
    assert "neither mapped nor ignored with a reason: birth_date_be, grant_paid_list.id" in shown
    assert "the code '3' at sex is not in the code list sex: 1 of 2 records" in shown
    assert 'birth_date = "2010-05-20T00:00:00+07:00"' in shown
    assert len((work / "pupils.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def keys_of(node: object) -> list[str]:
    """Return every key that a file of this schema may have."""
    if isinstance(node, list):
        return [key for each in node for key in keys_of(each)]
    if not isinstance(node, dict):
        return []
    return [*node.get("properties", {}), *(key for each in node.values() for key in keys_of(each))]


def test_the_page_names_everything_that_a_mapping_may_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    schema = json.loads((SCHEMAS / "mapping.schema.json").read_text(encoding="utf-8"))
    rule = schema["$defs"]["rule"]["properties"]
    plain, with_argument = rule["transform"]["items"]["oneOf"]
    names = [*plain["enum"], *with_argument["properties"], *rule, *_OPERATORS, "$nin"]
    for schema_name in ("source", "source-calls", "source-files", "connection"):
        names += keys_of(json.loads((SCHEMAS / f"{schema_name}.schema.json").read_text(encoding="utf-8")))
    adapter = json.loads((SCHEMAS / "adapter.schema.json").read_text(encoding="utf-8"))
    names += [*adapter["properties"], *adapter["properties"]["limits"]["properties"]]
    missing = [name for name in names if not re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", page)]
    assert not missing
