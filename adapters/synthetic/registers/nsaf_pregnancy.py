"""The cash transfer for pregnant women and children under two: mothers, children, and what they were paid.

It refuses to look like another register: days in the Buddhist era, money in thousands of riel, given name before
surname, administrative codes in parts. No schema of it is published; everything here is an invention.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from adapters.synthetic.office import Office
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.roll import Expecting, birth_certificate, mother_of, small_children
from adapters.synthetic.slips import Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE mother (bene_no TEXT PRIMARY KEY, hh_card TEXT, id_no TEXT, spid TEXT, gname TEXT NOT NULL,
    sname TEXT NOT NULL, dob_be TEXT, yob_be INTEGER, vill_code TEXT NOT NULL, mobile TEXT, lmp_be TEXT, edd_be TEXT,
    anc_seen INTEGER NOT NULL, stage TEXT NOT NULL, delivered_be TEXT, entered_be TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE child (child_no TEXT PRIMARY KEY, bene_no TEXT NOT NULL, birth_cert TEXT, gname TEXT NOT NULL,
    sname TEXT NOT NULL, sex TEXT NOT NULL, dob_be TEXT NOT NULL, weight_g INTEGER, birth_place TEXT NOT NULL,
    vaccines INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE payout (payout_no INTEGER PRIMARY KEY, bene_no TEXT NOT NULL, step TEXT NOT NULL,
    khr_thousand REAL NOT NULL, day_be TEXT NOT NULL, wallet TEXT NOT NULL, state TEXT NOT NULL);
CREATE VIEW payout_of_mother AS SELECT p.*, m.hh_card, m.id_no, m.spid FROM payout p JOIN mother m USING (bene_no);
CREATE VIEW child_of_mother AS SELECT c.*, m.hh_card, m.id_no, m.spid, m.vill_code
    FROM child c JOIN mother m USING (bene_no);
"""
INDEXES: Final = """
CREATE INDEX mother_card ON mother (hh_card);
CREATE UNIQUE INDEX mother_id ON mother (id_no);
CREATE UNIQUE INDEX mother_spid ON mother (spid);
CREATE INDEX child_mother ON child (bene_no);
CREATE UNIQUE INDEX child_certificate ON child (birth_cert);
CREATE INDEX payout_mother ON payout (bene_no);
"""
_PLACES: Final = ("HC", "HC", "HC", "RH", "HOME")
_BUDDHIST: Final = 543
_SLIPS: Final = Slips(year_only=50, no_khmer_id=40, typed=24, moved=20)
_STEPS: Final = (("ANC1", 40.0), ("ANC2", 40.0), ("ANC3", 40.0), ("DEL", 200.0), ("PNC", 40.0), ("VAC", 40.0))


@dataclass(slots=True)
class _Tables:
    mothers: list[Row] = field(default_factory=list)
    children: list[Row] = field(default_factory=list)
    payouts: list[Row] = field(default_factory=list)
    truth: list[tuple[str, int]] = field(default_factory=list)


_Office = Office[_Tables]


def write(directory: Path, people: People) -> None:
    """Write ``nsaf_pregnancy.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "nsaf_pregnancy.sqlite")
    office = Office.opened(people, "nsaf-pregnancy", _SLIPS, _Tables())
    for household in people.households:
        mother = mother_of(household)
        if mother is not None:
            _add(office, household, mother)
    tables = office.tables
    rows = {"mother": tables.mothers, "child": tables.children, "payout": tables.payouts}
    write_database(path, SCHEMA, INDEXES, rows)
    write_truth(directory, "nsaf_pregnancy", tables.truth)


def _add(office: _Office, household: Household, mother: Human) -> None:
    expecting, children = office.people.roll.expecting(mother), small_children(household)
    number = office.people.roll.transfer_no(mother, household)
    if number is None or not (expecting or children):
        return
    delivered = None if expecting else children[0].born
    office.tables.mothers.append(_mother(office, household, mother, number, (expecting, delivered)))
    office.tables.truth.append((number, mother.number))
    for place, child in enumerate(children, start=1):
        office.tables.children.append(_child(office, child, f"{number}-{place}", number))
        office.tables.truth.append((f"{number}-{place}", child.number))
    begun = expecting.last_period + timedelta(days=90) if expecting else children[0].born - timedelta(days=180)
    steps = _STEPS[: expecting.visits] if expecting else _STEPS[: 4 + (TODAY - children[0].born).days // 200]
    office.tables.payouts += _payouts(number, begun, steps)


_Stage = tuple[Expecting | None, date | None]
"""How far the pregnancy is, or the day of the birth."""


def _mother(office: _Office, household: Household, mother: Human, number: str, stage: _Stage) -> Row:
    (expecting, delivered), noted, bits = stage, office.clerk.note(mother), office.draws.bits(mother.number)
    cards = office.people.card_numbers(household)
    return (
        number, cards[-1] if cards and bits & 15 else None, noted.khmer_id,
        office.people.roll.spid(mother) if bits >> 4 & 3 else None, noted.given, noted.surname,
        _be(noted.born), noted.year and noted.year + _BUDDHIST, office.people.village(household, noted).code,
        f"0{10 + (bits >> 8) % 89}{(bits >> 16) % 10**6:06d}" if bits >> 6 & 3 else None,
        _be(expecting and expecting.last_period), _be(expecting and expecting.due),
        expecting.visits if expecting else 4,
        "P" if expecting else "C", _be(delivered), _be(TODAY - timedelta(days=5 + (bits >> 40) % 300)),
    )  # fmt: skip


def _child(office: _Office, child: Human, number: str, mother: str) -> Row:
    noted, bits = office.clerk.note(child), office.draws.bits(child.number)
    certificate = birth_certificate(child) if bits & 3 else None
    return (
        number, mother, certificate, noted.given, noted.surname, "ស្រី" if child.female else "ប្រុស", _be(child.born),
        2200 + (bits >> 8) % 1800 if bits >> 2 & 7 else None, _PLACES[(bits >> 20) % 5],
        min(9, (TODAY - child.born).days // 60),
    )  # fmt: skip


def _payouts(number: str, begun: date, steps: tuple[tuple[str, float], ...]) -> Iterator[Row]:
    for place, (step, amount) in enumerate(steps):
        day = begun + timedelta(days=60 * place)
        yield None, number, step, amount, _be(day), "WING", "PAID" if day <= TODAY else "DUE"


def _be(day: date | None) -> str | None:
    """Write a day as the register does: 01/11/2569."""
    return f"{day:%d/%m/}{day.year + _BUDDHIST}" if day else None
