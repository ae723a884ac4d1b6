"""A mapping that takes records in is refused unless it is whole; its transforms undo the outward ones."""

from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError
from adapters.mapping import load_mapping
from adapters.mapping.paths import WrongShape, reader
from adapters.mapping.transforms import TransformError, build
from adapters.writing import load_write, open_writers
from tests.support.writing import INTAKE, WRITE, Registry

LISTS = {"sex": {"M": "male", "F": "female"}}
THERE_AND_BACK: list[tuple[str, Any, str, Any, Any, Any]] = [
    ("date", {"format": "dmy-slash", "era": "buddhist"}, "write_date", {"format": "dmy-slash", "era": "buddhist"},
     "02/01/2533", "1990-01-02T00:00:00+07:00"),
    ("date", {"format": "ymd-compact"}, "write_date", {"format": "ymd-compact"},
     "19900102", "1990-01-02T00:00:00+07:00"),
    ("month", {"format": "ym-compact"}, "write_month", {"format": "ym-compact"}, "202601", "2026-01"),
    ("timestamp", {"zone": "+07:00"}, "write_time", {"zone": "+07:00"},
     "2026-01-31 10:00:00", "2026-01-31T10:00:00+07:00"),
    ("buddhist_era_year", None, "write_year", {"era": "buddhist"}, 2533, 1990),
    ("sex_code", "sex", "write_code", "sex", "M", "male"),
    ("riel", {"unit": "riel"}, "write_riel", {"unit": "riel", "text": "#,### ៛"}, "60,000 ៛", 60_000),
    ("riel", {"unit": "thousand"}, "write_riel", {"unit": "thousand"}, 40, 40_000),
    ("yes_no", {"yes": ["Y"], "no": ["N"]}, "write_yes_no", {"yes": "Y", "no": "N"}, "Y", True),
    ("split_list", {"separator": ";"}, "write_list", {"separator": ";"}, "a;b", ["a", "b"]),
    ("pad", 6, "strip_zeros", None, "123", "000123"),
]  # fmt: skip


@pytest.mark.parametrize(("out", "how", "back", "how_back", "local", "standard"), THERE_AND_BACK)
def test_there_and_back(out: str, how: Any, back: str, how_back: Any, local: Any, standard: Any) -> None:
    assert build(out, how, LISTS)(local) == standard
    assert build(back, how_back, LISTS)(standard) == local


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("write_date", {"format": "iso"}, "1990-01-02"),
        ("write_date", {"format": "iso"}, "1990-02-30T00:00:00+07:00"),
        ("write_month", {"format": "ym-dash"}, "202601"),
        ("write_time", {"zone": "+07:00"}, "2026-01-31T10:00:00"),
        ("write_time", {"zone": "+07:00"}, "yesterday"),
        ("write_code", "sex", "other"),
        ("write_riel", {"unit": "thousand"}, 40_500),
        ("write_yes_no", {"yes": "Y", "no": "N"}, "yes"),
        ("write_list", {"separator": ";"}, ["a;b"]),
        ("write_list", {"separator": ";"}, "a"),
        ("strip_zeros", None, "A1"),
    ],
)
def test_what_the_local_form_cannot_hold_is_an_error(name: str, argument: Any, value: Any) -> None:
    with pytest.raises(TransformError):
        build(name, argument, LISTS)(value)


def test_a_path_chooses_one_element() -> None:
    record = {
        "address": [{"code": "1"}, {"code": "2"}],
        "member": [{"kin": [{"type": "SPS"}]}, {"kin": [{"type": "SELF"}], "id": 7}],
    }
    assert reader("address[first].code")(record) == "1"
    assert reader("address[code=2].code")(record) == "2"
    assert reader("member[kin.type=SELF].id")(record) == 7
    assert reader("member[kin.type=NONE].id")(record).value == "missing"
    assert reader("address[first].code")({"address": None}) is None
    with pytest.raises(WrongShape):
        reader("address[first].code")({"address": {"code": "1"}})


BAD_INTAKES = {
    "neither mapped nor ignored": ("group.group_type\n", "group.equity_card\n"),
    "has no field": ("group.group_size", "group.group_weight"),
    "the write file has no field": ("{to: size,", "{to: weight,"),
    "several local codes for male": ("{M: male, F: female}", "{M: male, X: male, F: female}"),
    "no list people under": ("to: lines", "to: people"),
    "there is no code list": ("write_code: sex", "write_code: gender"),
    "use write_code": ("write_code: sex", "sex_code: sex"),
    "there is no contract": ("cambodia/registration", "cambodia/nothing"),
}


@pytest.mark.parametrize("problem", BAD_INTAKES)
def test_a_mapping_that_is_not_whole_is_refused(tmp_path: Path, problem: str) -> None:
    old, new = BAD_INTAKES[problem]
    assert old in INTAKE
    intake = INTAKE.replace(old, new, 1)
    if problem.startswith("neither"):
        intake = INTAKE.replace("      - group.group_type\n", "")
    (tmp_path / "family.intake.yaml").write_text(intake, encoding="utf-8")
    (tmp_path / "family.write.yaml").write_text(WRITE, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        load_write(tmp_path / "family.write.yaml")


BAD_WRITES: dict[str, tuple[str, str]] = {
    "find": ("{field: sprNo}", "{field: state}"),
    "goes with do: mark": ("do: delete", "do: mark"),
    "needs the field with the local time": (", changed: changed}", "}"),
    "nothing writes state": ("  state: {value: LIVE}\n", ""),
    "must make familyNo": ("  familyNo: {next: {prefix: F, digits: 6}}\n", ""),
    "must make lines.lineNo": ('  lines.lineNo: {text: "{familyNo}/{lines.line}"}\n', ""),
    "no such field": ("village: local", "place: local"),
    "counts up what is there": ("state: {value: LIVE}", "state: {add: 1}"),
    "no field card among its fields": ("same: [spid, idCard]", "same: [spid, card]"),
}


@pytest.mark.parametrize("problem", BAD_WRITES)
def test_a_write_file_that_contradicts_itself_is_refused(tmp_path: Path, problem: str) -> None:
    old, new = BAD_WRITES[problem]
    assert old in WRITE
    (tmp_path / "family.intake.yaml").write_text(INTAKE, encoding="utf-8")
    (tmp_path / "family.write.yaml").write_text(WRITE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        load_write(tmp_path / "family.write.yaml")


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TABLE line", "there is no table line"),
        ("ALTER TABLE family DROP COLUMN book", "family has no column book"),
        ("ALTER TABLE line RENAME TO lines", "there is no table line"),
    ],
)
def test_a_writer_does_not_start_without_its_tables(registry: Registry, statement: str, problem: str) -> None:
    definition = registry.writer().definition
    assert set(open_writers({"family": definition}, registry.store)) == {"family"}
    registry.run(statement)
    with pytest.raises(ConfigError, match=problem):
        open_writers({"family": definition}, registry.store)


def test_a_key_that_two_rows_may_share_is_refused(registry: Registry) -> None:
    registry.run("ALTER TABLE line RENAME TO old")
    registry.run("CREATE TABLE line AS SELECT * FROM old")
    with pytest.raises(ConfigError, match="two rows could have one value"):
        open_writers({"family": registry.writer().definition}, registry.store)


def test_a_view_is_not_written(registry: Registry) -> None:
    registry.run("ALTER TABLE line RENAME TO old")
    registry.run("CREATE VIEW line AS SELECT * FROM old")
    with pytest.raises(ConfigError, match="is a view"):
        open_writers({"family": registry.writer().definition}, registry.store)


def test_one_kind_of_mapping_is_not_taken_for_the_other(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(INTAKE, encoding="utf-8")
    with pytest.raises(ConfigError, match="for a write file"):
        load_mapping(tmp_path / "mapping.yaml")
