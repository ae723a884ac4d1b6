"""The social security fund: members, their employers, what was paid in, and pensions.

It refuses to look like another register: names in one field and in both scripts, sexes as digits, days as day/month/
year. No schema of the fund is published; everything here is an invention.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from adapters.synthetic.office import Office
from adapters.synthetic.people import TODAY, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import WORKING_AGES
from adapters.synthetic.slips import Noted, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE employer (employer_no TEXT PRIMARY KEY, name_kh TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE member (nssf_no TEXT PRIMARY KEY, id_card_no TEXT, name_kh TEXT NOT NULL, name_latin TEXT NOT NULL,
    sex TEXT NOT NULL, dob TEXT, yob INTEGER, status TEXT NOT NULL, registered_on TEXT NOT NULL,
    employer_no TEXT) WITHOUT ROWID;
CREATE TABLE contribution (nssf_no TEXT NOT NULL, branch TEXT NOT NULL, months INTEGER NOT NULL,
    first_month TEXT NOT NULL, last_month TEXT NOT NULL, paid_riel INTEGER NOT NULL,
    PRIMARY KEY (nssf_no, branch)) WITHOUT ROWID;
CREATE TABLE pension (pension_no TEXT PRIMARY KEY, nssf_no TEXT NOT NULL, kind TEXT NOT NULL, since TEXT NOT NULL,
    monthly_riel INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE spr_person (spid TEXT PRIMARY KEY, id_card_no TEXT, name_kh TEXT, name_latin TEXT, sex TEXT NOT NULL,
    dob TEXT, yob INTEGER, village TEXT) WITHOUT ROWID;
CREATE TABLE spr_finding (about TEXT PRIMARY KEY, finding TEXT NOT NULL, state TEXT NOT NULL, nssf_no TEXT NOT NULL,
    id_card_no TEXT, found_on TEXT) WITHOUT ROWID;
"""
INDEXES: Final = """
CREATE INDEX spr_finding_number ON spr_finding (nssf_no);
CREATE INDEX spr_finding_card ON spr_finding (id_card_no);
CREATE UNIQUE INDEX member_id_card ON member (id_card_no);
CREATE UNIQUE INDEX pension_member ON pension (nssf_no);
CREATE INDEX spr_person_card ON spr_person (id_card_no);
"""
_EMPLOYERS: Final = 60
_PENSION_AGE: Final = 60
_FUND_BEGAN: Final = 2012
_PENSIONS: Final = ("OLD", "INV", "SUR")
# Per thousand of the wage: occupational risk, health care, pension of both sides.
_RATES: Final = {"OR": 8, "HC": 26, "PN": 40}
# Enterprises copy the identity card: what slips, slips in the Latin name.
_SLIPS: Final = Slips(year_only=10, no_khmer_id=10, latin=40)


@dataclass(slots=True)
class _Tables:
    members: list[Row] = field(default_factory=list)
    contributions: list[Row] = field(default_factory=list)
    pensions: list[Row] = field(default_factory=list)


_Office = Office[_Tables]


def write(directory: Path, people: People) -> None:
    """Write ``nssf.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "nssf.sqlite")
    office = Office.opened(people, "nssf", _SLIPS, _Tables())
    truth: list[tuple[str, int]] = []
    for number, human in _members(people):
        _add_member(office, number, human)
        truth.append((number, human.number))
    employers = [(f"E{number:05d}", f"សហគ្រាសគំរូ លេខ {number}") for number in range(_EMPLOYERS)]
    tables = office.tables
    write_database(path, SCHEMA, INDEXES, {
        "employer": employers, "member": tables.members, "contribution": tables.contributions,
        "pension": tables.pensions,
    })  # fmt: skip
    write_truth(directory, "nssf", truth)


def _members(people: People) -> Iterator[tuple[str, Human]]:
    """Yield the fund's people: of the first household all who can be, of the others some, and everybody outside."""
    for household, human in people.everybody():
        number = people.roll.nssf_no(human)
        if number is None and household.number == 0 and human.khmer_id and human.age() in WORKING_AGES:
            number = people.roll.card_of_fund(human)
        if number is not None:
            yield number, human
    for human in people.outsiders:
        yield people.roll.card_of_fund(human), human


def _add_member(office: _Office, number: str, human: Human) -> None:
    noted, bits = office.clerk.note(human), office.draws.bits(human.number)
    retired = human.age() >= _PENSION_AGE
    status = "E" if retired else "AAAAAAAAAAAAAAAAASSE"[bits % 20]
    registered = _registered(human, bits >> 8)
    employer = None if retired or not bits >> 16 & 7 else f"E{(bits >> 20) % _EMPLOYERS:05d}"
    office.tables.members.append((
        number, noted.khmer_id, f"{noted.surname} {noted.given}",
        f"{noted.surname_latin} {noted.given_latin}".upper(), "2" if human.female else "1", _day(noted), noted.year,
        status, registered.isoformat(), employer,
    ))  # fmt: skip
    months = max(1, (TODAY.year - registered.year) * 12 - (bits >> 32) % 12)
    wage = 800_000 + (bits >> 44) % 60 * 20_000
    office.tables.contributions += _contributions(number, months, wage, pension=retired or bool(bits >> 40 & 1))
    if retired:
        office.tables.pensions.append(_pension(number, human, bits >> 44))


def _registered(human: Human, bits: int) -> date:
    youngest = max(_FUND_BEGAN, human.born.year + WORKING_AGES.start)
    last = min(TODAY.year - 1, human.born.year + _PENSION_AGE)
    return date(youngest + bits % max(1, last - youngest), 1 + (bits >> 8) % 10, 1 + (bits >> 16) % 28)


def _day(noted: Noted) -> str | None:
    return f"{noted.born:%d/%m/%Y}" if noted.born else None


def _contributions(number: str, months: int, wage: int, *, pension: bool) -> Iterator[Row]:
    """Yield what was paid in for each branch; a wage is bounded, as the law bounds it for contributions."""
    branches = [("OR", months)] + [("HC", months - 1)] * (months > 1) + [("PN", min(months, 48))] * pension
    for branch, count in branches:
        yield number, branch, count, _months_ago(count), "202610", wage * _RATES[branch] // 1000 * count


def _months_ago(count: int) -> str:
    """Give the first of some months that end with October 2026."""
    first = 2026 * 12 + 10 - count
    return f"{first // 12}{first % 12 + 1:02d}"


def _pension(number: str, human: Human, bits: int) -> Row:
    kind = _PENSIONS[0 if bits % 10 < 7 else 1 + bits % 2]  # noqa: PLR2004  # seven of ten are of old age
    since = max(date(2022, 10, 1), human.born + timedelta(days=_PENSION_AGE * 366))
    return (
        f"PN{number}",
        number,
        kind,
        since.isoformat(),
        200_000 + bits % 40 * 10_000,
        "STOPPED" if not bits % 9 else "PAID",
    )
