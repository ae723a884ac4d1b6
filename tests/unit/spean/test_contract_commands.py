import io
import json
from pathlib import Path
from typing import Any

import pytest

import contracts
from spean.cli import main
from spean.commands.columns import columns, width

SECRET = "SENSITIVE-VALUE"


def spean(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["contract", *arguments])
    shown = capsys.readouterr()
    return code, shown.out + shown.err


def write(folder: Path, document: Any, name: str = "document.json") -> str:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def valid(name: str) -> Any:
    return next(each.document for each in contracts.examples(name, "1.0.0") if each.valid)


def test_list_has_every_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "list")
    assert code == 0
    assert [line.split()[0] for line in shown.splitlines()] == list(contracts.names())
    assert "បុគ្គល" in shown


def test_list_can_be_narrowed_and_read_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(spean(capsys, "list", "cambodia", "--codes", "--json")[1])
    assert {row["name"] for row in rows} == {each for each in contracts.code_list_names() if "cambodia/" in each}
    assert all(row["versions"] and row["title"] and row["title_km"] for row in rows)


def test_show_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = spean(capsys, "show", "cambodia/person", "1.0.0")
    assert code == 0
    for field in contracts.schema("cambodia/person", "1.0.0")["properties"]:
        assert field in shown
    assert "record cambodia/name 1.0.0" in shown
    assert "required" in shown


@pytest.mark.parametrize("name", ["cambodia/group", "dci/sex-category"])
def test_show_takes_a_version_as_the_other_commands_do(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert spean(capsys, "show", f"{name}@1.0.0") == spean(capsys, "show", name, "1.0.0")


def test_show_a_code_list(capsys: pytest.CaptureFixture[str]) -> None:
    shown = spean(capsys, "show", "dci/sex-category")[1]
    assert all(code in shown for code in contracts.code_list("dci/sex-category").codes)
    assert spean(capsys, "show", "dci/sex-category", "--schema")[0] == 2


def test_show_the_schema_and_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(spean(capsys, "show", "dci/sort", "1.0.0", "--schema")[1])
    assert schema == contracts.schema("dci/sort", "1.0.0")
    shown = spean(capsys, "show", "dci/sort", "--examples")[1]
    assert all(each.title in shown for each in contracts.examples("dci/sort", "1.0.0"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "cambodia/persn"], "Did you mean cambodia/person"),
        (["list", "cambodja"], "There is no family 'cambodja'; there are cambodia and dci"),
        (["show", "cambodia/person@9.9.9"], "has no version '9.9.9'; it has 1.0.0"),
        (["show", "cambodia/person", "9.9.9"], "has no version '9.9.9'; it has 1.0.0"),
        (["show", "dci/sex-category", "2.0.0"], "has no version"),
        (["validate", "nothing", "x.json"], "There is no contract 'nothing'"),
    ],
)
def test_unknown_names_are_told_with_what_there_is(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    code, shown = spean(capsys, *arguments)
    assert code == 2
    assert told in shown


def test_a_valid_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write(tmp_path, valid("cambodia/person"))
    assert spean(capsys, "validate", "cambodia/person@1.0.0", path)[0] == 0


def test_all_violations_without_a_value(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document = {**valid("cambodia/person"), "sex": SECRET, "birth_date": SECRET, SECRET: 1}
    code, shown = spean(capsys, "validate", "cambodia/person@1.0.0", write(tmp_path, document))
    assert code == 1
    assert SECRET not in shown
    for pointer in ("/sex", "/birth_date", "additionalProperties"):
        assert pointer in shown
    told = json.loads(spean(capsys, "validate", "cambodia/person@1.0.0", write(tmp_path, document), "--json")[1])
    assert {"/sex", "/birth_date", ""} <= {each["pointer"] for each in told}


def test_a_document_from_the_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = io.BytesIO(json.dumps(valid("dci/sort")).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    assert spean(capsys, "validate", "dci/sort", "-")[0] == 0


def test_a_field_that_stands_twice_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, shown = spean(capsys, "validate", "dci/sort", write(tmp_path, '{"a": 1, "b": {"c": 1, "c": 2}}'))
    assert code == 1
    assert "names a field twice" in shown


@pytest.mark.parametrize("content", ["{", f'{{"a": {SECRET}}}', '{"a": NaN}', "[" * 200_000])
def test_what_is_no_json_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    code, shown = spean(capsys, "validate", "dci/sort", write(tmp_path, content))
    assert code == 1
    assert "document.json is " in shown
    assert SECRET not in shown
    assert "Traceback" not in shown


def test_a_difference_that_breaks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    schema = json.loads(json.dumps(contracts.schema("dci/sort", "1.0.0")).replace(":1.0.0", ":1.1.0", 1))
    schema["required"] = [*schema["required"], "more"]
    code, shown = spean(capsys, "diff", "dci/sort@1.0.0", write(tmp_path, schema))
    assert code == 1
    assert "more: The field is now required." in shown
    assert "as an answer it breaks providers; as a request it breaks consumers" in shown
    told = json.loads(spean(capsys, "diff", "dci/sort@1.0.0", write(tmp_path, schema), "--json", "--as", "request")[1])
    assert told[0]["request"] == ["consumers"]
    assert "answer" not in told[0]


def test_a_difference_that_does_not_break(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    schema = json.loads(json.dumps(contracts.schema("dci/sort", "1.0.0")).replace(":1.0.0", ":1.1.0", 1))
    schema["title"] = "Another title"
    assert spean(capsys, "diff", "dci/sort@1.0.0", write(tmp_path, schema))[0] == 0
    code, shown = spean(capsys, "diff", "dci/sort@1.0.0", "dci/sort@1.0.0")
    assert code == 0
    assert "Nothing changed" in shown
    code, shown = spean(capsys, "diff", "dci/sort@1.0.0", "dci/nobody")
    assert code == 1
    assert "is no contract" in shown


def test_columns_measure_khmer_by_what_is_seen() -> None:
    assert width("ក្រុម") < len("ក្រុម")
    assert width("កា") == 2
    assert list(columns([("a", "b"), ("longer", "c")])) == ["a       b", "longer  c"]
