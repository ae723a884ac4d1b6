"""What the sandbox writes is what the servers read, and what it shows is what the standard says."""

import json
from pathlib import Path

import pytest

import contracts
from adapters.synthetic import ExampleHousehold
from securityserver.config import load_config
from securityserver.serverconf import load_services
from spean.sandbox import files, query, report, shown
from spean.sandbox.plan import INSTITUTIONS, MOP, NSSF, Institution, Layout, Ports

PORTS = Ports(20000)
EXAMPLE = ExampleHousehold("card", "household", ("1", "2"))


def example(name: str) -> query.Document:
    document = next(each.document for each in contracts.examples(name, "1.0.0") if each.valid)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("institution", INSTITUTIONS, ids=lambda each: each.key)
@pytest.mark.parametrize("behind_wire", [False, True])
def test_a_node_reads_its_settings(institution: Institution, behind_wire: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest passes it by name
    path = tmp_path / "NODE.toml"
    path.write_text(files.node_file(institution, PORTS, behind_wire=behind_wire))
    config = load_config(path)
    assert config.server.id == institution.server
    assert (config.ports.message, config.ports.ocsp) == (PORTS.message, PORTS.ocsp)
    listens = {str(place) for place in config.listen.message}
    assert f"127.0.0.1:{PORTS.node(institution).message}" in listens
    assert (f"{institution.address}:{PORTS.message}" in listens) is not behind_wire


@pytest.mark.parametrize("institution", INSTITUTIONS, ids=lambda each: each.key)
def test_a_node_reads_its_services(institution: Institution, tmp_path: Path) -> None:
    path = tmp_path / "SERVICES.toml"
    path.write_text(files.services_file(institution, PORTS))
    text = str(load_services(path))
    assert all(service.code in text for service in institution.services)


def test_the_report_is_json_and_names_every_institution(tmp_path: Path) -> None:
    report.write(Layout(tmp_path), PORTS, {"node-mop": 7}, EXAMPLE)
    told = json.loads((tmp_path / "sandbox.json").read_text())
    assert [each["id"] for each in told["security_servers"]] == [str(each.server) for each in INSTITUTIONS]
    assert [each["pid"] for each in told["security_servers"]] == [7, None, None]
    assert [each["path_on_the_bus"] for each in told["adapters"]] == [query.path_of(MOP), query.path_of(NSSF)]
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize("question", [query.household_by_card("1"), query.membership_of(["1", "2"])])
def test_the_questions_are_those_of_the_standard(question: query.Document) -> None:
    contracts.validate("dci/sync-search-request", "1.0.0", question)


def test_a_household_is_shown_with_its_people_and_levels_in_both_languages() -> None:
    group = example("cambodia/group")
    lines = "\n".join(shown.household(group))
    assert "ក្រ១" in lines
    assert group["member_list"][0]["demographic_info"]["name"]["surname"] in lines
    assert shown.khmer_ids(group) == ["012345678"]


def test_a_membership_is_shown_with_its_state_and_schemes() -> None:
    lines = "\n".join(shown.membership(example("cambodia/scheme-membership")))
    assert "Active · សកម្ម" in lines
    assert "31 months" in lines
