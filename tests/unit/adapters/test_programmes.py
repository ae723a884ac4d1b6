"""Each programme's folder is data that fits together, and each of its cases comes out as its file says."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import contracts
from adapters.config import AdapterConfig, load_config
from adapters.errors import RecordError
from adapters.services import PROGRAMMES
from spean.sandbox.casts import FULL
from spean.sandbox.rights import rights

FOLDERS = sorted(each for each in PROGRAMMES.iterdir() if each.is_dir() and not each.name.startswith("_"))
CASES = [path for folder in FOLDERS for path in sorted((folder / "tests").glob("*.json"))]


@cache
def config_of(programme: str) -> AdapterConfig:
    return load_config(PROGRAMMES / programme / "adapter.yaml")


def read(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


def case_name(path: Path) -> str:
    return f"{path.parent.parent.name}-{path.stem}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_programme_is_data_only(folder: Path) -> None:
    assert {each.suffix for each in folder.iterdir() if each.is_file()} <= {".md", ".yaml", ".wsdl"}
    assert {each.suffix for each in folder.rglob("*/*")} == {".json"}
    assert config_of(folder.name).adapter == folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_page_says_in_both_languages_what_is_known_and_what_is_synthetic(folder: Path) -> None:
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert any(each.source.synthetic for each in config_of(folder.name).services)
    assert "## What is known of the real schema" in page
    assert "## What is synthetic" in page
    assert "សង្ខេប" in page
    for service in config_of(folder.name).services:
        assert f"`{service.code}`" in page


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_case(path: Path) -> None:
    case = read(path)
    services = config_of(path.parent.parent.name).services
    mapping = next(each for each in services if each.code == case.get("service", services[0].code)).mapping
    if "error" in case:
        with pytest.raises(RecordError) as caught:
            mapping.apply(case["local"])
        found = {"rule": caught.value.rule, "source_path": caught.value.source_path, "problem": caught.value.problem}
        assert found == case["error"]
        return
    record = mapping.apply(case["local"])
    assert record == case["standard"]
    contracts.validate(mapping.mapping.contract, mapping.mapping.contract_version, record)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_service_has_a_good_and_a_bad_case(folder: Path) -> None:
    services = [each.code for each in config_of(folder.name).services]
    cases = [read(path) for path in (folder / "tests").glob("*.json")]
    found = {(case.get("service", services[0]), "error" in case) for case in cases}
    assert found == {(code, bad) for code in services for bad in (True, False)}


def test_a_household_is_served_in_two_versions() -> None:
    service = config_of("idpoor").services[0]
    assert set(service.mappings) == {"1.0.0", "1.1.0"}
    case = read(PROGRAMMES / "idpoor" / "tests" / "household.json")
    local = case["local"]
    local["household"]["interviewDate"] = "2025-01-05"
    newer = service.mappings["1.1.0"].apply(local)
    contracts.validate("cambodia/group", "1.1.0", newer)
    assert newer.pop("poverty_assessment")["assessment_date"] == "2025-01-05T00:00:00+07:00"
    assert newer == case["standard"] == service.mapping.apply(local)


def test_the_full_sandbox_offers_every_service_of_every_programme() -> None:
    offered = {
        (service.programme, service.code, service.record, service.registry)
        for institution in FULL.institutions
        for service in institution.services
    }
    declared = {
        (folder.name, each.code, each.record_type, each.reg_type)
        for folder in FOLDERS
        for each in config_of(folder.name).services
    }
    assert offered == declared


def test_only_members_of_the_sandbox_are_given_anything() -> None:
    members = {str(each.subsystem) for each in FULL.institutions}
    granted = {
        client
        for each in FULL.institutions
        for service in each.services
        for client, _path in rights(service, events=True)
    }
    assert granted <= members
    senders = {str(each.subsystem): each.programmes for each in FULL.institutions}
    assert all(folder.name in senders[config_of(folder.name).sender_id] for folder in FOLDERS)


def test_no_diagnosis_leaves_the_patient_system() -> None:
    service = next(each for each in config_of("pmrs").services if each.code == "visits")
    assert "diagnosis" in {each.path for each in service.mapping.mapping.ignored}
