"""The one population of all registers: households, people outside of them, where they live, who is registered where.

It refuses to write anything. :func:`people` makes it from a seed; the registers note from it what each would know.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.synthetic.people import DEFAULT_HOUSEHOLDS, DEFAULT_SEED, Household, Human, Maker
from adapters.synthetic.roll import Roll
from adapters.synthetic.slips import Noted
from adapters.synthetic.villages import Village, villages

_MOVED_ON: Final = 17  # places further in the list: another village of the same part of the country


@dataclass(frozen=True, slots=True)
class People:
    """Everybody, in the order of their numbers."""

    seed: int
    households: tuple[Household, ...]
    outsiders: tuple[Human, ...]
    villages: tuple[Village, ...]
    roll: Roll

    def everybody(self) -> Iterator[tuple[Household, Human]]:
        """Yield each person of a household with it."""
        for household in self.households:
            for human in household.people:
                yield household, human

    def village(self, household: Household, noted: Noted | None = None) -> Village:
        """Where a household lives, or where a register believes that it still does."""
        moved = noted is not None and noted.moved
        return self.villages[(household.village + (_MOVED_ON if moved else 0)) % len(self.villages)]

    def card_numbers(self, household: Household) -> tuple[str, ...]:
        """The numbers of a household's equity cards, oldest first; a commune's code and a counter."""
        commune = self.villages[household.village].code[:6]
        return tuple(f"{commune}-{card.number}" for card in household.cards)


def people(households: int = DEFAULT_HOUSEHOLDS, seed: int = DEFAULT_SEED) -> People:
    """Make the population; about 4.5 people a household, and a third as many outsiders as households."""
    found = villages()
    maker = Maker(seed, len(found))
    made = tuple(maker.households(households))
    return People(seed, made, tuple(maker.outsiders(households // 3)), found, Roll(seed))
