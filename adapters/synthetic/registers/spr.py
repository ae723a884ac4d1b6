"""The Social Protection Registry: one entry a person under a SPID, their families, and where each is registered.

It refuses to know more than identity: levels, payments and findings stay with their institutions. The plan names the
registry and the SPID; no schema and no format of either is published, so everything here is an invention.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.synthetic.office import Office
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import birth_certificate, mother_of, small_children
from adapters.synthetic.slips import Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE family (family_no TEXT PRIMARY KEY, family_book TEXT, village_code TEXT NOT NULL,
    registered_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE person (spid TEXT PRIMARY KEY, family_no TEXT NOT NULL, line INTEGER NOT NULL, khm_id TEXT,
    birth_cert TEXT, family_name_km TEXT NOT NULL, given_name_km TEXT NOT NULL, family_name_la TEXT NOT NULL,
    given_name_la TEXT NOT NULL, sex TEXT NOT NULL, birth_date TEXT, birth_year INTEGER, relation TEXT NOT NULL,
    village_code TEXT NOT NULL,
    state TEXT NOT NULL, replaced_by TEXT, registered_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE registered_in (spid TEXT NOT NULL, registry TEXT NOT NULL, id_kind TEXT NOT NULL, local_id TEXT NOT NULL,
    since TEXT NOT NULL);
CREATE TABLE family_change (number INTEGER PRIMARY KEY AUTOINCREMENT, family_no TEXT NOT NULL);
CREATE TABLE person_change (number INTEGER PRIMARY KEY AUTOINCREMENT, spid TEXT NOT NULL);
CREATE VIEW by_equity_card AS SELECT spid, local_id FROM registered_in WHERE id_kind = 'EQUITY_CARD';
CREATE VIEW by_nssf_card AS SELECT spid, local_id FROM registered_in WHERE id_kind = 'NSSF_CARD';
CREATE VIEW by_disability_card AS SELECT spid, local_id FROM registered_in WHERE id_kind = 'DISABILITY_CARD';
CREATE VIEW by_local_id AS SELECT spid, local_id FROM registered_in WHERE id_kind = 'LOCAL_ID';
"""
INDEXES: Final = """
CREATE INDEX person_family ON person (family_no, line);
CREATE UNIQUE INDEX person_khm_id ON person (khm_id);
CREATE INDEX family_by_book ON family (family_book);
CREATE INDEX person_certificate ON person (birth_cert);
CREATE INDEX registered_person ON registered_in (spid);
CREATE INDEX registered_local ON registered_in (local_id);
CREATE TRIGGER family_is_new AFTER INSERT ON family BEGIN
    INSERT INTO family_change (family_no) VALUES (new.family_no); END;
CREATE TRIGGER family_is_other AFTER UPDATE ON family BEGIN
    INSERT INTO family_change (family_no) VALUES (new.family_no); END;
CREATE TRIGGER family_is_gone AFTER DELETE ON family BEGIN
    INSERT INTO family_change (family_no) VALUES (old.family_no); END;
CREATE TRIGGER person_is_new AFTER INSERT ON person BEGIN
    INSERT INTO person_change (spid) VALUES (new.spid);
    INSERT INTO family_change (family_no) VALUES (new.family_no); END;
CREATE TRIGGER person_is_other AFTER UPDATE ON person BEGIN
    INSERT INTO person_change (spid) VALUES (new.spid);
    INSERT INTO family_change (family_no) VALUES (new.family_no); END;
CREATE TRIGGER person_is_gone AFTER DELETE ON person BEGIN
    INSERT INTO person_change (spid) VALUES (old.spid);
    INSERT INTO family_change (family_no) VALUES (old.family_no); END;
"""
_SLIPS: Final = Slips(year_only=24, no_khmer_id=12, typed=6, heard=4, latin=16, moved=8)


@dataclass(slots=True)
class _Tables:
    families: list[Row] = field(default_factory=list)
    persons: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    truth: list[tuple[str, int]] = field(default_factory=list)


_Office = Office[_Tables]


def write(directory: Path, people: People) -> None:
    """Write ``spr.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "spr.sqlite")
    office = Office.opened(people, "spr", _SLIPS, _Tables())
    for household in people.households:
        _add(office, household)
    tables = office.tables
    write_database(
        path, SCHEMA, INDEXES, {"family": tables.families, "person": tables.persons, "registered_in": tables.entries}
    )
    write_truth(directory, "spr", tables.truth)


def _add(office: _Office, household: Household) -> None:
    known = [(human, spid) for human in household.people if (spid := office.people.roll.spid(human))]
    if not known:
        return
    bits = office.draws.bits(household.number)
    number = f"F{bits % 10**6:06d}{household.number:06d}"
    at = f"{TODAY - timedelta(days=10 + bits % 600)} {8 + bits % 9:02d}:{(bits >> 8) % 60:02d}:{(bits >> 16) % 60:02d}"
    book = f"{(bits >> 24) % 10**7:07d}" if bits >> 56 & 3 else None
    office.tables.families.append((number, book, office.people.village(household).code, at))
    for line, (human, spid) in enumerate(known, start=1):
        office.tables.persons.append(_person(office, household, human, spid, (number, line, at)))
        office.tables.entries += (
            (spid, registry, kind, key, at[:10]) for registry, kind, key in _where(office.people, household, human)
        )
        office.tables.truth.append((spid, human.number))
        if not office.draws.bits(human.number, 2) & 0x7F and not human.traits:
            _add_twice(office, household, human, spid, (number, line, at))


def _add_twice(office: _Office, household: Household, human: Human, spid: str, place: tuple[str, int, str]) -> None:
    """Somebody was registered again elsewhere, without showing a card; the second entry was found and merged."""
    other = f"{spid[5:]}-{spid[:4]}"
    if other > spid:  # so that the doubles of two people never meet
        kept = _person(office, household, human, spid, place)
        office.tables.persons.append((other, *kept[1:3], None, None, *kept[5:14], "MERGED", spid, kept[16]))
        office.tables.truth.append((other, human.number))


def _person(office: _Office, household: Household, human: Human, spid: str, place: tuple[str, int, str]) -> Row:
    noted, bits = office.clerk.note(human), office.draws.bits(human.number, 1)
    (number, line, at), certificate = place, birth_certificate(human) if human.age() < 18 and bits & 3 else None  # noqa: PLR2004
    return (
        spid, number, line, noted.khmer_id, certificate, noted.surname, noted.given, noted.surname_latin,
        noted.given_latin, "F" if human.female else "M", noted.born and noted.born.isoformat(), noted.year,
        human.relation, office.people.village(household, noted).code, "REGISTERED", None, at,
    )  # fmt: skip


def _where(people: People, household: Household, human: Human) -> Iterator[tuple[str, str, str]]:
    """Yield registry, kind of key, and key, as the plan wants the registry to know it."""
    roll, cards = people.roll, people.card_numbers(household)
    disability = roll.disability(human)
    found = (
        ("IDPOOR", "EQUITY_CARD" if cards else "LOCAL_ID", cards[-1] if cards else household.uuid),
        ("NSSF", "NSSF_CARD", roll.nssf_no(human)),
        ("DISABILITY", "DISABILITY_CARD", disability and disability.card_no),
        ("PMRS", "LOCAL_ID", roll.patient_no(human)),
        ("SCHOLARSHIPS", "LOCAL_ID", roll.pupil_no(human, household)),
        ("SFIS", "LOCAL_ID", roll.meals_no(human, household)),
        ("NSAF", "LOCAL_ID", _transfer(people, household, human) or roll.package_no(household)),
    )
    return ((registry, kind, key) for registry, kind, key in found if key)


def _transfer(people: People, household: Household, human: Human) -> str | None:
    if human is not mother_of(household) or not (people.roll.expecting(human) or small_children(household)):
        return None
    return people.roll.transfer_no(human, household)
