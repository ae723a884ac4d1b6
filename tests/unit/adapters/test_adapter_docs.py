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
from adapters.source import Comparison, Operator, Query, SqlSource
from adapters.source.connection import SqlConnection
from adapters.yamlfile import SCHEMAS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "adapters.md"
TABLES = """
CREATE TABLE pupil (id TEXT, full_name TEXT, sex TEXT, birth_date_be TEXT, id_card TEXT, school_code TEXT);
CREATE TABLE school (code TEXT, name TEXT);
CREATE TABLE grant_paid (pupil_id TEXT, year INTEGER);
INSERT INTO pupil VALUES ('7', 'សុខ ដារ៉ា', '2', '20/05/2553', '០១២៣៤៥៦៧៨', 's'), ('8', 'សុខ ដារ៉ា', '3', NULL, NULL, NULL);
INSERT INTO school VALUES ('s', 'x');
"""


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        name = re.match(r"# (\S+)", block)
        assert name is not None
        (tmp_path / name[1]).write_text(block, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "pupils.sqlite")) as database:
        database.executescript(TABLES)
    config = load_config(tmp_path / "adapter.yaml")
    [service] = config.services
    assert isinstance(config.connection, SqlConnection)
    source = SqlSource(service.source, config.connection.url)
    source.check()
    both = source.find(Query(Comparison("LOCAL_ID", Operator.IN, ("7", "8")), (), 0, 10, 10)).records
    source.close()
    assert service.mapping.apply(both[0]) == {
        "identifier": [{"identifier_type": "KHM_ID", "identifier_value": "012345678"}],
        "name": {"surname": "សុខ", "given_name": "ដារ៉ា"},
        "sex": "female",
        "birth_date": "2010-05-20T00:00:00+07:00",
    }
    contracts.validate("cambodia/person", "1.0.0", service.mapping.apply(both[0]))
    with pytest.raises(UnknownCodeError, match="'3'"):
        service.mapping.apply(both[1])


def test_the_page_names_everything_that_a_mapping_may_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    schema = json.loads((SCHEMAS / "mapping.schema.json").read_text(encoding="utf-8"))
    rule = schema["$defs"]["rule"]["properties"]
    plain, with_argument = rule["transform"]["items"]["oneOf"]
    names = [*plain["enum"], *with_argument["properties"], *rule, *_OPERATORS, "$nin"]
    adapter = json.loads((SCHEMAS / "adapter.schema.json").read_text(encoding="utf-8"))
    names += [*adapter["properties"], *adapter["properties"]["limits"]["properties"]]
    missing = [name for name in names if not re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", page)]
    assert not missing
