"""Writes the registers that are asked for, all out of one population.

It refuses to overwrite a register. The sandbox calls it once per directory; the adapters then read the files.
"""

import importlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.synthetic.people import DEFAULT_HOUSEHOLDS, DEFAULT_SEED, TODAY

BASE: Final = ("idpoor", "nssf")
"""The registers of the small sandbox."""
ALL: Final = (
    "idpoor", "nssf", "nsaf_pregnancy", "nsaf_family_package", "pmrs", "moeys_scholarships", "school_feeding",
    "mosvy_disability", "spr", "dspp",
)  # fmt: skip
"""Every register, as modules of :mod:`adapters.synthetic.registers`."""
_STORY_MIN_PEOPLE: Final = 4
_STORY_MIN_MEMBERS: Final = 2


@dataclass(frozen=True, slots=True)
class ExampleHousehold:
    """A poor family of at least four, of whom at least two are NSSF members."""

    card_no: str
    household_uuid: str
    khmer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Where the registers lie and how large the first two are."""

    idpoor: Path
    nssf: Path
    households: int
    people: int
    nssf_members: int
    example: ExampleHousehold


def generate(
    directory: Path,
    *,
    households: int = DEFAULT_HOUSEHOLDS,
    seed: int = DEFAULT_SEED,
    registers: Sequence[str] = BASE,
) -> Population:
    """Write registers; the same seed gives the same content, also of each register alone.

    Args:
        directory: existing directory.
        households: at least 1; about 4.5 people each.
        seed: of the population.
        registers: which to write, at least those of :data:`BASE`.

    Raises:
        FileExistsError: one of the files is there already.
    """
    # Loaded here: who only finds the example again need not load the country's villages.
    from adapters.synthetic.population import people  # noqa: PLC0415 - as above
    from adapters.synthetic.stories import write_stories  # noqa: PLC0415 - as above

    made = people(households, seed)
    for each in registers:
        importlib.import_module(f"adapters.synthetic.registers.{each}").write(directory, made)
    write_stories(directory, made)
    idpoor, nssf = directory / "idpoor.sqlite", directory / "nssf.sqlite"
    count = sum(len(household.people) for household in made.households)
    with closing(_open(nssf)) as members:
        in_fund = members.execute("SELECT count(*) FROM member").fetchone()[0]
    return Population(idpoor, nssf, len(made.households), count, in_fund, example_household(idpoor, nssf))


def example_household(idpoor: Path, nssf: Path) -> ExampleHousehold:
    """Find the family of the sandbox's story again; raises LookupError where the registers hold none."""
    with closing(_open(nssf)) as members:
        known = {row[0] for row in members.execute("SELECT id_card_no FROM member WHERE id_card_no IS NOT NULL")}
    with closing(_open(idpoor)) as register:
        for card_no, household in register.execute(
            "SELECT card_no, household_uuid FROM equity_card JOIN household ON uuid = household_uuid "
            "WHERE poverty_status IN ('POOR_1', 'POOR_2') AND valid_until >= ? AND size >= ? ORDER BY card_no",
            (TODAY.isoformat(), _STORY_MIN_PEOPLE),
        ):
            found = _khmer_ids(register, household)
            if len(known.intersection(found)) >= _STORY_MIN_MEMBERS:
                return ExampleHousehold(card_no, household, found)
    raise LookupError("no poor household of four with two NSSF members in these registers")


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _khmer_ids(register: sqlite3.Connection, household: str) -> tuple[str, ...]:
    rows = register.execute(
        "SELECT khmer_id FROM individual WHERE household_uuid = ? AND khmer_id IS NOT NULL ORDER BY seq", (household,)
    )
    return tuple(row[0] for row in rows)
