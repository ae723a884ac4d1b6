"""How a name sounds, in Khmer and in Latin letters, and whether two differ by one letter: for comparing only.

It refuses to judge: equal sounds are a weaker sign than equal letters, and what they weigh is declared. Letters that
are folded are those that Khmer speakers hear alike or that have no sound where they stand; the tables are of the
script, not of any register.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import groupby
from typing import Final

from contracts.khmer import CACHED, CACHED_LENGTH, comparison_key

_COENG: Final = "\u17d2"
_SILENT: Final = re.compile("[\u1780-\u17a2](?:\u17d2[\u1780-\u17a2])?[\u17b6-\u17c5]?\u17cd")  # by a toandakhiat
_UNHEARD: Final = dict.fromkeys(map(ord, "\u17d2\u17c9\u17ca\u17cb\u17cc\u17ce\u17cf\u17d0\u17d1\u17d3\u17dd"), "")
# One letter for those of one place in the mouth: the two series and the breath are what clerks hear least.
_ALIKE: Final = {
    "ខ": "ក", "គ": "ក", "ឃ": "ក", "ឆ": "ច", "ជ": "ច", "ឈ": "ច", "ឌ": "ដ", "ឋ": "ត", "ឍ": "ត", "ថ": "ត", "ទ": "ត",
    "ធ": "ត", "ណ": "ន", "ព": "ផ", "ភ": "ផ", "ឡ": "ល", "ឝ": "ស", "ឞ": "ស",
    "\u17b9": "\u17b7",  # Y as I
    "\u17ba": "\u17b8",  # YY as II
}  # fmt: skip
_SOUNDS: Final = str.maketrans(_ALIKE) | _UNHEARD
_UM: Final = re.compile("\u17bb\u17c6")  # UM as AM
_LETTERS: Final = re.compile(r"[^a-z]")
# Two ways to write one sound; longer ones first.
_SPELT: Final = (
    ("ch", "c"), ("j", "c"), ("kh", "k"), ("ph", "p"), ("th", "t"), ("gn", "n"), ("nh", "n"), ("ou", "u"), ("oo", "u"),
    ("eo", "e"), ("ev", "e"), ("ea", "e"), ("ia", "e"), ("ie", "e"), ("ae", "e"), ("ee", "i"), ("ey", "e"), ("ei", "e"),
    ("y", "i"), ("ar", "a"), ("or", "o"), ("h", ""),
)  # fmt: skip


def letters(name: str) -> str:
    """Return what is equal for names that read the same; empty for a name without a letter."""
    key = comparison_key(name).replace(" ", "")
    return "".join(each for each in key if unicodedata.category(each)[0] in "LM")


def sound(name: str) -> str:
    """Return what is equal for Khmer names that sound the same to most."""
    return _sound_cached(name) if len(name) <= CACHED_LENGTH else _sound(name)


def latin(name: str) -> str:
    """Return what is equal for most ways to write one Khmer name in Latin letters."""
    return _latin_cached(name) if len(name) <= CACHED_LENGTH else _latin(name)


def one_letter_apart(one: str, other: str) -> bool:
    """Say whether a letter more, less, other, or two that changed places make one name the other."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:] and len(left) > 1
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or swapped


def _sound(name: str) -> str:
    plain = _UM.sub("\u17c6", _SILENT.sub("", letters(name)))
    return "".join(letter for letter, _ in groupby(plain.translate(_SOUNDS)))


def _latin(name: str) -> str:
    plain = _LETTERS.sub("", unicodedata.normalize("NFKD", name).casefold())
    for spelt, folded in _SPELT:
        plain = plain.replace(spelt, folded)
    return "".join(letter for letter, _ in groupby(plain))


_sound_cached = lru_cache(CACHED)(_sound)
_latin_cached = lru_cache(CACHED)(_latin)
