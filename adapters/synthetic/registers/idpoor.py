"""IDPoor: households with their level, cards and people, as the publicly known look-up shows them.

It refuses to write Latin names, which the look-up does not show. The tables under the look-up are an invention.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.synthetic.people import TODAY, Household
from adapters.synthetic.population import People
from adapters.synthetic.slips import Clerk, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE village (code TEXT PRIMARY KEY, name TEXT NOT NULL, name_km TEXT NOT NULL,
    commune TEXT NOT NULL, district TEXT NOT NULL, province TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE household (uuid TEXT PRIMARY KEY, poverty_status TEXT NOT NULL, village_code TEXT NOT NULL,
    interview_date TEXT NOT NULL, size INTEGER NOT NULL, spr_head_id TEXT) WITHOUT ROWID;
CREATE TABLE equity_card (card_no TEXT PRIMARY KEY, household_uuid TEXT NOT NULL, create_date TEXT NOT NULL,
    valid_until TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE individual (uuid TEXT NOT NULL, household_uuid TEXT NOT NULL, seq INTEGER NOT NULL, surname TEXT NOT NULL,
    name TEXT NOT NULL, dob TEXT, year_of_birth INTEGER, gender TEXT NOT NULL,
    relation_to_head TEXT NOT NULL, khmer_id TEXT);
CREATE TABLE spr_finding (about TEXT PRIMARY KEY, finding TEXT NOT NULL, state TEXT NOT NULL,
    individual_uuid TEXT NOT NULL, id_card_no TEXT, found_on TEXT) WITHOUT ROWID;
"""
INDEXES: Final = """
CREATE INDEX spr_finding_number ON spr_finding (individual_uuid);
CREATE INDEX spr_finding_card ON spr_finding (id_card_no);
CREATE INDEX household_village ON household (village_code);
CREATE INDEX equity_card_household ON equity_card (household_uuid);
CREATE INDEX individual_household ON individual (household_uuid, seq);
CREATE UNIQUE INDEX individual_uuid ON individual (uuid);
CREATE UNIQUE INDEX individual_khmer_id ON individual (khmer_id);
"""
# Its interviewers sit in the house: they see the cards and know the village.
_SLIPS: Final = Slips(no_khmer_id=4, moved=0)


@dataclass(slots=True)
class _Tables:
    households: list[Row] = field(default_factory=list)
    cards: list[Row] = field(default_factory=list)
    individuals: list[Row] = field(default_factory=list)
    villages: dict[str, Row] = field(default_factory=dict)


def write(directory: Path, people: People) -> None:
    """Write ``idpoor.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "idpoor.sqlite")
    tables, clerk = _Tables(), Clerk(people.seed, "idpoor", _SLIPS)
    for household in people.households:
        _add(tables, people, household)
        _add_people(tables, household, clerk)
    rows = {"village": sorted(tables.villages.values()), "household": tables.households, "equity_card": tables.cards}
    write_database(path, SCHEMA, INDEXES, {**rows, "individual": tables.individuals})
    write_truth(directory, "idpoor", ((human.uuid, human.number) for _, human in people.everybody()))


def _add(tables: _Tables, people: People, household: Household) -> None:
    village = people.village(household)
    tables.villages[village.code] = village
    interviewed = household.cards[-1].created if household.cards else TODAY
    tables.households.append(
        (household.uuid, household.level, village.code, interviewed.isoformat(), len(household.people), None)
    )
    for number, card in zip(people.card_numbers(household), household.cards, strict=True):
        tables.cards.append((number, household.uuid, card.created.isoformat(), card.valid_until.isoformat()))


def _add_people(tables: _Tables, household: Household, clerk: Clerk) -> None:
    for seq, human in enumerate(household.people):
        noted = clerk.note(human)
        tables.individuals.append((
            human.uuid, household.uuid, seq, noted.surname, noted.given, noted.born and noted.born.isoformat(),
            noted.year, "F" if human.female else "M", human.relation, noted.khmer_id,
        ))  # fmt: skip
