"""Makes up a population: households, their people, their cards, and who of them is in social security.

It refuses to be random: one seed, one population, on every machine. :mod:`adapters.synthetic.registries` writes
what it yields into the tables of the registries; nothing here is about a real person, only the villages are real.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Final, NamedTuple

from adapters.synthetic.names import FEMALE, MALE, SURNAMES

TODAY: Final = date(2026, 11, 1)  # ages and validity are as of this day, so that a population never changes by waiting
_YEAR: Final = 365.25
DEFAULT_HOUSEHOLDS: Final = 10_000
DEFAULT_SEED: Final = 2026

LEVELS: Final = ("POOR_1", "POOR_2", "NEAR_POOR", "NOT_POOR")
_LEVEL_WEIGHTS: Final = (34, 44, 15, 7)  # an on-demand register holds mostly those who asked to be assessed
_CHILDREN: Final = (0, 1, 2, 3, 4, 5)
_CHILDREN_WEIGHTS: Final = (9, 20, 31, 22, 12, 6)
_ADULT: Final = 18
_ID_CARD_AGE: Final = 15
_GRANDPARENT_AGE: Final = 44
_PENSION_AGE: Final = 60
NOTHING_DECIDED: Final[frozenset[str]] = frozenset()


# Named tuples, unlike elsewhere: a sandbox makes sixty thousand at its first start, and a frozen dataclass takes thrice
# as long to make.
class Human(NamedTuple):
    """One made-up person; ``number`` is the truth, ``khmer_id`` is None for those without an identity card.

    ``traits`` are what a story has decided about the person; of nearly everybody it has decided nothing.
    """

    number: int
    uuid: str
    surname: tuple[str, str]
    given: tuple[str, str]
    female: bool
    born: date
    relation: str
    khmer_id: str | None
    traits: frozenset[str] = NOTHING_DECIDED

    def age(self) -> int:
        """Whole years on :data:`TODAY`."""
        return int((TODAY - self.born).days / _YEAR)


class Card(NamedTuple):
    """An equity card and the days between which it holds."""

    number: str
    created: date
    valid_until: date


class Household(NamedTuple):
    """One made-up household in a real village."""

    number: int
    uuid: str
    level: str
    village: int
    people: tuple[Human, ...]
    cards: tuple[Card, ...]


class _Cast(NamedTuple):
    """Whom a story needs; ``id_card`` None: has none."""

    age: int
    relation: str
    female: bool
    id_card: bool | None
    traits: frozenset[str]


ONCE_ONLY: Final = 1
"""Number of the household of which one SPID is enough to find everything: a disabled father, a mother expecting."""
NO_SPID: Final = 2
"""Number of the household that has neither SPID nor identity card: a disabled grandmother and her granddaughter."""

_KNOWN: Final = frozenset({"spr"})
_UNKNOWN: Final = frozenset({"-spr"})
_ONCE_ONLY_FAMILY: Final = (
    _Cast(34, "HEAD", False, True, _KNOWN | {"disabled", "card"}),  # noqa: FBT003  # the columns are named above
    _Cast(29, "SPOUSE", True, True, _KNOWN | {"expecting", "patient"}),  # noqa: FBT003
    _Cast(7, "DAUGHTER", True, None, _KNOWN | {"pupil"}),  # noqa: FBT003
    _Cast(1, "SON", False, None, _KNOWN),  # noqa: FBT003
)
_NO_SPID_FAMILY: Final = (
    _Cast(71, "HEAD", True, None, _UNKNOWN | {"disabled", "-card", "package"}),  # noqa: FBT003
    _Cast(8, "GRANDDAUGHTER", True, None, _UNKNOWN | {"-disabled", "pupil"}),  # noqa: FBT003
)


class Maker:
    """Makes people and households one after another from one random sequence."""

    def __init__(self, seed: int, villages: int) -> None:
        self._random = Random(seed)  # noqa: S311  # a repeatable population, no secret
        self._next = self._random.random
        self._villages = villages
        self._id_cards = self._random.randrange(10**9)
        self._cards = 0
        self._people = 0

    def households(self, count: int) -> Iterator[Household]:
        """Yield ``count`` households; the first three are those of the stories."""
        levels = self._random.choices(LEVELS, _LEVEL_WEIGHTS, k=count)
        children = self._random.choices(_CHILDREN, _CHILDREN_WEIGHTS, k=count)
        for number in range(count):
            if number == ONCE_ONLY:
                yield self._told(number, "POOR_1", _ONCE_ONLY_FAMILY)
            elif number == NO_SPID:
                yield self._told(number, "POOR_2", _NO_SPID_FAMILY)
            else:
                story = number == 0
                level = "POOR_1" if story else levels[number]
                yield self._household(number, level, 2 if story else children[number], story=story)

    def outsiders(self, count: int) -> Iterator[Human]:
        """Yield working people who are in no poor household."""
        for _ in range(count):
            yield self._human(self._surname(), self._between(_ADULT, _PENSION_AGE), "", female=self._female())

    def chance(self, share: float) -> bool:
        """Say yes to this share of questions."""
        return self._next() < share

    def number(self, below: int) -> int:
        """A whole number from 0 to ``below`` - 1."""
        return int(self._next() * below)

    def _told(self, number: int, level: str, family: tuple["_Cast", ...]) -> Household:
        """A family as its story needs it; those of the second have no card that still holds."""
        surname = self._surname()
        people = tuple(
            self._human(
                self._surname() if each.relation == "SPOUSE" else surname,
                each.age,
                each.relation,
                female=each.female,
                certain=each.id_card,
                traits=each.traits,
            )
            for each in family
        )
        cards = (self._card(TODAY - timedelta(days=200)),) if number == ONCE_ONLY else ()
        return Household(number, self._uuid(), level, self.number(self._villages), people, cards)

    def _household(self, number: int, level: str, children: int, *, story: bool) -> Household:
        surname, age = self._surname(), self._between(26, 56)
        people = [*self._couple(surname, age, story=story), *self._young(surname, children, age)]
        if not story:
            people += self._relatives(surname, age)
        village, cards = self.number(self._villages), self._cards_of(level, story=story)
        return Household(number, self._uuid(), level, village, tuple(people), cards)

    def _couple(self, surname: tuple[str, str], age: int, *, story: bool) -> Iterator[Human]:
        female = self.chance(0.28)
        yield self._human(surname, age, "HEAD", female=female, certain=story)
        if story or self.chance(0.55 if female else 0.9):
            other = max(_ADULT, age - 3 + self.number(6))
            yield self._human(self._surname(), other, "SPOUSE", female=not female, certain=story)

    def _young(self, surname: tuple[str, str], count: int, parent: int) -> Iterator[Human]:
        for _ in range(count):
            female = self._female()
            age = self.number(min(22, parent - _ADULT))
            yield self._human(surname, age, "DAUGHTER" if female else "SON", female=female)

    def _relatives(self, surname: tuple[str, str], head: int) -> Iterator[Human]:
        if self.chance(0.2):
            female = self.chance(0.7)
            yield self._human(surname, head + self._between(18, 32), "MOTHER" if female else "FATHER", female=female)
        if head > _GRANDPARENT_AGE and self.chance(0.5):
            female = self._female()
            yield self._human(surname, self.number(9), "GRANDDAUGHTER" if female else "GRANDSON", female=female)
        if self.chance(0.06):
            yield self._human(self._surname(), self._between(5, 40), "OTHER_RELATIVE", female=self._female())

    def _human(
        self,
        surname: tuple[str, str],
        age: int,
        relation: str,
        *,
        female: bool,
        certain: bool | None = False,
        traits: frozenset[str] = NOTHING_DECIDED,
    ) -> Human:
        """Make a person; a card is certain, certainly not there (None), or as it comes."""
        names = FEMALE if female else MALE
        born = TODAY - timedelta(days=int(age * _YEAR) + 1 + self.number(364))
        has_card = age >= _ID_CARD_AGE and certain is not None and (certain or self.chance(0.82))
        khmer_id = self._id_card() if has_card else None
        self._people += 1
        given = names[self.number(len(names))]
        return Human(self._people, self._uuid(), surname, given, female, born, relation, khmer_id, traits)

    def _cards_of(self, level: str, *, story: bool) -> tuple[Card, ...]:
        if level == "NOT_POOR" or (level == "NEAR_POOR" and self.chance(0.5)):
            return ()
        created = TODAY - timedelta(days=30 + self.number(900))
        if not story and self.chance(0.05):
            return (self._card(created - timedelta(days=1200)),)
        older = (self._card(created - timedelta(days=1000)),) if self.chance(0.15) else ()
        return (*older, self._card(created))

    def _card(self, created: date) -> Card:
        self._cards += 1
        return Card(f"{self._cards:07d}", created, created + timedelta(days=1095))

    def _id_card(self) -> str:
        # A step without a common factor with 10^9 visits every number once: unique without a set.
        self._id_cards = (self._id_cards + 617_283_951) % 10**9
        return f"{self._id_cards:09d}"

    def _uuid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _surname(self) -> tuple[str, str]:
        return SURNAMES[self.number(len(SURNAMES))]

    def _female(self) -> bool:
        return self.chance(0.51)

    def _between(self, youngest: int, oldest: int) -> int:
        return youngest + self.number(oldest - youngest)
