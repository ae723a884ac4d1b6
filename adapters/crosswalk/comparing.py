"""Compares two persons field by field: each pair of values has one level, whose weight is declared elsewhere.

It refuses to add up or to decide. Levels are closed lists, so that a declaration can be held to naming all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from adapters.crosswalk.people import Person
from adapters.crosswalk.sounds import latin, letters, one_letter_apart, sound

MISSING: Final = "missing"
_NAME: Final = ("exact", "sound", "latin", "swapped", "close", "different", MISSING)
LEVELS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "given": _NAME,
    "surname": _NAME,
    "sex": ("same", "different", MISSING),
    "birth": ("day", "new_year", "swapped", "almost", "year", "same_year", "near_year", "different", MISSING),
    "village": ("village", "commune", "district", "different", MISSING),
    "household": ("same", MISSING),
    "number": ("same", "different", MISSING),
})  # fmt: skip
_SHORTEST_CLOSE: Final = 4  # of shorter names, one letter is another name
_DIGITS: Final = {"village": 8, "commune": 6, "district": 4}
_NEW_YEAR: Final = "-01-01"  # what is written where the day is not known
_NEAR: Final = 1  # a year of birth that was counted from an age


@dataclass(frozen=True, slots=True)
class Compared:
    """A name as it is compared; made once a person, because it is compared many times."""

    letters: str
    sound: str
    latin: str

    @classmethod
    def of(cls, khmer: str, in_latin: str) -> "Compared":
        """Fold a name; a single letter is an initial, which says nothing."""
        plain, folded = letters(khmer), latin(in_latin)
        return cls(
            plain if len(plain) > 1 else "", sound(khmer) if len(plain) > 1 else "", folded if len(folded) > 1 else ""
        )


@dataclass(frozen=True, slots=True)
class Features:
    """A person, folded for comparing; ``cards`` and ``exclusive`` also hold what other registries told of the person.

    Args:
        person: as the registry has the person.
        given: the given name.
        surname: the surname.
        exclusive: numbers of which a person has one only, as (type, value).
        cards: of the household.
    """

    person: Person
    given: Compared
    surname: Compared
    exclusive: frozenset[tuple[str, str]]
    cards: frozenset[tuple[str, str]]


def features(person: Person, exclusive_kinds: frozenset[str], gathered: "Gathered | None" = None) -> Features:
    """Fold a person."""
    more = gathered or NOTHING_GATHERED
    return Features(
        person,
        Compared.of(person.given, person.given_latin),
        Compared.of(person.surname, person.surname_latin),
        frozenset((n.kind, n.value) for n in person.numbers if n.kind in exclusive_kinds) | more.exclusive,
        frozenset((n.kind, n.value) for n in (*person.cards, *person.numbers, *person.elsewhere)) | more.cards,
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """What registries that are linked already have told of a person."""

    exclusive: frozenset[tuple[str, str]] = frozenset()
    cards: frozenset[tuple[str, str]] = frozenset()


NOTHING_GATHERED: Final = Gathered()


def levels(one: Features, other: Features, household_kinds: frozenset[str]) -> dict[str, str]:
    """Return the level of each field."""
    a, b = one.person, other.person
    crossed = bool(one.given.sound) and one.given.sound == other.surname.sound != other.given.sound
    crossed = crossed and one.surname.sound == other.given.sound
    return {
        "given": "swapped" if crossed else _name(one.given, other.given),
        "surname": "swapped" if crossed else _name(one.surname, other.surname),
        "sex": MISSING if not a.sex or not b.sex else "same" if a.sex == b.sex else "different",
        "birth": _birth(a, b),
        "village": _village(a.village, b.village),
        "household": _household(one, other, household_kinds),
        "number": _exclusive(one, other),
    }


def _name(one: Compared, other: Compared) -> str:
    if one.letters and other.letters:
        if one.letters == other.letters:
            return "exact"
        return "sound" if one.sound == other.sound and one.sound else _near(one.sound, other.sound)
    if one.latin and other.latin:
        return "latin" if one.latin == other.latin else _near(one.latin, other.latin)
    return MISSING


def _near(one: str, other: str) -> str:
    near = min(len(one), len(other)) >= _SHORTEST_CLOSE and one_letter_apart(one, other)
    return "close" if near else "different"


def _birth(one: Person, other: Person) -> str:
    if not one.year or not other.year:
        return MISSING
    if apart := abs(one.year - other.year):
        return "near_year" if apart <= _NEAR and not (one.born and other.born) else "different"
    return _day(one.born, other.born) if one.born and other.born else "year"


def _day(one: str, other: str) -> str:
    """Compare two days of one year."""
    unknown = [each.endswith(_NEW_YEAR) for each in (one, other)]
    if any(unknown):
        return "new_year" if all(unknown) else "year"
    (month, day), (other_month, other_day) = one.split("-")[1:], other.split("-")[1:]
    if (month, day) == (other_month, other_day):
        return "day"
    if (month, day) == (other_day, other_month):
        return "swapped"
    return "almost" if month == other_month or day == other_day else "same_year"


def _village(one: str, other: str) -> str:
    if not one or not other:
        return MISSING
    for level, digits in _DIGITS.items():
        if min(len(one), len(other)) >= digits and one[:digits] == other[:digits]:
            return level
    return "different"


def _household(one: Features, other: Features, kinds: frozenset[str]) -> str:
    return "same" if any(kind in kinds for kind, _ in one.cards & other.cards) else MISSING


def _exclusive(one: Features, other: Features) -> str:
    if one.exclusive & other.exclusive:
        return "same"
    kinds = {kind for kind, _ in one.exclusive} & {kind for kind, _ in other.exclusive}
    return "different" if kinds else MISSING


def parts(one: Features) -> Mapping[str, tuple[str, ...]]:
    """Return what blocks are made of, each in all its forms: two persons are compared when they share a block."""
    person, names = one.person, sorted((one.given.sound, one.surname.sound))
    year = (str(person.year),) if person.year else ()
    return {
        "given": _present(one.given.sound),
        "surname": _present(one.surname.sound),
        "latin": _present(one.given.latin and one.surname.latin and f"{one.given.latin} {one.surname.latin}"),
        "year": year,
        "day": tuple(_days(person.born)),
        "village": _present(person.village),
        "sex": _present(person.sex),
        "names": _present(" ".join(names) if all(names) else ""),
        "card": tuple(sorted(f"{kind} {value}" for kind, value in one.cards)),
    }  # fmt: skip


def _present(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _days(born: str) -> Iterator[str]:
    """A day with its month in one order, so that swapped ones meet."""
    if born:
        found = date.fromisoformat(born)
        low, high = sorted((found.day, found.month))
        yield f"{found.year} {low} {high}"
