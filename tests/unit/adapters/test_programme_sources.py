"""Every record of every register maps and holds its contract, and is found by the numbers that its service takes."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

import contracts
from adapters.services import ServiceConfig
from adapters.source import Comparison, Operator, Query, SqlDefinition, SqlSource, open_source
from adapters.source.connection import Connection, SqlConnection
from adapters.source.render import page_statement
from adapters.synthetic.registers import pmrs as pmrs_register
from adapters.synthetic.servers.pmrs import STANDARD_DATA
from adapters.synthetic.stories import read_stories
from adapters.synthetic.writing import read_truth
from tests.support.programmes import SECRET, StandIns, names, stand_ins, write_registers

HOUSEHOLDS = 150
SQL = ["idpoor", "nssf", "nsaf-pregnancy", "nsaf-family-package", "spr", "dspp"]


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_registers(tmp_path_factory.mktemp("programmes") / "registers", HOUSEHOLDS)


# Few people draw pensions in so small a population; the others are empty until somebody tells of something.
EMPTY = {"pensions", "families", "people", "grievances", "registrations", "findings"}


async def mapped(connection: Connection, service: ServiceConfig) -> int:
    """Map and judge every record of a service; return how many there are."""
    source = open_source(service.source, connection)
    mapping, count = service.mapping, 0
    try:
        await source.check()
        async for placed in source.stream():
            record = mapping.apply(placed.record)
            contracts.validate(mapping.mapping.contract, mapping.mapping.contract_version, record)
            count += 1
    finally:
        await source.close()
    return count


@pytest.mark.parametrize("programme", names())
async def test_every_record_maps_and_holds_its_contract(registers: Path, programme: str, tmp_path: Path) -> None:
    async with stand_ins(registers, tmp_path) as standing:
        config = standing.config(programme)
        for service in config.services:
            found = await mapped(config.connection, service)
            assert found or service.code in EMPTY, service.code


def forget_sizes(connection: SqlConnection) -> None:
    """Have the database plan as for tables of any size: it reads these small ones whole, which is no slower."""
    with closing(sqlite3.connect(connection.url.removeprefix("sqlite:///"))) as database:
        database.execute("DROP TABLE sqlite_stat1")


@pytest.mark.parametrize("programme", SQL)
async def test_look_ups_use_indexes(registers: Path, programme: str, tmp_path: Path) -> None:
    async with stand_ins(registers, tmp_path) as standing:
        config = standing.config(programme)
    assert isinstance(config.connection, SqlConnection)
    forget_sizes(config.connection)
    for service in config.services:
        definition = service.source
        assert isinstance(definition, SqlDefinition)
        source = SqlSource(definition, config.connection.url)
        for attribute in (each for each in definition.attributes.values() if each.selective and each.type == "string"):
            where = Comparison(attribute.name, Operator.IN, ("x", "y"))
            statement = page_statement(definition, Query(where, (), 0, 10, 100))
            text = statement.compile(source._engine, compile_kwargs={"literal_binds": True})
            with source._reading() as connection:
                plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN")], (service.code, attribute.name, plan)
        source.close()


async def found_by(
    standing: StandIns, programme: str, code: str, attribute: str, value: str
) -> list[dict[str, object]]:
    config = standing.config(programme)
    service = next(each for each in config.services if each.code == code)
    source = open_source(service.source, config.connection)
    try:
        found = await source.search(Query(Comparison(attribute, Operator.EQ, (value,)), (), 0, 10, 100))
    finally:
        await source.close()
    return [service.mapping.apply(record) for record in found.records]


async def test_one_spid_leads_to_the_same_person_everywhere(registers: Path, tmp_path: Path) -> None:
    spid = read_stories(registers)["once-only"]["spid"]
    async with stand_ins(registers, tmp_path) as standing:
        [person] = await found_by(standing, "spr", "registration", "SPID", spid)
        [family] = await found_by(standing, "spr", "household", "SPID", spid)
        [pregnancy] = await found_by(standing, "pmrs", "pregnancies", "SPID", spid)
        spids = [each["member_identifier"][0]["identifier_value"] for each in family["group"]["member_list"]]  # type: ignore[index]  # a record is JSON
        cases = [await found_by(standing, "mosvy-disability", "assessment", "SPID", each) for each in spids]
    assert pregnancy["pregnancy_status"] == "ONGOING"
    assert {"IDPOOR", "PMRS"} <= {each["registry"] for each in person["registered_in"]}  # type: ignore[attr-defined]  # as above
    assert sum(map(len, cases)) == 1


async def test_people_without_spid_are_found_by_local_code(registers: Path, tmp_path: Path) -> None:
    story = read_stories(registers)["no-spid"]
    async with stand_ins(registers, tmp_path) as standing:
        [household] = await found_by(standing, "idpoor", "household", "LOCAL_ID", story["household"])
        [case] = await found_by(standing, "mosvy-disability", "assessment", "LOCAL_ID", story["case"])
        [enrolled] = await found_by(standing, "nsaf-family-package", "enrolment", "LOCAL_ID", story["household"])
        unknown = await found_by(standing, "spr", "registration", "LOCAL_ID", story["household"])
    assert "KHM_ID" not in str(household)
    assert "disability_card" not in case
    assert enrolled["enrollment_status"] == "1"
    assert not unknown


def test_the_truth_says_who_is_the_same_person(registers: Path) -> None:
    truths = {name: read_truth(registers, name) for name in ("idpoor", "spr", "pmrs", "nssf", "dspp")}
    assert all(truths.values())
    people = set(truths["idpoor"].values())
    assert len(people) == len(truths["idpoor"])
    assert set(truths["spr"].values()) < people
    assert set(truths["pmrs"].values()) < people
    both = set(truths["spr"].values()) & set(truths["pmrs"].values())
    assert len(both) > len(truths["pmrs"]) / 2


async def get(url: str, token: str | None = None) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.json()


async def test_the_patient_system_answers_in_its_documented_shape(registers: Path, tmp_path: Path) -> None:
    async with stand_ins(registers, tmp_path) as standing:
        form = {"grant_type": "client_credentials", "client_id": "spean", "client_secret": SECRET}
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{standing.pmrs}/oauth/token", data=form) as response:
                token = (await response.json())["access_token"]
            async with session.post(f"{standing.pmrs}/oauth/token", data=form | {"client_secret": "x"}) as response:
                assert response.status == 401
        search = f"{standing.pmrs}/api/v1/external/beneficiary/search"
        assert (await get(f"{search}?spid=x"))[0] == 401
        status, nobody = await get(f"{search}?card_number=x", token)
        codes = await get(f"{standing.pmrs}/v1/external/common/standard-data?type=health_facilities", token)
        wrong = await get(f"{standing.pmrs}/v1/external/common/standard-data?type=x", token)
    assert (status, set(nobody)) == (404, {"success", "http_code", "message", "data"})
    assert (nobody["success"], nobody["http_code"]) == (False, 404)
    assert codes[0] == 200
    assert len(codes[1]["data"]) == len(pmrs_register.FACILITIES) == len(STANDARD_DATA["health_facilities"])  # type: ignore[arg-type]  # as above
    assert wrong[0] == 422


VISIT = {
    "facility": "HC0001",
    "visit_type": "OPD",
    "admitted": "2026-10-01",
    "diagnosis": "J06",
    "outcome": "CURED",
    "payment_type": "HEF",
    "amount_khr": 12_000,
}


async def test_the_patient_system_takes_a_visit_in_and_gives_it_out(registers: Path, tmp_path: Path) -> None:
    patient = next(iter(read_truth(registers, "pmrs")))
    own = tmp_path / "registers"
    await asyncio.to_thread(shutil.copytree, registers, own)
    form = {"grant_type": "client_credentials", "client_id": "spean", "client_secret": SECRET}
    async with stand_ins(own, tmp_path) as standing, aiohttp.ClientSession() as session:
        async with session.post(f"{standing.pmrs}/oauth/token", data=form) as response:
            token = (await response.json())["access_token"]
        visits, answers = f"{standing.pmrs}/api/v1/external/visits", []
        said = VISIT | {"patient_no": patient}
        wrong: list[dict[str, object]] = [
            {"facility": "x"},
            {"amount_khr": 1.5},
            {"admitted": "01/10/2026"},
            {"discharged": "2026-09-30"},
        ]
        headers = {"Authorization": f"Bearer {token}"}
        for body in (said, *(said | each for each in wrong), said | {"patient_no": "nobody"}, [said]):
            async with session.post(visits, json=body, headers=headers) as response:
                answers.append((response.status, (await response.json())["data"]))
        async with session.post(visits, json=said) as response:
            assert response.status == 401
        _, found = await get(f"{visits}?patient_no={patient}", token)
        [service] = [each for each in standing.config("pmrs").services if each.code == "visits"]
        assert await mapped(standing.config("pmrs").connection, service)
    assert [status for status, _ in answers] == [200, 422, 422, 422, 422, 404, 422]
    kept = {each["visit_no"]: each for each in found["data"]}  # type: ignore[attr-defined]  # as above
    assert kept[answers[0][1]["visit_no"]]["amount_khr"] == 12_000
    assert kept[answers[0][1]["visit_no"]]["discharged"] is None


SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'


@pytest.mark.parametrize(
    ("body", "password", "status", "said"),
    [
        ('<FindByCase xmlns="urn:example:mosvy:disability:1"><CaseNo>x</CaseNo></FindByCase>', SECRET, 200, "Response"),
        ('<FindByCase xmlns="urn:example:mosvy:disability:1"/>', SECRET, 500, "CaseNo is missing"),
        ('<DropAll xmlns="urn:example:mosvy:disability:1"/>', SECRET, 500, "no such operation"),
        ("", SECRET, 500, "The body is empty"),
        ("<a>", SECRET, 500, "no XML"),
        ('<FindByCase xmlns="urn:example:mosvy:disability:1"/>', "guess", 401, ""),
    ],
)
async def test_the_legacy_service_answers_and_refuses(
    registers: Path, tmp_path: Path, body: str, password: str, status: int, said: str
) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth("spean", password)}
    async with (
        stand_ins(registers, tmp_path) as standing,
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{standing.mosvy}/soap", data=SOAP.format(body=body).encode()) as response,
    ):
        assert response.status == status
        assert said in await response.text()
