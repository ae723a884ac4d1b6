"""The slips of real registers: names spelt otherwise, days of birth not known, numbers not asked, villages left.

It refuses to lose the truth: who a record is about is written elsewhere, by the person's number. Each register has a
clerk of its own, so that the same person stands differently in different registers.
"""

import re
from datetime import date
from typing import Final, NamedTuple

from adapters.synthetic.draws import Draws
from adapters.synthetic.people import TODAY, Human

# Typed otherwise, read the same: normalisation makes them equal again.
_SHIFTER_FIRST: Final = re.compile("([\u17c9\u17ca])([\u17b6-\u17c5])")
_RO_LAST: Final = re.compile("(\u17d2[\u1780-\u1799\u179b-\u17a2])(\u17d2\u179a)")
_ZERO_WIDTH: Final = "\u200b"
# Heard the same, spelt otherwise: only a matcher can tell.
_HEARD: Final = (("ណ", "ន"), ("ធ", "ទ"), ("ភ", "ព"), ("ឡ", "ល"), ("ឌ", "ដ"), ("ខ", "ក"), ("ិ", "ឹ"), ("ុំ", "ំ"))
_LATIN: Final = (
    ("eo", "ev"), ("ea", "ia"), ("ou", "u"), ("ch", "j"), ("ph", "p"), ("th", "t"), ("kh", "k"), ("ae", "e"),
    ("ee", "i"), ("y", "i"), ("a", "ar"), ("o", "or"), ("i", "y"), ("n", "nn"),
)  # fmt: skip
_DAY_UNKNOWN_FROM: Final = 35  # who was born before registration was common often knows the year only
_LAST_SWAPPABLE: Final = 12  # a day after the twelfth cannot be mistaken for a month


class Slips(NamedTuple):
    """How many of 256 records have each slip."""

    typed: int = 12
    heard: int = 8
    latin: int = 30
    year_only: int = 40
    swapped: int = 3
    no_khmer_id: int = 28
    moved: int = 14


class Noted(NamedTuple):
    """A person as one register has noted it: either the day of birth or, where that is not known, the year alone."""

    surname: str
    given: str
    surname_latin: str
    given_latin: str
    born: date | None
    year: int | None
    khmer_id: str | None
    moved: bool


class Clerk:
    """Notes people for one register, with its share of slips; the same person always alike."""

    def __init__(self, seed: int, register: str, slips: Slips | None = None) -> None:
        self._draws = Draws(seed, f"clerk:{register}")
        self._slips = slips or Slips()

    def note(self, human: Human) -> Noted:
        """Note a person."""
        bits, slips = self._draws.bits(human.number), self._slips
        (surname, surname_latin), (given, given_latin) = human.surname, human.given
        if bits & 0xFF < slips.typed + slips.heard:
            given = typed_otherwise(given, bits >> 8) if bits & 0xFF < slips.typed else heard_otherwise(given)
        if bits >> 16 & 0xFF < slips.latin:
            given_latin = written_otherwise(given_latin, bits >> 24)
        if bits >> 20 & 0xFF < slips.latin:
            surname_latin = written_otherwise(surname_latin, bits >> 28)
        born = self._birth_day(human.born, bits >> 32)
        khmer_id = None if bits >> 48 & 0xFF < slips.no_khmer_id and not human.traits else human.khmer_id
        moved = bits >> 56 < slips.moved and not human.traits
        year = None if born else human.born.year
        return Noted(surname, given, surname_latin, given_latin, born, year, khmer_id, moved)

    def _birth_day(self, born: date, bits: int) -> date | None:
        old = TODAY.year - born.year >= _DAY_UNKNOWN_FROM
        if old and bits & 0xFF < self._slips.year_only:
            return None
        if bits >> 8 & 0xFF < self._slips.swapped and born.day <= _LAST_SWAPPABLE and born.year < TODAY.year:
            return date(born.year, born.day, born.month)
        return born


def typed_otherwise(text: str, bits: int) -> str:
    """Type the same letters in another order, or with a space of no width between them."""
    changed = _SHIFTER_FIRST.sub(r"\2\1", text) if bits & 1 else _RO_LAST.sub(r"\2\1", text)
    return changed if changed != text else _with_hidden_space(text)


def heard_otherwise(text: str) -> str:
    """Write another letter of the same sound."""
    return next((text.replace(right, wrong, 1) for right, wrong in _HEARD if right in text), text)


def written_otherwise(text: str, bits: int) -> str:
    """Transliterate as another clerk would: there is no one way from Khmer to Latin letters."""
    fitting = [pair for pair in _LATIN if pair[0] in text]
    if not fitting:
        return text + text[-1]
    right, other = fitting[bits % len(fitting)]
    return text.replace(right, other, 1)


def _with_hidden_space(text: str) -> str:
    """Put it before a base letter, where a word processor would break the line."""
    for place in range(len(text) - 1, 0, -1):
        if "\u1780" <= text[place] <= "\u17a2" and text[place - 1] != "\u17d2":
            return text[:place] + _ZERO_WIDTH + text[place:]
    return text + _ZERO_WIDTH
