"""The patient system of the payment certification agency: beneficiaries with their coverage, and their visits.

It refuses to answer anybody: the REST server in :mod:`adapters.synthetic.servers` does, in the publicly documented
shape, out of the database that this module writes. How the agency stores it is not known.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.slips import Clerk, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE beneficiary (patient_no TEXT PRIMARY KEY, spid TEXT, card_number TEXT, card_type TEXT, card_status TEXT,
    national_id TEXT, surname_km TEXT NOT NULL, given_km TEXT NOT NULL, surname_en TEXT NOT NULL,
    given_en TEXT NOT NULL, gender TEXT NOT NULL, birth_date TEXT, birth_year INTEGER, village_code TEXT NOT NULL,
    coverage TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE visit (visit_no TEXT PRIMARY KEY, patient_no TEXT NOT NULL, facility TEXT NOT NULL,
    visit_type TEXT NOT NULL, admitted TEXT NOT NULL, discharged TEXT, diagnosis TEXT NOT NULL, outcome TEXT NOT NULL,
    payment_type TEXT NOT NULL,
    amount INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pregnancy (pregnancy_no TEXT PRIMARY KEY, patient_no TEXT NOT NULL, last_period TEXT NOT NULL,
    due TEXT NOT NULL, anc_visits INTEGER NOT NULL, confirmed TEXT NOT NULL, facility TEXT NOT NULL) WITHOUT ROWID;
"""
INDEXES: Final = """
CREATE INDEX beneficiary_card ON beneficiary (card_number);
CREATE UNIQUE INDEX beneficiary_spid ON beneficiary (spid);
CREATE UNIQUE INDEX beneficiary_national ON beneficiary (national_id);
CREATE INDEX visit_patient ON visit (patient_no, admitted);
CREATE INDEX pregnancy_patient ON pregnancy (patient_no);
"""
FACILITIES: Final = tuple(f"HC{number:04d}" for number in range(1, 41))
DIAGNOSES: Final = ("J06", "A09", "O80", "Z34", "I10", "E11", "B50", "K29")
_ANTENATAL: Final = "Z34"
_SLIPS: Final = Slips(year_only=90, no_khmer_id=60, moved=20)


def write(directory: Path, people: People) -> None:
    """Write ``pmrs.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "pmrs.sqlite")
    clerk, draws = Clerk(people.seed, "pmrs", _SLIPS), Draws(people.seed, "pmrs")
    found = [(number, human, household) for number, human, household in _patients(people)]
    rows: dict[str, list[Row]] = {"beneficiary": [], "visit": [], "pregnancy": []}
    for number, human, household in found:
        bits = draws.bits(human.number)
        rows["beneficiary"].append(_beneficiary(people, clerk, household, human, number, bits))
        rows["visit"] += _visits(number, bits, antenatal=people.roll.expecting(human) is not None)
        rows["pregnancy"] += _pregnancy(people, human, number, bits)
    write_database(path, SCHEMA, INDEXES, rows)
    write_truth(directory, "pmrs", ((number, human.number) for number, human, _ in found))


def _patients(people: People) -> Iterator[tuple[str, Human, Household]]:
    for household, human in people.everybody():
        number = people.roll.patient_no(human)
        if number is not None:
            yield number, human, household


def _beneficiary(people: People, clerk: Clerk, household: Household, human: Human, number: str, bits: int) -> Row:
    noted, cards = clerk.note(human), people.card_numbers(household)
    fund = people.roll.nssf_no(human)
    card, kind = (cards[-1], "EQUITY_CARD") if cards else (fund, "NSSF") if fund else (None, None)
    holds = bool(household.cards) and household.cards[-1].valid_until >= TODAY
    return (
        number, people.roll.spid(human) if bits & 7 or human.traits else None, card, kind,
        ("ACTIVE" if holds or kind == "NSSF" else "EXPIRED") if card else None, noted.khmer_id,
        noted.surname, noted.given, noted.surname_latin, noted.given_latin, "female" if human.female else "male",
        noted.born and noted.born.isoformat(), noted.year, people.village(household, noted).code,
        "HEF" if kind == "EQUITY_CARD" else "NSSF" if kind else "NONE",
    )  # fmt: skip


def _visits(number: str, bits: int, *, antenatal: bool) -> Iterator[Row]:
    for place in range(1 + (bits >> 8) % 3):
        cut = bits >> 10 + 6 * place
        admitted = TODAY - timedelta(days=3 + 40 * place + cut % 37)
        stays = not antenatal and not cut % 5
        discharged = (admitted + timedelta(days=1 + cut % 4)).isoformat() if stays else None
        diagnosis = _ANTENATAL if antenatal else DIAGNOSES[cut % len(DIAGNOSES)]
        yield (
            f"V{number[1:]}{place}", number, FACILITIES[cut % len(FACILITIES)], "IPD" if stays else "OPD",
            admitted.isoformat(), discharged, diagnosis, "IMPROVED" if cut % 3 else "CURED",
            "HEF" if cut & 1 else "NSSF", 8_000 + cut % 50 * 4_000,
        )  # fmt: skip


def _pregnancy(people: People, human: Human, number: str, bits: int) -> Iterator[Row]:
    found = people.roll.expecting(human)
    if found:
        confirmed = found.last_period + timedelta(days=50 + bits % 10)
        yield (
            f"G{number[1:]}", number, found.last_period.isoformat(), found.due.isoformat(), found.visits,
            confirmed.isoformat(), FACILITIES[bits % len(FACILITIES)],
        )  # fmt: skip
