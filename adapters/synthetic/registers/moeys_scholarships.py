"""Scholarships of primary pupils: one file of separated values for the school year, as a ministry's export.

It refuses to be a database: the file is dropped into a folder. No schema is published; everything here is an invention.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import birth_certificate
from adapters.synthetic.slips import Clerk, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_truth

FOLDER: Final = "moeys_scholarships"
FILE: Final = "scholarships-2026-2027.csv"
HEADERS: Final = (
    "SCHOLAR_ID", "SCHOOL_CODE", "SCHOOL_NAME", "GRADE", "FAMILY_NAME_KH", "GIVEN_NAME_KH", "GENDER", "DOB",
    "BIRTH_YEAR", "GUARDIAN_ID", "EQUITY_CARD_NO", "BIRTH_CERT_NO", "VILLAGE", "SCHOOL_YEAR", "TRANCHE_1_KHR",
    "TRANCHE_2_KHR", "STATUS",
)  # fmt: skip
_SLIPS: Final = Slips(typed=30, heard=20)
_FIRST_GRADE_AGE: Final = 6
_YEARLY: Final = 240_000


def write(directory: Path, people: People) -> None:
    """Write the file in its folder; raises ``FileExistsError``."""
    folder = refuse_existing(directory / FOLDER)
    folder.mkdir()
    clerk, draws = Clerk(people.seed, "scholarships", _SLIPS), Draws(people.seed, "scholarships")
    truth: list[tuple[str, int]] = []
    unfinished = folder / "writing"
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(HEADERS)
        for number, household, human in _pupils(people):
            writer.writerow(_row(people, clerk, household, human, number, draws.bits(human.number)))
            truth.append((number, human.number))
    unfinished.replace(folder / FILE)
    write_truth(directory, "moeys_scholarships", truth)


def _pupils(people: People) -> Iterator[tuple[str, Household, Human]]:
    for household, human in people.everybody():
        number = people.roll.pupil_no(human, household)
        if number is not None:
            yield number, household, human


def _row(people: People, clerk: Clerk, household: Household, human: Human, number: str, bits: int) -> Row:
    noted, village = clerk.note(human), people.village(household, clerk.note(human))
    cards = people.card_numbers(household)
    half = _YEARLY // 2
    return (
        number, f"{village.code[:6]}{bits % 4 + 1:02d}", f"បឋមសិក្សា {village.name_km}",
        TODAY.year - human.born.year - _FIRST_GRADE_AGE + 1 if bits >> 4 & 15 else "",
        noted.surname, noted.given, "ស" if human.female else "ប", f"{human.born:%d-%m-%Y}" if bits >> 8 & 7 else "",
        "" if bits >> 8 & 7 else human.born.year, household.people[0].khmer_id or "",
        cards[-1] if cards and bits >> 12 & 7 else "",
        birth_certificate(human) if bits >> 16 & 3 else "", village.code, "2026-2027", half,
        half if bits >> 20 & 1 else "", "A" if bits >> 24 & 31 else "W",
    )  # fmt: skip
