"""The Family Package: families, what each component grants to whom, and what was paid month by month.

It refuses to look like another register: one row a family and one a line of its form, months as year-month, riel as
text with separators. No schema of it is published; the components and who may register are publicly known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.synthetic.office import Office
from adapters.synthetic.people import Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import small_children
from adapters.synthetic.slips import Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE family (family_no TEXT PRIMARY KEY, equity_card TEXT, local_code TEXT NOT NULL, head_spid TEXT,
    village TEXT NOT NULL, poor_level TEXT NOT NULL, members INTEGER NOT NULL, registered TEXT NOT NULL,
    state TEXT NOT NULL, commune_officer TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE form_line (line_no TEXT PRIMARY KEY, family_no TEXT NOT NULL, line INTEGER NOT NULL,
    full_name TEXT NOT NULL, sex TEXT NOT NULL, birth TEXT, birth_year INTEGER, id_card TEXT, is_head INTEGER NOT NULL,
    component TEXT) WITHOUT ROWID;
CREATE TABLE granted (grant_no TEXT PRIMARY KEY, family_no TEXT NOT NULL, component TEXT NOT NULL, line INTEGER,
    amount_riel TEXT NOT NULL, from_day TEXT NOT NULL, until_day TEXT) WITHOUT ROWID;
CREATE TABLE paid (paid_no INTEGER PRIMARY KEY, grant_no TEXT NOT NULL, family_no TEXT NOT NULL, from_day TEXT NOT NULL,
    until_day TEXT NOT NULL, amount_riel TEXT NOT NULL, on_day TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE spr_family (family_no TEXT PRIMARY KEY, family_book TEXT, village TEXT) WITHOUT ROWID;
CREATE TABLE spr_person (spid TEXT PRIMARY KEY, family_no TEXT NOT NULL, line INTEGER NOT NULL, id_card TEXT,
    surname TEXT, given_name TEXT, sex TEXT NOT NULL, birth TEXT, birth_year INTEGER, relation TEXT) WITHOUT ROWID;
CREATE TABLE complaint (complaint_no TEXT PRIMARY KEY, portal_ticket TEXT NOT NULL, programme TEXT NOT NULL,
    kind TEXT NOT NULL, opened TEXT NOT NULL, spid TEXT, text_km TEXT, status TEXT NOT NULL, status_day TEXT NOT NULL,
    answer_km TEXT, changed INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIEW grant_of_family AS SELECT g.*, f.equity_card, f.local_code, f.head_spid, f.state, l.line_no, l.id_card
    FROM granted g JOIN family f USING (family_no) LEFT JOIN form_line l USING (family_no, line);
CREATE VIEW payment_of_family AS SELECT p.*, g.component, f.equity_card, f.local_code, f.head_spid
    FROM paid p JOIN granted g USING (grant_no) JOIN family f ON f.family_no = p.family_no;
"""
INDEXES: Final = """
CREATE UNIQUE INDEX family_card ON family (equity_card);
CREATE UNIQUE INDEX family_code ON family (local_code);
CREATE UNIQUE INDEX family_spid ON family (head_spid);
CREATE INDEX line_family ON form_line (family_no, line);
CREATE UNIQUE INDEX line_card ON form_line (id_card);
CREATE INDEX granted_family ON granted (family_no);
CREATE INDEX paid_grant ON paid (grant_no);
CREATE INDEX paid_family ON paid (family_no);
CREATE INDEX spr_person_family ON spr_person (family_no, line);
CREATE INDEX spr_person_card ON spr_person (id_card);
CREATE UNIQUE INDEX complaint_ticket ON complaint (portal_ticket);
CREATE INDEX complaint_changed ON complaint (changed);
"""
_SLIPS: Final = Slips(heard=14, no_khmer_id=36)
_OLD: Final = 60
_MONTHS: Final = (("2026-09-01", "2026-09-30", "2026-09-12"), ("2026-10-01", "2026-10-31", "2026-10-12"))
_AMOUNTS: Final = {"BASE": 60_000, "U2": 40_000, "PRG": 40_000, "SCH": 20_000, "DIS": 32_000, "OLD": 32_000}


@dataclass(slots=True)
class _Tables:
    families: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    granted: list[Row] = field(default_factory=list)
    paid: list[Row] = field(default_factory=list)
    truth: list[tuple[str, int]] = field(default_factory=list)


_Office = Office[_Tables]


def write(directory: Path, people: People) -> None:
    """Write ``nsaf_family_package.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "nsaf_family_package.sqlite")
    office = Office.opened(people, "family-package", _SLIPS, _Tables())
    for household in people.households:
        number = people.roll.package_no(household)
        if number is not None:
            _add(office, household, number)
    tables = office.tables
    rows = {"family": tables.families, "form_line": tables.lines, "granted": tables.granted, "paid": tables.paid}
    write_database(path, SCHEMA, INDEXES, rows)
    write_truth(directory, "nsaf_family_package", tables.truth)


def _add(office: _Office, household: Household, number: str) -> None:
    bits, cards = office.draws.bits(household.number), office.people.card_numbers(household)
    stopped = not bits & 31
    registered = f"{2024 + (bits >> 8) % 3}-{1 + (bits >> 16) % 10:02d}-{1 + (bits >> 24) % 28:02d}"
    office.tables.families.append((
        number, cards[-1] if cards else None, household.uuid, office.people.roll.spid(household.people[0]),
        office.people.village(household).code, household.level, len(household.people), registered,
        "STOP" if stopped else "LIVE", f"CO-{(bits >> 32) % 1652:04d}",
    ))  # fmt: skip
    _add_grant(office, number, "BASE", None, stopped=stopped)
    for line, human in enumerate(household.people, start=1):
        component = _component(office.people, household, human)
        office.tables.lines.append(_line(office, number, line, human, component))
        office.tables.truth.append((f"{number}/{line}", human.number))
        if component:
            _add_grant(office, number, component, line, stopped=stopped)


def _line(office: _Office, number: str, line: int, human: Human, component: str | None) -> Row:
    noted = office.clerk.note(human)
    born = noted.born and f"{noted.born:%Y/%m/%d}"
    return (
        f"{number}/{line}", number, line, f"{noted.surname} {noted.given}", "F" if human.female else "M", born,
        noted.year, noted.khmer_id, int(line == 1), component,
    )  # fmt: skip


def _component(people: People, household: Household, human: Human) -> str | None:
    """One component a person, the first that fits, as its form has one box a line."""
    if human in small_children(household):
        return "U2"
    if people.roll.expecting(human):
        return "PRG"
    found = people.roll.disability(human)
    if found and found.severity == 1:
        return "DIS"
    if human.age() >= _OLD:
        return "OLD"
    return "SCH" if people.roll.pupil_no(human, household) else None


def _add_grant(office: _Office, number: str, component: str, line: int | None, *, stopped: bool) -> None:
    amount = _AMOUNTS[component]
    grant = f"{number}-{component}-{line or 0}"
    office.tables.granted.append(
        (grant, number, component, line, _riel(amount), "2026-04-01", "2026-08-31" if stopped else None)
    )
    if not stopped:
        office.tables.paid += _payments(office, grant, number, amount)


def _payments(office: _Office, grant: str, number: str, amount: int) -> Iterator[Row]:
    for begins, ends, day in _MONTHS:
        late = not office.draws.bits(len(office.tables.paid), 7) & 63
        yield None, grant, number, begins, ends, _riel(amount), day, "RETURNED" if late else "PAID"


def _riel(amount: int) -> str:
    """Write an amount as the register does: 60,000 ៛."""
    return f"{amount:,} ៛"
