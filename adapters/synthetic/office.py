"""The office of a register: whom it serves, who notes, by what chance, and into which tables.

It refuses to know any register's tables; each brings its own. The modules of :mod:`adapters.synthetic.registers` open
one each and hand it to the functions that write their rows.
"""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from adapters.synthetic.draws import Draws
from adapters.synthetic.population import People
from adapters.synthetic.slips import Clerk, Slips

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Office(Generic[T]):
    """One register while it is written."""

    people: People
    clerk: Clerk
    draws: Draws
    tables: T

    @classmethod
    def opened(cls, people: People, register: str, slips: Slips, tables: T) -> Self:
        """Open the office; the register's name decides about its slips, whatever other registers there are."""
        return cls(people, Clerk(people.seed, register, slips), Draws(people.seed, register), tables)
