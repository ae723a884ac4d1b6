"""The disability identification of the Ministry of Social Affairs: cases, what was found, and cards.

It refuses to answer anybody: the SOAP server in :mod:`adapters.synthetic.servers` does, out of the database that this
module writes. No schema is published; the years, the card and the three grades of severity are publicly known.
"""

from pathlib import Path
from typing import Final

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import Disability
from adapters.synthetic.slips import Clerk, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE disability_case (CaseNo TEXT PRIMARY KEY, CardNo TEXT, CardIssued TEXT,
    CardValidUntil TEXT, SocialProtectionId TEXT,
    NationalId TEXT, FullNameKh TEXT NOT NULL, FullNameEn TEXT NOT NULL, Gender TEXT NOT NULL, DateOfBirth TEXT,
    YearOfBirth INTEGER, VillageCode TEXT NOT NULL, ImpairmentKind INTEGER NOT NULL, Severity INTEGER NOT NULL,
    Cause TEXT NOT NULL, SinceAge TEXT NOT NULL, AssessedOn TEXT NOT NULL, State TEXT NOT NULL,
    NeedsAssistant TEXT) WITHOUT ROWID;
"""
INDEXES: Final = """
CREATE UNIQUE INDEX case_card ON disability_case (CardNo);
CREATE UNIQUE INDEX case_national ON disability_case (NationalId);
CREATE UNIQUE INDEX case_spid ON disability_case (SocialProtectionId);
"""
_SLIPS: Final = Slips(year_only=120, no_khmer_id=50, heard=16, latin=50, moved=24)
_CARDS_BEGAN: Final = 2023
_CARD_YEARS: Final = 5
_NEEDS: Final = ("DAILY", "DAILY", "MOVING", "TALKING")


def write(directory: Path, people: People) -> None:
    """Write ``mosvy_disability.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "mosvy_disability.sqlite")
    clerk, draws = Clerk(people.seed, "mosvy", _SLIPS), Draws(people.seed, "mosvy")
    rows: list[Row] = []
    truth: list[tuple[str, int]] = []
    for household, human in people.everybody():
        found = people.roll.disability(human)
        if found:
            rows.append(_case(people, clerk, household, human, found, draws.bits(human.number)))
            truth.append((found.case_no, human.number))
    write_database(path, SCHEMA, INDEXES, {"disability_case": rows})
    write_truth(directory, "mosvy_disability", truth)


def _case(people: People, clerk: Clerk, household: Household, human: Human, found: Disability, bits: int) -> Row:
    noted = clerk.note(human)
    year, day = max(found.assessed.year, _CARDS_BEGAN + 1), f"1{bits % 3}15"
    old = human.age() > 50  # noqa: PLR2004  # an age, nothing that is set elsewhere
    return (
        found.case_no, found.card_no, f"{year}{day}" if found.card_no else None,
        f"{year + _CARD_YEARS}{day}" if found.card_no else None,
        people.roll.spid(human) if bits >> 4 & 3 or human.traits else None, noted.khmer_id,
        f"{noted.surname} {noted.given}", f"{noted.surname_latin} {noted.given_latin}", "F" if human.female else "M",
        noted.born and f"{noted.born:%Y%m%d}", noted.year, people.village(household, noted).code, found.kind,
        found.severity, "BIWTOA"[(bits >> 8) % 6], "O" if old else "BCW"[(bits >> 16) % 3],
        f"{found.assessed:%Y%m%d}", "APPROVED" if bits >> 24 & 15 or human.traits else "PENDING",
        _NEEDS[bits >> 32 & 3] if found.severity == 1 else None,
    )  # fmt: skip
