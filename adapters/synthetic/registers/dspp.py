"""The Digital Social Protection Platform: what came in through its Single Registration Portal, and complaints.

It refuses to decide anything: an application is decided by the institution that it is for. The plan names platform and
portal; no schema of either is published, so everything here is an invention.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import TODAY, Household, Human
from adapters.synthetic.population import People
from adapters.synthetic.slips import Clerk, Noted, Slips
from adapters.synthetic.writing import Row, refuse_existing, write_database, write_truth

SCHEMA: Final = """
CREATE TABLE account (account_id TEXT PRIMARY KEY, spid TEXT, khm_id TEXT, phone TEXT NOT NULL, name_km TEXT NOT NULL,
    name_latin TEXT NOT NULL, gender TEXT NOT NULL, birthday TEXT, birth_year INTEGER) WITHOUT ROWID;
CREATE TABLE application (application_no TEXT PRIMARY KEY, account_id TEXT NOT NULL, for_programme TEXT NOT NULL,
    component TEXT, submitted_at TEXT NOT NULL, via TEXT NOT NULL, state TEXT NOT NULL, state_since TEXT NOT NULL,
    reason TEXT, village TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ticket (ticket_no TEXT PRIMARY KEY, account_id TEXT NOT NULL, about_programme TEXT, kind TEXT NOT NULL,
    opened_at TEXT NOT NULL, via TEXT NOT NULL, state TEXT NOT NULL, state_since TEXT NOT NULL, text_km TEXT NOT NULL,
    answer_km TEXT) WITHOUT ROWID;
CREATE TABLE form (form_no TEXT PRIMARY KEY, submitted_at TEXT NOT NULL, village TEXT NOT NULL, family_book TEXT,
    changed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE form_line (line_id TEXT PRIMARY KEY, form_no TEXT NOT NULL, line INTEGER NOT NULL, khm_id TEXT,
    family_name_km TEXT NOT NULL, given_name_km TEXT NOT NULL, family_name_latin TEXT, given_name_latin TEXT,
    gender TEXT NOT NULL, birthday TEXT, birth_year INTEGER, relation TEXT NOT NULL) WITHOUT ROWID;
CREATE VIEW line_of_form AS SELECT l.*, f.village FROM form_line l JOIN form f USING (form_no);
CREATE VIEW application_of_account AS SELECT * FROM application JOIN account USING (account_id);
CREATE VIEW ticket_of_account AS SELECT * FROM ticket JOIN account USING (account_id);
"""
INDEXES: Final = """
CREATE UNIQUE INDEX account_spid ON account (spid);
CREATE UNIQUE INDEX account_khm_id ON account (khm_id);
CREATE INDEX application_account ON application (account_id);
CREATE INDEX ticket_account ON ticket (account_id);
CREATE INDEX ticket_since ON ticket (state_since);
CREATE INDEX form_changed ON form (changed);
CREATE INDEX line_form ON form_line (form_no, line);
"""
# People type their own names and numbers: fewer wrong numbers, more ways to write.
_SLIPS: Final = Slips(typed=60, heard=30, latin=60, year_only=0, no_khmer_id=60)
_STATES: Final = ("new", "in-review", "more-needed", "accepted", "accepted", "refused", "withdrawn")
_PROGRAMMES: Final = ("FP", "FP", "FP", "CT", "SCH", "HEF")
_COMPONENTS: Final = ("base", "pregnancy", "disability", "elderly")
_KINDS: Final = ("left-out", "wrong-data", "payment", "card", "conduct", "privacy", "other")
_TEXTS: Final = {
    "left-out": "គ្រួសារខ្ញុំមិនត្រូវបានរាប់បញ្ចូលទេ។", "wrong-data": "ឈ្មោះខ្ញុំសរសេរខុស។", "payment": "ខ្ញុំមិនទាន់បានទទួលប្រាក់ទេ។",
    "card": "ប័ណ្ណខ្ញុំបាត់។", "conduct": "មន្ត្រីមិនបានជួយទេ។", "privacy": "តើនរណាបានមើលទិន្នន័យខ្ញុំ?", "other": "ខ្ញុំមានសំណួរ។",
}  # fmt: skip


def write(directory: Path, people: People) -> None:
    """Write ``dspp.sqlite``; raises ``FileExistsError``."""
    path = refuse_existing(directory / "dspp.sqlite")
    clerk, draws = Clerk(people.seed, "dspp", _SLIPS), Draws(people.seed, "dspp")
    rows: dict[str, list[Row]] = {"account": [], "application": [], "ticket": []}
    truth: list[tuple[str, int]] = []
    for household, human in people.everybody():
        if people.roll.wrote(human):
            bits = draws.bits(human.number)
            account = f"acc-{bits >> 24:010x}"
            rows["account"].append(_account(people, human, clerk.note(human), account, bits))
            rows["application"].append(_application(people, household, account, human, bits))
            if not bits & 3:
                rows["ticket"].append(_ticket(account, human, draws.bits(human.number, 1)))
            truth.append((account, human.number))
    write_database(path, SCHEMA, INDEXES, rows)
    write_truth(directory, "dspp", truth)


def _account(people: People, human: Human, noted: Noted, account: str, bits: int) -> Row:
    return (
        account, people.roll.spid(human) if bits >> 2 & 3 else None, noted.khmer_id, f"+85512{bits % 10**6:06d}",
        f"{noted.surname} {noted.given}", f"{noted.given_latin} {noted.surname_latin}",
        "female" if human.female else "male", noted.born and noted.born.isoformat(), noted.year,
    )  # fmt: skip


def _application(people: People, household: Household, account: str, human: Human, bits: int) -> Row:
    programme, state = _PROGRAMMES[(bits >> 8) % len(_PROGRAMMES)], _STATES[(bits >> 12) % len(_STATES)]
    submitted = _moment(bits >> 16)
    return (
        f"APP-2026-{human.number:06d}", account, programme,
        _COMPONENTS[(bits >> 4) % len(_COMPONENTS)] if programme == "FP" else None, f"{submitted}",
        ("web", "web", "app", "commune")[bits >> 6 & 3], state, f"{submitted + timedelta(days=bits % 12)}",
        ("income", "already", "unproven")[bits % 3] if state == "refused" else None, people.village(household).code,
    )  # fmt: skip


def _ticket(account: str, human: Human, bits: int) -> Row:
    kind, opened, solved = _KINDS[bits % len(_KINDS)], _moment(bits >> 16), bool(bits >> 8 & 1)
    return (
        f"T{human.number:07d}", account, _PROGRAMMES[bits % len(_PROGRAMMES)] if kind == "payment" else None, kind,
        f"{opened}", ("web", "hotline")[bits >> 9 & 1], "solved" if solved else "open",
        f"{opened + timedelta(days=1 + bits % 9)}", _TEXTS[kind], "បានដោះស្រាយ។" if solved else None,
    )  # fmt: skip


def _moment(bits: int) -> datetime:
    days, seconds = bits % 180, (bits >> 8) % 36_000
    return datetime(TODAY.year, TODAY.month, TODAY.day, 7, 30) - timedelta(days=15 + days) + timedelta(seconds=seconds)  # noqa: DTZ001  # as the platform writes it, without a zone
