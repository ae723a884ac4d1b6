"""The school feeding lists: one workbook a school term, typed in by schools, with Khmer headers.

It refuses to be clean: some cells hold words where a number is meant, as real lists do; the adapter reports those rows
and serves the others. No schema of the information system is published; everything here is an invention.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.slips import Clerk, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_truth

FOLDER: Final = "school_feeding"
FILE: Final = "sfis-2026-10.xlsx"
SHEET: Final = "អាហារតាមសាលា"
HEADERS: Final = (
    "លេខកំណត់ត្រា", "លេខសិស្ស", "គោត្តនាម", "នាម", "ភេទ", "ថ្ងៃខែឆ្នាំកំណើត", "ឆ្នាំកំណើត", "ថ្នាក់",
    "លេខកូដសាលា", "ឈ្មោះសាលា", "ខែ", "ប្រភេទអាហារ", "ចំនួនថ្ងៃ", "អង្ករគីឡូក្រាម",
)  # fmt: skip
_MONTHS: Final = ("2026-09", "2026-10")
_SLIPS: Final = Slips(typed=40, heard=24)
_FIRST_GRADE_AGE: Final = 6
_RICE_PER_DAY: Final = 0.115  # kilograms of one breakfast


def write(directory: Path, people: People) -> None:
    """Write the workbook in its folder; raises ``FileExistsError``."""
    folder = refuse_existing(directory / FOLDER)
    folder.mkdir()
    clerk, draws = Clerk(people.seed, "school-feeding", _SLIPS), Draws(people.seed, "school-feeding")
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.append(HEADERS)
    truth: list[tuple[str, int]] = []
    for number, household, human in _pupils(people):
        for row in _rows(people, clerk, household, human, number, draws.bits(human.number)):
            sheet.append(row)
        truth.append((number, human.number))
    unfinished = folder / "writing"
    book.save(unfinished)
    unfinished.replace(folder / FILE)
    write_truth(directory, "school_feeding", truth)


def _pupils(people: People) -> Iterator[tuple[str, Household, Human]]:
    for household, human in people.everybody():
        number = people.roll.meals_no(human, household)
        if number is not None:
            yield number, household, human


def _rows(people: People, clerk: Clerk, household: Household, human: Human, number: str, bits: int) -> Iterator[Row]:
    noted, village = clerk.note(human), people.village(household)
    born = f"{human.born:%d/%m/%Y}" if bits & 7 else None
    meal = "អាហារពេលព្រឹក" if bits >> 3 & 7 else "ស្បៀងយកទៅផ្ទះ"
    for place, month in enumerate(_MONTHS):
        days: object = 12 + (bits >> 8 + 4 * place) % 11
        if not bits >> 20 & 0xFF and not human.traits:
            days = "ដប់ពីរ"
        yield (
            f"{number}-{place + 1}", number, noted.surname, noted.given, "ស្រី" if human.female else "ប្រុស", born,
            None if born else human.born.year, TODAY.year - human.born.year - _FIRST_GRADE_AGE + 1,
            f"{village.code[:6]}01",
            f"បឋមសិក្សា {village.name_km}", month, meal, days, round(15 * _RICE_PER_DAY, 2),
        )  # fmt: skip
