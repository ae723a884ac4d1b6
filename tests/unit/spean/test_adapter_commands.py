import io
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.config import load_config
from adapters.services import PROGRAMMES
from adapters.source.sql import BATCH
from spean.cli import main
from spean.commands.adapter_table import screen_width
from spean.commands.progress import Bar, line
from tests.support.adapters import write_yaml
from tests.support.registry import MAPPING, SERVICE, SOURCE, make_adapter

SECRET = "SENSITIVE-VALUE"


def spean(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main(["adapter", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def test_check_accepts_a_good_adapter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "check", make_adapter(tmp_path))
    assert code == 0
    assert "Errors: 0" in shown
    assert "កំហុស 0" in shown


@pytest.mark.parametrize("programme", ["idpoor", "nssf"])
def test_check_accepts_the_packaged_programmes(programme: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "check", PROGRAMMES / programme / "adapter.yaml")
    assert code == 0, shown


def test_check_lists_what_is_open_in_all_files_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = SERVICE | {"code": "other", "source": "nothing.yaml"}
    path = make_adapter(tmp_path, services=[SERVICE, second])
    write_yaml(tmp_path / "mapping.yaml", {key: each for key, each in MAPPING.items() if key != "ignored"})
    code, shown = spean(capsys, "check", path)
    assert code == 1
    assert "mapping.yaml: rules\n         neither mapped nor ignored with a reason: home.code" in shown
    assert "→ write a rule for each" in shown
    assert "nothing.yaml: file" in shown


def test_check_looks_at_the_data_in_spite_of_errors_and_says_at_what_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [
        SERVICE | {"code": "nowhere", "source": "nothing.yaml"},
        SERVICE | {"code": "unmapped", "mapping": "broken.yaml"},
    ]
    path = make_adapter(
        tmp_path, services=[SERVICE, *others], extra="INSERT INTO person VALUES ('p5', 'X', '9', NULL, 1, NULL);"
    )
    (tmp_path / "broken.yaml").write_text("mapping: [")
    rules = [{"to": "birth_year", "from": "gone", "transform": ["integer"]}, *MAPPING["rules"]]
    write_yaml(tmp_path / "mapping.yaml", MAPPING | {"rules": rules})
    code, shown = spean(capsys, "check", path, "--against-data")
    assert code == 1
    assert "the source has no field gone" in shown
    assert "the code '9' at sex is not in the code list sex: 1 of 5 records" in shown
    assert "breaks the contract" not in shown  # what was left out would be blamed on the data
    for said in (
        "these rules were not tried, since the source lacks what they read: rules[0] (birth_year)",
        "whether the records hold to cambodia/person was not looked at",
        "the data of the service nowhere were not looked at: its source file has errors",
        "what this mapping makes of the data was not looked at: it cannot be read",
    ):
        assert said in shown
    assert "not looked at" not in spean(capsys, "check", path)[1]


def test_check_against_data_judges_the_records_of_a_mapping_that_only_forgot_a_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {"security_servers": ["nowhere"]}
    path = make_adapter(tmp_path, extra="INSERT INTO person VALUES ('p5', '', 'M', NULL, 1, NULL);", callers=nobody)
    write_yaml(tmp_path / "mapping.yaml", {key: each for key, each in MAPPING.items() if key != "ignored"})
    code, shown = spean(capsys, "check", path, "--against-data")
    assert code == 1
    assert "neither mapped nor ignored" in shown
    assert "adapter.yaml: callers.security_servers" in shown
    assert "1 of 5 records" in shown
    assert "not looked at" not in shown


def test_check_says_when_there_is_no_way_to_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_adapter(tmp_path, source=SOURCE)
    path.write_text(path.read_text().replace("sqlite:///", "oracle:///"))
    code, shown = spean(capsys, "check", path, "--against-data")
    assert code == 1
    assert "the data were not looked at: without this nobody knows where they are" in shown


def test_check_of_an_old_file_says_what_replaced_its_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "adapter.yaml").write_text("adapter: old\nservice_code: person\nmapping: mapping.yaml\n")
    code, shown = spean(capsys, "check", tmp_path / "adapter.yaml")
    assert code == 1
    assert "'code' (was service_code)" in shown


def test_check_against_data_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = (
        f"INSERT INTO person VALUES ('p5', 'X', '9', NULL, 1, NULL), ('p6', 'X', '{SECRET} x', '{SECRET}', 1, NULL);"  # noqa: S608
    )
    path = make_adapter(tmp_path, extra=extra)
    code, shown = spean(capsys, "check", path, "--against-data")
    assert code == 1
    assert "the code '9' at sex is not in the code list sex: 1 of 6 records" in shown
    assert "is not a day of the format that the mapping names: 1 of 6 records" in shown
    assert SECRET not in shown
    assert "the code '9'" not in spean(capsys, "check", path, "--against-data", "--limit", 2)[1]


def test_check_against_data_finds_a_missing_index_and_a_missing_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = SOURCE["queries"]["attributes"]
    slow = SOURCE | {"queries": {"attributes": attributes | {"age": attributes["age"] | {"selective": True}}}}
    code, shown = spean(capsys, "check", make_adapter(tmp_path, source=slow), "--against-data")
    assert code == 0
    assert "queries.attributes.age" in shown
    assert "columns that are not mentioned" not in shown
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.executescript("ALTER TABLE card ADD COLUMN colour TEXT")
    assert "not mentioned: card.colour" in spean(capsys, "check", tmp_path / "adapter.yaml", "--against-data")[1]
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.executescript("DROP TABLE card")
    code, shown = spean(capsys, "check", tmp_path / "adapter.yaml", "--against-data")
    assert code == 1
    assert "the table card cannot be read" in shown


def test_check_limit_needs_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spean(capsys, "check", make_adapter(tmp_path), "--limit", 5)[0] == 2


def test_try_shows_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_adapter(tmp_path)
    code, shown = spean(capsys, "try", path, "--id", "LOCAL_ID:p1")
    assert code == 0
    row = next(each for each in shown.splitlines() if "sex = " in each)
    assert row.split("|")[0].strip() == 'sex = "M"'
    assert row.split("|")[1].strip() == 'sex = "male"'
    assert row.split("|")[2].strip() == "rules[3] (sex): sex_code"
    assert 'identifier[2].identifier_value = "c2"' in shown
    assert "The address is not part of this service." in shown
    (tmp_path / "id.txt").write_text("SPID:c3\n")
    assert '"Bopha"' in spean(capsys, "try", path, "--id-file", tmp_path / "id.txt")[1]


def test_try_says_why_a_record_cannot_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, file = make_adapter(tmp_path), tmp_path / "record.json"
    for record, problem in (
        ({"id": "1", "name": "Dara", "sex": "?", "cards": []}, "the code '?' is not in the code list sex"),
        ({"local": {"id": "1", "name": "ដារ៉ា", "sex": "M", "cards": []}}, "breaks the rule 'pattern'"),
    ):
        file.write_text(json.dumps(record), encoding="utf-8")
        code, shown = spean(capsys, "try", path, file)
        assert code == 1
        assert problem in shown
    file.write_text("[" * 100_000)
    code, shown = spean(capsys, "try", path, file)
    assert code == 1
    assert "is not JSON" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        ([], 2, "Give one record"),
        (["record.json", "--id", "LOCAL_ID:p1"], 2, "Give one record"),
        (["--id", "LOCAL_ID"], 2, "TYPE:VALUE"),
        (["--id", "NAME:x"], 2, "LOCAL_ID, SPID"),
        (["--id", "LOCAL_ID:nobody"], 1, "no such record"),
        (["--service", "nothing", "--id", "LOCAL_ID:p1"], 2, "It has person"),
        (["adapter.yaml"], 1, "not JSON"),
    ],
)
def test_try_used_wrongly(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_adapter(tmp_path)
    found, shown = spean(capsys, "try", "adapter.yaml", *arguments)
    assert found == code
    assert problem in shown


def test_export_writes_all_good_records_and_lists_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ", ".join(f"('q{each}', 'Dara', '{'MF9'[each % 3]}', '1990-01-01', 1, NULL)" for each in range(BATCH + 1))
    path, out = make_adapter(tmp_path, extra=f"INSERT INTO person VALUES {rows};"), tmp_path / "all.jsonl"  # noqa: S608
    code, shown = spean(capsys, "export", path, "--service", "person", "--out", out)
    assert code == 0
    records = [json.loads(each) for each in out.read_text(encoding="utf-8").splitlines()]
    refused = [json.loads(each) for each in (tmp_path / "all.jsonl.refused").read_text().splitlines()]
    assert (len(records), len(refused)) == (338, 167)
    assert f"{len(records)} records are in" in shown
    assert refused[0]["place"] == "id q101"
    assert "the code '9' is not in the code list sex" in refused[0]["reason"]
    assert {each.stat().st_mode & 0o777 for each in tmp_path.glob("all.jsonl*")} == {0o600}
    code, shown = spean(capsys, "export", path, "--out", out)
    assert code == 1
    assert "exists already" in shown


def test_an_export_that_fails_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_adapter(tmp_path)
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.executescript("DROP TABLE card")
    code, shown = spean(capsys, "export", path, "--out", tmp_path / "all.jsonl")
    assert code == 1
    assert "source people" in shown
    assert not list(tmp_path.glob("all.jsonl*"))


def test_progress_is_for_people_who_watch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Bar("records") as bar:
        bar.show(1, 2)
    assert capsys.readouterr().err == ""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    with Bar("records") as bar:
        bar.show(1, 2)
        bar.show(2, 2)
    assert screen.getvalue().count("\r") == 2
    assert line("records", 500_000, 1_000_000, 10) == f"records: [{'#' * 15}{'-' * 15}] 500,000 of 1,000,000 50,000/s"
    assert line("records", 7, None, 0) == "records: 7 "
    assert screen_width("ដារ៉ា") == 4


PUPILS = """
CREATE TABLE school (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE pupil (id TEXT PRIMARY KEY, full_name TEXT, sex TEXT, dob TEXT, id_card TEXT,
    school_code TEXT REFERENCES school(code));
CREATE INDEX pupil_card ON pupil (id_card);
CREATE TABLE grant_paid (id INTEGER PRIMARY KEY, pupil_id TEXT REFERENCES pupil(id), year INTEGER);
INSERT INTO school VALUES ('s', 'x');
INSERT INTO pupil VALUES ('7', 'សុខ ដារ៉ា', '2', '20/05/2553', '012345678', 's'), ('8', 'សុខ ធី', '1', NULL, NULL, NULL);
"""
OPEN = ("grant_paid_list", "school_code", "school_of_school_code")


def test_new_from_a_database_gives_an_adapter_that_check_completes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as database:
        database.executescript(PUPILS)
    (tmp_path / "url.txt").write_text("sqlite:///db.sqlite\n")
    folder = tmp_path / "pupils"
    code, shown = spean(capsys, "new", folder, "--from-sql", tmp_path / "url.txt")
    assert code == 0
    assert "spean adapter check" in shown
    code, shown = spean(capsys, "check", folder / "adapter.yaml")
    assert code == 1
    assert all(each in shown for each in OPEN)
    with (folder / "mapping.yaml").open("a") as mapping:
        mapping.write("ignored:\n")
        mapping.writelines(f"- {{path: {each}, reason: Not part of this service.}}\n" for each in OPEN)
    code, shown = spean(capsys, "check", folder / "adapter.yaml", "--against-data")
    assert code == 0, shown
    [service] = load_config(folder / "adapter.yaml").services
    assert service.mapping.apply({
        "id": "7", "full_name": "សុខ ដារ៉ា", "sex": "2", "dob": "20/05/2553", "id_card": "012345678",
        "school_code": "s", "grant_paid_list": [],
    }) == {
        "identifier": [
            {"identifier_type": "LOCAL_ID", "identifier_value": "7"},
            {"identifier_type": "KHM_ID", "identifier_value": "012345678"},
        ],
        "name": {"surname": "សុខ", "given_name": "ដារ៉ា"},
        "sex": "female",
        "birth_date": "2010-05-20T00:00:00+07:00",
    }  # fmt: skip
    assert service.source.identifiers == {"LOCAL_ID", "KHM_ID"}
    assert service.source.attributes["KHM_ID"].selective
    assert "id_card" not in service.source.attributes


def test_new_from_an_answer_knows_its_envelope(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people: list[dict[str, Any]] = [
        {"id": "1", "surname": "សុខ", "name": "ដារ៉ា", "gender": "M", "dob": "2010-05-20", "visits": [{"on": "x"}]}
    ]
    people[0] |= {"ids": {"khm_id": "012345678"}, "phone_number": "012"}
    answer: dict[str, Any] = {"success": True, "http_code": 200, "message": "ok", "data": {"items": people, "total": 1}}
    (tmp_path / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    folder = tmp_path / "beneficiaries"
    assert spean(capsys, "new", folder, "--from-json", tmp_path / "answer.json")[0] == 0
    code, shown = spean(capsys, "check", folder / "adapter.yaml")
    assert code == 1
    assert "neither mapped nor ignored with a reason: phone_number, visits.on" in shown  # the standard's is a list
    with (folder / "mapping.yaml").open("a") as mapping:
        mapping.write("ignored:\n- {path: visits, reason: Not part of this service.}\n")
        mapping.write("- {path: phone_number, reason: Not part of this service.}\n")
    code, shown = spean(capsys, "check", folder / "adapter.yaml")
    assert code == 0, shown
    assert "http_code" in (folder / "source.yaml").read_text()
    [service] = load_config(folder / "adapter.yaml").services
    assert service.source.identifiers == {"LOCAL_ID", "KHM_ID"}
    assert service.source.attributes["KHM_ID"].column == "ids.khm_id"


def test_new_asks_by_an_identifier_quickly_only_where_the_database_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = "spid TEXT PRIMARY KEY, khm_id TEXT, nssf_no TEXT, family_name_km TEXT, given_name_km TEXT, sex TEXT"
    with closing(sqlite3.connect(tmp_path / "db.sqlite")) as database:
        database.executescript(f"CREATE TABLE person ({columns}); CREATE INDEX by_nssf ON person (nssf_no);")
        many = ", ".join(f"c{number} TEXT" for number in range(9))
        database.executescript(f"CREATE TABLE visit (a TEXT, b TEXT, {many}, PRIMARY KEY (a, b));")  # no record's table
    (tmp_path / "url.txt").write_text("sqlite:///db.sqlite\n")
    assert spean(capsys, "new", tmp_path / "people", "--from-sql", tmp_path / "url.txt")[0] == 0
    code, shown = spean(capsys, "check", tmp_path / "people" / "adapter.yaml", "--against-data")
    assert code == 0, shown
    [service] = load_config(tmp_path / "people" / "adapter.yaml").services
    asked = {name: each.selective for name, each in service.source.attributes.items()}
    assert asked == {"SPID": True, "KHM_ID": False, "NSSF_CARD": True}
    assert service.source.identifiers == set(asked)  # the key is a number that everybody knows: no local one is made up


def test_new_from_a_workbook_with_khmer_headers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in (["បញ្ជីសិស្ស"], ["លេខ", "គោត្តនាម", "នាមខ្លួន", "ភេទ", "ឆ្នាំកំណើត"], [1, "សុខ", SECRET, "ស្រី", "២៥៥៣"]):
        page.append(row)
    book.save(tmp_path / "pupils.xlsx")
    folder = tmp_path / "meals"
    assert spean(capsys, "new", folder, "--from-xlsx", tmp_path / "pupils.xlsx")[0] == 0
    code, shown = spean(capsys, "check", folder / "adapter.yaml")
    assert code == 0, shown
    (folder / "inbox" / "first.xlsx").write_bytes((tmp_path / "pupils.xlsx").read_bytes())
    rules = (folder / "mapping.yaml").read_text(encoding="utf-8")
    assert "  - khmer_digits\n  - buddhist_era_year\n" in rules
    assert "ស្រី: female" in rules
    assert not [path for path in folder.glob("*.*") if SECRET in path.read_text(encoding="utf-8")]


KHMER = {
    "ល.រ": ("row_no", 1), "លេខប័ណ្ណសមធម៌": ("equity_card", "0123-4567-89"), "ឈ្មោះ (Name)": ("name", "សុខ ដារ៉ា"),
    "ឈ្មោះជាអក្សរឡាតាំង": ("name_latin", "SOK Dara"), "ភេទ": ("sex", "ប្រុស"),
    "ថ្ងៃ ខែ ឆ្នាំកំណើត": ("birth_date", "20/05/2010"), "អត្តសញ្ញាណប័ណ្ណ": ("khmer_id", "012345678"),
    "ប័ណ្ណ ប.ស.ស.": ("nssf_card", "123"), "លេខទូរស័ព្ទ": ("phone", "012"), "ភូមិ": ("village", "ក"),
    "ឈ្មោះម្ដាយ": ("mother_name", "ខ"), "ពណ៌": ("column_12", "ស"), "អត្តលេខសិស្ស": ("pupil_no", "7"),
}  # fmt: skip
NOT_MAPPED = ("row_no", "phone", "village", "mother_name", "column_12")


def test_new_knows_khmer_headers_and_lets_searches_name_the_identifiers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(list(KHMER))
    page.append([value for _name, value in KHMER.values()])
    page.append([2, "0123-4567-89", "សុខ ធី", "SOK Thy", "ប្រុស", "20/05/2012", None, None, "012", "ក", "ខ", "ស", "8"])
    book.save(tmp_path / "pupils.xlsx")
    folder = tmp_path / "pupils"
    assert spean(capsys, "new", folder, "--from-xlsx", tmp_path / "pupils.xlsx")[0] == 0
    with (folder / "mapping.yaml").open("a") as mapping:
        mapping.write("ignored:\n")
        mapping.writelines(f"- {{path: {each}, reason: Not part of this service.}}\n" for each in NOT_MAPPED)
    code, shown = spean(capsys, "check", folder / "adapter.yaml")
    assert code == 0, shown
    [service] = load_config(folder / "adapter.yaml").services
    assert service.source.identifiers == {"LOCAL_ID", "EQUITY_CARD", "KHM_ID", "NSSF_CARD"}
    assert all(each.selective for each in service.source.attributes.values())
    (folder / "inbox" / "first.xlsx").write_bytes((tmp_path / "pupils.xlsx").read_bytes())
    said = (folder / "source.yaml").read_text(encoding="utf-8")
    (folder / "source.yaml").write_text(said.replace("header_row: 1", "header_row: 1\n  settle_seconds: 0"))
    code, shown = spean(capsys, "check", folder / "adapter.yaml", "--against-data")
    assert code == 0, shown
    assert service.mapping.apply(dict(KHMER.values())) == {
        "identifier": [
            {"identifier_type": "LOCAL_ID", "identifier_value": "7"},
            {"identifier_type": "EQUITY_CARD", "identifier_value": "0123-4567-89"},
            {"identifier_type": "KHM_ID", "identifier_value": "012345678"},
            {"identifier_type": "NSSF_CARD", "identifier_value": "123"},
        ],
        "name": {"surname": "សុខ", "given_name": "ដារ៉ា", "surname_latin": "SOK", "given_name_latin": "Dara"},
        "sex": "male",
        "birth_date": "2010-05-20T00:00:00+07:00",
    }
    assert spean(capsys, "try", folder / "adapter.yaml", "--id", "KHM_ID:012345678")[0] == 0


def test_new_keeps_a_password_in_a_file_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "url.txt").write_text(f"postgresql://reader:{SECRET}@127.0.0.1:1/none")
    code, shown = spean(capsys, "new", tmp_path / "pupils", "--from-sql", tmp_path / "url.txt")
    assert code == 1
    assert "cannot be read" in shown
    assert SECRET not in shown
    assert not (tmp_path / "pupils").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["Pupils", "--from-json", "answer.json"], 1, "small letters"),
        (["full", "--from-json", "answer.json"], 1, "has files already"),
        (["new", "--from-json", "answer.json", "--contract", "cambodia/nothing"], 1, "no record cambodia/nothing"),
        (["new", "--from-json", "answer.json", "--table", "x"], 2, "goes with --from-sql"),
        (["new", "--from-json", "empty.json"], 1, "holds no record"),
        (["new", "--from-json", "nothing.json"], 1, "not JSON that can be read"),
        (["new", "--from-json", "deep.json"], 1, "not JSON that can be read"),
        (["new", "--from-xlsx", "answer.json"], 1, ".xlsx or .csv"),
        (["new", "--from-sql", "empty.json"], 1, "no database URL"),
    ],
)
def test_new_used_wrongly(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answer.json").write_text('[{"id": "1"}]')
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    found, shown = spean(capsys, "new", *arguments)
    assert found == code
    assert problem in shown
