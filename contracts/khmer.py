"""One encoding for Khmer text that looks the same: ``normalise`` for what is kept, ``comparison_key`` for comparing.

It refuses to correct anybody's spelling: what was typed otherwise and looks otherwise stays as it is.
The mapping engine applies ``normalise`` where a programme's data enters the standard; searches compare keys.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from contracts.khmerletters import (
    ABOVE,
    AM,
    COENG,
    COENG_DA,
    COENG_RO,
    COENG_TA,
    INVISIBLE,
    JOINED,
    LETTER,
    LOOK_ALIKE,
    MARK,
    RANK,
    REGISTER,
    REPLACED,
    ROBAT,
    SOUND,
    SPLIT,
    U,
)

CACHED: Final = 65_536  # names repeat: villages, communes, and the few hundred family names of the country
CACHED_LENGTH: Final = 256  # characters; a longer text is no name, and a cache of long texts is a leak

# Most text is as it should be: a look is ten times faster than taking it apart.
_SOUND: Final = re.compile(SOUND)
_SPACES: Final = re.compile(r"\s+")
# Canonical order puts this rare sign between a coeng and its letter; they belong together.
_TORN: Final = re.compile(f"{COENG}(\u17dd+)(?={LETTER})")
_COENGS: Final = re.compile(f"{COENG}{{2,}}")
_CLUSTER: Final = re.compile(f"({LETTER})((?:{COENG}{LETTER}?|{MARK})+)")
_UNIT: Final = re.compile(f"{COENG}{LETTER}?|{MARK}")
_BESIDE_KHMER: Final = re.compile(r" (?=[\u1780-\u17dd])|(?<=[\u1780-\u17dd]) ")


def normalise(text: str) -> str:
    """Return ``text`` with one order of signs, and without what nobody sees.

    Invisible characters go, any white space becomes one space (none at the ends), characters that Unicode deprecates
    become what it recommends, Unicode's own normal form C is applied, and within each Khmer syllable signs stand once,
    in the order of Unicode's encoding structure: letter, robat, subscripts (RO last), register shifter, vowel, other
    signs, visarga. A vowel typed in two parts becomes the one character. Letters are never dropped, added or changed.
    """
    return _normalise_cached(text) if len(text) <= CACHED_LENGTH else _normalise(text)


def comparison_key(text: str) -> str:
    """Return a key that is equal for two texts that a reader takes for the same name; it is not for showing.

    On top of :func:`normalise`: subscript DA equals subscript TA, which fonts draw alike; a vowel U below another vowel
    equals the register shifter, which takes its shape there; variants of a letter, Khmer and other digits, capital and
    small Latin letters are equal; a space beside Khmer does not count, because names are written with and without.
    """
    return _key_cached(text) if len(text) <= CACHED_LENGTH else _key(text)


def _normalise(text: str) -> str:
    if text.isascii():
        return _one_space(text)
    if _SOUND.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFC", _one_space(text.translate(INVISIBLE).translate(REPLACED)))
    whole = _TORN.sub(rf"\1{COENG}", _COENGS.sub(COENG, plain))
    ordered = _CLUSTER.sub(_syllable, whole)
    return unicodedata.normalize("NFC", ordered)


def _key(text: str) -> str:
    folded = _CLUSTER.sub(_folded_syllable, normalise(text)).replace(COENG_DA, COENG_TA).translate(LOOK_ALIKE)
    return _BESIDE_KHMER.sub("", unicodedata.normalize("NFKC", folded).casefold())


def _one_space(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _syllable(found: re.Match[str]) -> str:
    units: list[str] = _UNIT.findall(found[2])
    robat = ROBAT if ROBAT in units else ""
    return found[1] + robat + "".join(_subscripts(units)) + "".join(_marks(units))


def _subscripts(units: list[str]) -> list[str]:
    """Give the subscripts as typed, RO last: it is drawn before the letter, wherever it is typed."""
    # A coeng without its letter shows nothing that anybody meant; its place would depend on the order of typing.
    found = [each for each in units if len(each) > 1]
    return sorted(found, key=COENG_RO.__eq__) if len(found) > 1 else found


def _marks(units: list[str]) -> list[str]:
    """Give each sign once, in order, compound vowels whole."""
    found = {each for each in units if len(each) == 1} - {COENG, ROBAT}
    if len(found) < 2:  # noqa: PLR2004  # one sign needs no order
        return list(found)
    parts = {part for each in found for part in SPLIT.get(each, each)}
    for pair, whole in JOINED:
        if parts >= pair:
            parts = parts - pair | {whole}
    return sorted(parts, key=RANK.__getitem__)


def _folded_syllable(found: re.Match[str]) -> str:
    marks = set(found[2])
    below = marks & REGISTER or (marks & {U})
    if below and (marks & ABOVE or marks >= AM):
        kept = (each for each in found[2] if each not in REGISTER and each != U)
        return f"{found[1]}{''.join(kept)}{U}"
    return found[0]


_normalise_cached = lru_cache(CACHED)(_normalise)
_key_cached = lru_cache(CACHED)(_key)
