import csv
import io
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from adapters.source import parse_source
from adapters.source.fileindex import FileStamp, IndexPlace, build
from adapters.source.filesdefinition import FilesDefinition
from adapters.source.tablefiles import FileProblem
from tests.support.adapters import dump

HEADERS = ["id", "name", "days"]
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def definition(pattern: str) -> FilesDefinition:
    data: dict[str, Any] = {
        "source": "meals",
        "kind": "files",
        "version": "1.0.0",
        "synthetic": True,
        "timeout_ms": 2000,
        "files": {"pattern": pattern},
        "record": {"key": "id", "fields": {"name": "name", "days": {"column": "days", "type": "integer"}}},
        "queries": {"attributes": {"LOCAL_ID": {"column": "id", "type": "string", "selective": True}}},
    }
    found = parse_source(dump(data), name="source.yaml")
    assert isinstance(found, FilesDefinition)
    return found


CSV, XLSX = definition("*.csv"), definition("*.xlsx")


def workbook() -> bytes:
    book, whole = Workbook(), io.BytesIO()
    page = book.active
    assert page is not None
    for row in (HEADERS, ["1", "ដារ៉ា", 3], ["2", "សុភា", None]):
        page.append(row)
    book.save(whole)
    return whole.getvalue()


WORKBOOK = workbook()


def read(kind: FilesDefinition, folder: Path, data: bytes) -> tuple[int, int] | None:
    """Give the good and the bad rows of a file; None for one that cannot be read."""
    path = folder / f"file{kind.layout.pattern[1:]}"
    path.write_bytes(data)
    try:
        report = build(kind, IndexPlace(folder / "index", "meals"), path, FileStamp.of(path))
    except FileProblem:
        return None
    return report.rows, report.bad_rows


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_after_the_headers_are_rows_or_bad_rows(tmp_path: Path, data: bytes) -> None:
    assert read(CSV, tmp_path, b"id,name,days\r\n" + data) is not None


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_no_table(tmp_path: Path, data: bytes) -> None:
    for kind in (CSV, XLSX):
        read(kind, tmp_path, data)


@QUIET
@given(st.integers(0, len(WORKBOOK) - 1), st.integers(1, 255))
def test_a_damaged_workbook_is_refused_or_read(tmp_path: Path, place: int, change: int) -> None:
    damaged = bytearray(WORKBOOK)
    damaged[place] ^= change
    assert read(XLSX, tmp_path, bytes(damaged)) in {None, (2, 0), (1, 1), (1, 0), (0, 2)}


@QUIET
@given(st.lists(st.tuples(st.integers(0, 9).map(str), st.text(max_size=9), st.text(max_size=3)), max_size=9))
def test_each_row_is_counted_once(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADERS, *rows])
    found = read(CSV, tmp_path, text.getvalue().encode("utf-8", "surrogatepass"))
    assert found is not None
    assert sum(found) == len(rows)
