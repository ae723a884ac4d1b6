import csv
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.errors import ConfigError, SourceError
from adapters.source import Comparison, Operator, Query, open_source, parse_source, read_connection
from adapters.source import files as files_module
from adapters.source.connection import FilesConnection
from adapters.source.files import FilesSource
from adapters.source.tablefiles import guess_encoding
from tests.support.adapters import dump

NUMBER, NAME, BORN, DAYS, MONTH = "លេខសិស្ស", "ឈ្មោះ", "ថ្ងៃកំណើត", "ចំនួនថ្ងៃ", "ខែ"
SOURCE: dict[str, Any] = {
    "source": "meals",
    "kind": "files",
    "version": "1.0.0",
    "synthetic": True,
    "timeout_ms": 2000,
    "files": {"pattern": "*.csv", "settle_seconds": 0},
    "record": {
        "key": NUMBER,
        "fields": {
            "no": NUMBER,
            "name": NAME,
            "born": {"column": BORN, "type": "date", "null": "missing"},
            "days": {"column": DAYS, "type": "integer"},
        },
    },
    "queries": {
        "identifiers": ["LOCAL_ID"],
        "attributes": {
            "LOCAL_ID": {"column": NUMBER, "type": "string", "selective": True, "sortable": True},
            "days": {"column": DAYS, "type": "integer"},
        },
    },
}
HEADERS = [NUMBER, NAME, BORN, DAYS]
DARA = ["1", "ដារ៉ា", "2015-05-20", "១២"]
SOPHEA = ["2", "សុភា", "", ""]


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "LOOK_SECONDS", 0.0)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def write_csv(path: Path, *rows: list[str], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as opened:
        csv.writer(opened, delimiter=delimiter).writerows([HEADERS, *rows])
    return path


def opened(inbox: Path, **change: Any) -> FilesSource:
    connection = read_connection({"kind": "files", "folder": "inbox"}, file="adapter.yaml", folder=inbox.parent)
    assert isinstance(connection, FilesConnection)
    return FilesSource(parse_source(dump(SOURCE | change), name="source.yaml"), connection)


def query(*values: object) -> Query:
    return Query(Comparison("LOCAL_ID", Operator.IN, values), (), 0, 10, 100)


def names(source: FilesSource) -> list[str]:
    return [placed.record["name"] for batch in source.batches() for placed in batch]


def bad_rows(source: FilesSource) -> list[list[str]]:
    with source.bad_rows_file.open(encoding="utf-8-sig", newline="") as report:
        return list(csv.reader(report))[1:]


def test_rows_are_records(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA, SOPHEA)
    source = opened(inbox)
    assert source.find(query("1", "2", "3")).records == (
        {"no": "1", "name": "ដារ៉ា", "born": "2015-05-20", "days": 12},
        {"no": "2", "name": "សុភា", "days": None},
    )
    assert [placed.place for batch in source.batches() for placed in batch] == ["line 2", "line 3"]
    source.check()
    source.close()


def test_a_bad_row_is_reported_with_its_line_and_reason_and_stops_no_other(inbox: Path) -> None:
    rows = [
        DARA,
        ["", "x", "", ""],
        ["1", "again", "", ""],
        ["4", "y", "20/05/2015", ""],
        ["5", "z", "", "many"],
        SOPHEA,
    ]
    write_csv(inbox / "a.csv", *rows)
    source = opened(inbox)
    assert names(source) == ["ដារ៉ា", "សុភា"]
    assert source.report is not None
    assert (source.report.rows, source.report.bad_rows) == (2, 4)
    found = bad_rows(source)
    assert [(line, column) for _file, line, column, _reason in found] == [
        ("3", NUMBER),
        ("4", NUMBER),
        ("5", BORN),
        ("6", DAYS),
    ]
    assert found[1][3] == "stands already in line 2"
    assert not {"again", "many", "20/05/2015"} & {part for row in found for part in row}
    source.close()


def test_bytes_and_quotes_that_cannot_be_read_are_bad_rows(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA)
    with (inbox / "a.csv").open("ab") as file:
        file.write(b'3,"a"b,,\r\n4,\xff\xfe,,\r\n2,last,,\r\n')
    source = opened(inbox)
    assert names(source) == ["ដារ៉ា", "last"]
    assert [(row[1], row[2]) for row in bad_rows(source)] == [("3", "-"), ("4", "-")]
    source.close()


def test_the_report_tells_what_is_wrong_with_a_line(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA)
    with (inbox / "a.csv").open("ab") as file:
        file.write(b'3,"a"b,,\r\n4,\xff\xfe,,\r\n5,a\0b,,\r\n6,' + b"x" * 140_000 + b",,\r\n")
    source = opened(inbox)
    assert names(source) == ["ដារ៉ា"]
    reasons = [row[3] for row in bad_rows(source)]
    for reason, said in zip(reasons, ("quotation marks", "are not utf-8", "NUL", "longer than"), strict=True):
        assert said in reason
    source.close()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_told_apart(inbox: Path, encoding: str) -> None:
    path = write_csv(inbox / "a.csv", DARA, encoding=encoding)
    source = opened(inbox)
    assert names(source) == ["ដារ៉ា"]
    assert guess_encoding(path).startswith(encoding.removesuffix("-sig"))
    source.close()


def test_a_declared_delimiter(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA, delimiter=";")
    source = opened(inbox, files={"pattern": "*.csv", "settle_seconds": 0, "delimiter": ";"})
    assert names(source) == ["ដារ៉ា"]
    source.close()


def write_xlsx(path: Path, *rows: list[Any], headers: list[str] | None = None, sheet: str = "សិស្ស") -> Path:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "notes"
    page.append(["not this sheet"])
    page = book.create_sheet(sheet)
    page.append(["a title above the headers"])
    for row in [headers or HEADERS, *rows]:
        page.append(row)
    book.save(path)
    return path


XLSX = {"files": {"pattern": "*.xlsx", "sheet": "សិស្ស", "header_row": 2, "settle_seconds": 0}}


def test_a_workbook_with_khmer_headers(inbox: Path) -> None:
    # A header typed with a space too much and a zero-width space is the same header.
    write_xlsx(
        inbox / "a.xlsx", [1, "ដារ៉ា", "2015-05-20", 12.0], [2.0, "#REF!", None, None], [None, None, None, None],
        ["៣", "សុភា", None, 3.5], headers=[f" {NUMBER}\u200b", NAME, BORN, DAYS, "ផ្សេងៗ"],
    )  # fmt: skip
    source = opened(inbox, **XLSX)
    assert source.find(query("1")).records == ({"no": "1", "name": "ដារ៉ា", "born": "2015-05-20", "days": 12},)
    assert [(row[1], row[2]) for row in bad_rows(source)] == [("4", NAME), ("6", DAYS)]
    assert source.report is not None
    assert source.report.unmentioned == ("ផ្សេងៗ",)
    source.close()


def stored_formulas(path: Path, *cells: tuple[str, str]) -> None:
    """Put what a spreadsheet program writes into a workbook: a formula and, beside it, its value."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet2.xml"
    for place, text in cells:
        parts[name] = re.sub(rf'<c r="{place}"[^>]*>.*?</c>'.encode(), text.encode(), parts[name])
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in parts.items():
            archive.writestr(each, data)


def test_a_formula_has_its_stored_value_and_without_one_its_row_is_bad(inbox: Path) -> None:
    rows = [[number, name, "2015-05-20", "=1+1"] for number, name in enumerate("កខគឃង", 1)]
    rows[4][0] = "=A3+1"
    path = write_xlsx(inbox / "a.xlsx", *rows, [6, "ច", "2015-05-20", 3])
    stored_formulas(
        path,
        ("D3", '<c r="D3"><f>1+1</f><v>2</v></c>'),
        ("D4", '<c r="D4" t="str"><f>IF(1=1,"","x")</f><v></v></c>'),  # its value is the empty text: nothing is missing
        ("B5", '<c r="B5" t="str"><f t="shared" ref="B5:B5" si="0">"គ"</f><v>គ</v></c>'),
    )
    source = opened(inbox, **XLSX)
    assert [source.find(query(number)).records[0]["days"] for number in ("1", "2", "6")] == [2, None, 3]
    assert [(row[1], row[2]) for row in bad_rows(source)] == [("5", DAYS), ("6", DAYS), ("7", NUMBER)]
    assert all("formula without a value" in row[3] for row in bad_rows(source))
    source.close()


def test_rows_with_one_key_may_be_one_record(inbox: Path) -> None:
    record = {
        "key": NUMBER,
        "fields": {"no": NUMBER},
        "many": {"months": {"order": [MONTH], "limit": 12, "fields": {"month": MONTH, "days": DAYS}}},
    }
    with (inbox / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [[NUMBER, MONTH, DAYS], ["1", "2026-02", "9"], ["2", "2026-01", "8"], ["1", "2026-01", "7"]]
        )
    queries = {"attributes": {"LOCAL_ID": {"column": NUMBER, "type": "string", "selective": True}}}
    source = opened(inbox, record=record, queries=queries)
    assert source.find(query("1")).records == (
        {"no": "1", "months": [{"month": "2026-01", "days": "7"}, {"month": "2026-02", "days": "9"}]},
    )
    source.close()


def age(path: Path, seconds: float) -> Path:
    when = time.time() - seconds
    os.utime(path, (when, when))
    return path


def test_the_newest_file_is_read_and_read_again_when_a_new_one_comes(inbox: Path) -> None:
    age(write_csv(inbox / "b.csv", ["1", "old", "", ""]), 100)
    age(write_csv(inbox / "a.csv", ["1", "new", "", ""]), 50)
    source = opened(inbox)
    assert names(source) == ["new"]
    write_csv(inbox / "c.csv", ["1", "newest", "", ""])
    assert names(source) == ["newest"]
    write_csv(inbox / "c.csv", ["1", "newest of all", "", ""])
    assert names(source) == ["newest of all"]
    source.close()


def test_a_file_that_may_still_be_copied_waits(inbox: Path) -> None:
    layout = {"files": {"pattern": "*.csv", "settle_seconds": 30}}
    age(write_csv(inbox / "a.csv", DARA), 1000)  # an old date, as a copying program gives it, but changed just now
    source = opened(inbox, **layout)
    with pytest.raises(SourceError, match=r"no file \*\.csv that is whole"):
        names(source)
    source.close()


@pytest.mark.parametrize("name", ["~$a.csv", ".a.csv", "a.csv.part", "a.txt"])
def test_files_that_are_not_meant_are_not_read(inbox: Path, name: str) -> None:
    write_csv(inbox / name, DARA)
    source = opened(inbox)
    with pytest.raises(SourceError):
        source.check()
    source.close()


def test_a_link_to_another_file_is_not_followed(inbox: Path) -> None:
    write_csv(inbox.parent / "elsewhere.csv", DARA)
    (inbox / "a.csv").symlink_to(inbox.parent / "elsewhere.csv")
    source = opened(inbox)
    with pytest.raises(SourceError):
        names(source)
    source.close()


def broken_zip(path: Path) -> None:
    write_xlsx(path, DARA)
    path.write_bytes(path.read_bytes()[:-200])


def with_entity(path: Path) -> None:
    whole = write_xlsx(path.with_suffix(".whole"), DARA)
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name.endswith("sheet2.xml"):
                data = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "SECRET">]>' + data
            after.writestr(name, data)
    whole.unlink()


def without_header(path: Path) -> None:
    write_xlsx(path, DARA, headers=[NUMBER, NAME, BORN, "ថ្ងៃ"])


def header_twice(path: Path) -> None:
    write_xlsx(path, DARA, headers=[NUMBER, NAME, BORN, DAYS, DAYS])


def other_sheet(path: Path) -> None:
    write_xlsx(path, DARA, sheet="other")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (broken_zip, "not a whole workbook"),
        (with_entity, "document type"),
        (without_header, "is not there in row 2"),
        (header_twice, "stands twice in row 2"),
        (other_sheet, "has no sheet"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_one_before(inbox: Path, spoil: Any, problem: str) -> None:
    age(write_xlsx(inbox / "a.xlsx", DARA), 100)
    source = opened(inbox, **XLSX)
    assert names(source) == ["ដារ៉ា"]
    spoil(inbox / "b.xlsx")
    assert names(source) == ["ដារ៉ា"]
    with pytest.raises(SourceError, match=problem):
        source.check()
    source.close()
    again = opened(inbox, **XLSX)
    assert names(again) == ["ដារ៉ា"]
    again.close()


def test_the_index_outlives_the_process_and_is_for_its_owner_only(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA)
    first = opened(inbox)
    assert names(first) == ["ដារ៉ា"]
    first.close()
    index = inbox.with_name("inbox.index")
    made = (index / "meals.sqlite").stat().st_mtime_ns
    second = opened(inbox)
    assert names(second) == ["ដារ៉ា"]
    second.close()
    assert (index / "meals.sqlite").stat().st_mtime_ns == made
    assert index.stat().st_mode & 0o077 == 0
    third = opened(inbox, record=SOURCE["record"] | {"fields": {"name": NAME}})
    assert third.find(query("1")).records == ({"name": "ដារ៉ា"},)
    third.close()
    assert (index / "meals.sqlite").stat().st_mtime_ns != made


def test_no_folder(inbox: Path) -> None:
    inbox.rmdir()
    source = opened(inbox)
    with pytest.raises(SourceError, match="the folder"):
        source.check()
    source.close()


async def test_it_is_a_source_like_any_other(inbox: Path) -> None:
    write_csv(inbox / "a.csv", DARA, SOPHEA)
    connection = read_connection({"kind": "files", "folder": "inbox"}, file="adapter.yaml", folder=inbox.parent)
    source = open_source(parse_source(dump(SOURCE), name="source.yaml"), connection)
    await source.check()
    assert (await source.search(query("2"))).total == 1
    assert [each.record["no"] async for each in source.stream()] == ["1", "2"]
    await source.close()


def changes() -> Iterator[tuple[dict[str, Any], str]]:
    record, queries = SOURCE["record"], SOURCE["queries"]
    yield {"files": {"pattern": "*.pdf"}}, "files.pattern"
    yield {"files": {"pattern": "*.csv", "sheet": "x"}}, "files.sheet"
    yield {"files": {"pattern": "*.xlsx", "encoding": "auto"}}, "files.encoding"
    yield {"files": {"pattern": "../*.csv"}}, "files.pattern"
    yield {"record": record | {"fields": {"a": {"column": DAYS, "type": "date"}}}}, "queries.attributes.days"
    yield {"queries": queries | {"identifiers": ["x"]}}, "queries.identifiers"
    yield {"record": record | {"fields": {"a": NAME, "a.b": BORN}}}, "record"


@pytest.mark.parametrize(("change", "key"), list(changes()))
def test_source_files_that_contradict_themselves(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(dump(SOURCE | change), name="source.yaml")
    assert caught.value.key == key
