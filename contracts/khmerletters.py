"""Khmer characters by what they do in a syllable, as tables for :mod:`contracts.khmer`.

It refuses to hold an algorithm. Sources: the Unicode Standard's chapter on Khmer and its character properties for what
is deprecated, and Unicode Technical Note 61 for the order of signs.
"""

from types import MappingProxyType
from typing import Final

COENG: Final = "\u17d2"  # makes the letter after it a subscript
LETTER: Final = "[\u1780-\u17a2\u17a5-\u17b3\u25cc]"  # consonants, independent vowels, and the dotted circle
MARK: Final = "[\u17b6-\u17d1\u17d3\u17dd]"
COENG_RO: Final = "\u17d2\u179a"
COENG_DA: Final = "\u17d2\u178a"
COENG_TA: Final = "\u17d2\u178f"
ROBAT: Final = "\u17cc"  # stands above; before the subscripts
U: Final = "\u17bb"
REGISTER: Final = frozenset("\u17c9\u17ca")  # muusikatoan and triisap; drawn as U below a vowel that is above
ABOVE: Final = frozenset("\u17b7\u17b8\u17b9\u17ba\u17be\u17d0")
AM: Final = frozenset("\u17b6\u17c6")  # the two together stand above as well

# Hints for line breaks and direction, joiners, byte order marks, and the inherent vowels that Unicode calls errors.
_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
INVISIBLE: Final = MappingProxyType(dict.fromkeys(map(ord, _UNSEEN), ""))
REPLACED: Final = MappingProxyType({0x17A3: "\u17a2", 0x17A4: "\u17a2\u17b6"})  # deprecated; Unicode says by what

# Vowels that can be typed in two parts; their parts look the same as the whole.
SPLIT: Final = MappingProxyType({"\u17be": "\u17c1\u17b8", "\u17c4": "\u17c1\u17b6"})
JOINED: Final = ((frozenset("\u17c1\u17b6"), "\u17c4"), (frozenset("\u17c1\u17b8"), "\u17be"))

_ORDER: Final = (
    "\u17c9\u17ca",  # register shifters
    "\u17c1\u17c2\u17c3\u17be\u17bf\u17c0\u17c4\u17c5",  # vowels before the letter, and around it
    "\u17bb\u17bc\u17bd",  # vowels below
    "\u17b7\u17b8\u17b9\u17ba",  # vowels above
    "\u17b6",  # the vowel after it
    "\u17c6\u17cb\u17cd\u17ce\u17cf\u17d0\u17d1\u17d3\u17dd",  # other signs
    "\u17c7\u17c8",  # visarga and its short form
)
RANK: Final = MappingProxyType({sign: place for place, sign in enumerate("".join(_ORDER))})

# Text that is in order already, syllable by syllable, single spaces between; it takes in less than there is.
_SYLLABLE: Final = (
    f"{LETTER}{ROBAT}?(?:{COENG}[\u1780-\u1799\u179b-\u17a2])*(?:{COENG_RO})?[\u17c9\u17ca]?[\u17b6-\u17c5]?"
    "[\u17c6\u17cb\u17cd-\u17d1]?[\u17c7\u17c8]?"
)
SOUND: Final = f"(?:{_SYLLABLE}|[\u17d4-\u17db\u17e0-\u17e9A-Za-z0-9.,'/()-]| (?![ ]|$))+(?<! )"

_DIGITS: Final = {0x17E0 + number: str(number) for number in range(10)}
# QOO type two is a variant of QOO, and QUK an obsolete spelling of QU KA.
LOOK_ALIKE: Final = MappingProxyType({0x17B2: "\u17b1", 0x17A8: "\u17a7\u1780", **_DIGITS})
