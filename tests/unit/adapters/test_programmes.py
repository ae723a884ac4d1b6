import json
from pathlib import Path
from typing import Any

import pytest

import contracts
from adapters.config import PROGRAMMES, load_config
from adapters.errors import RecordError

FOLDERS = sorted(each for each in PROGRAMMES.iterdir() if each.is_dir() and not each.name.startswith("_"))
CASES = [path for folder in FOLDERS for path in sorted((folder / "tests").glob("*.json"))]


def case_name(path: Path) -> str:
    return f"{path.parent.parent.name}-{path.stem}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_programme_is_data_only(folder: Path) -> None:
    assert {each.name for each in folder.iterdir()} == {
        "README.md",
        "adapter.yaml",
        "mapping.yaml",
        "release.yaml",
        "source.yaml",
        "tests",
    }
    assert not list(folder.rglob("*.py"))
    assert load_config(folder / "adapter.yaml").adapter == folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_synthetic_source_says_so(folder: Path) -> None:
    config = load_config(folder / "adapter.yaml")
    assert (
        not any(each.source.synthetic for each in config.services)
        or "synthetic" in (folder / "README.md").read_text(encoding="utf-8").lower()
    )


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_case(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    mapping = load_config(path.parent.parent / "adapter.yaml").services[0].mapping
    if "error" in case:
        with pytest.raises(RecordError) as caught:
            mapping.apply(case["local"])
        found = {"rule": caught.value.rule, "source_path": caught.value.source_path, "problem": caught.value.problem}
        assert found == case["error"]
        return
    record = mapping.apply(case["local"])
    assert record == case["standard"]
    contracts.validate(mapping.mapping.contract, mapping.mapping.contract_version, record)


def test_both_programmes_have_good_and_bad_cases() -> None:
    for folder in FOLDERS:
        kinds = {"error" in json.loads(path.read_text(encoding="utf-8")) for path in (folder / "tests").glob("*.json")}
        assert kinds == {True, False}, folder.name
