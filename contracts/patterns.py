"""Patterns of the standard: the part of ECMA 262's expressions that means the same in every engine, and what it means.

It refuses what engines disagree about (look-around, back references, word boundaries, properties), which also keeps out
every pattern that can be made slow. The validators compile what :func:`portable` returns.
"""

import re
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

Engine = Literal["python", "rust"]

# ECMA 262: white space and line ends are these, whatever an engine's own Unicode version says; digits are ASCII.
_SPACE: Final = "\\t\\n\\x0b\\x0c\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES: Final = MappingProxyType({"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACE})
_ANY: Final = "[^\\n\\r\u2028\u2029]"
_LITERAL: Final = frozenset("\\^$.|?*+()[]{}/-")  # what may stand escaped for itself
_CONTROLS: Final = frozenset("tnrfv")
_END: Final = MappingProxyType({"python": r"\Z", "rust": "$"})  # Python's `$` lets a final line feed in
_TOKEN: Final = re.compile(
    r"\\(?P<escaped>u[0-9A-Fa-f]{4}|.)|(?P<group>\(\?.?)|(?P<any>\.)|(?P<end>\$)|(?P<open>\[\^?)|(?P<other>[^\\])",
    re.DOTALL,
)
_IN_CLASS: Final = re.compile(
    r"\\(?P<escaped>u[0-9A-Fa-f]{4}|.)|(?P<close>\])|(?P<set>\[|&&|--|~~)|(?P<other>[^\\])", re.DOTALL
)


class UnportablePattern(ValueError):  # noqa: N818  # says what it is; ValueError says the rest
    """A pattern that engines read in different ways, or that can take very long."""


@cache
def portable(pattern: str, engine: Engine) -> str:
    """Rewrite a pattern of JSON Schema so that ``engine`` matches what ECMA 262 says.

    Raises:
        UnportablePattern: it uses what the standard does not allow in patterns.
    """
    out, at = [], 0
    while at < len(pattern):
        found = _match(_TOKEN, pattern, at)
        at = found.end()
        if found["open"]:
            inside, at = _class(pattern, at)
            out.append(found["open"] + inside)
        else:
            out.append(_outside(found, pattern, engine))
    return "".join(out)


def _outside(found: re.Match[str], pattern: str, engine: Engine) -> str:
    if found["any"]:
        return _ANY
    if found["end"]:
        return _END[engine]
    if found["group"] and found["group"] != "(?:":
        raise UnportablePattern(f"{pattern!r} uses {found['group']!r}: only groups as (…) and (?:…) are portable")
    if found["escaped"]:
        return _escaped(found["escaped"], pattern, inside=False)
    return found[0]


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Read a character class from after its bracket; give it whole, with its end."""
    out: list[str] = []
    while at < len(pattern):
        found = _match(_IN_CLASS, pattern, at)
        at = found.end()
        if found["close"]:
            return "".join([*out, "]"]), at
        if found["set"]:
            raise UnportablePattern(f"{pattern!r} has {found['set']!r} in a class: write a backslash before it")
        out.append(_escaped(found["escaped"], pattern, inside=True) if found["escaped"] else found[0])
    raise UnportablePattern(f"{pattern!r} has a class that does not end")


def _escaped(letter: str, pattern: str, *, inside: bool) -> str:
    if letter in _LITERAL or letter in _CONTROLS or len(letter) > 1:
        return f"\\{letter}"
    chosen = _CLASSES.get(letter)
    if chosen is not None:
        return chosen if inside else f"[{chosen}]"
    opposite = _CLASSES.get(letter.lower())
    if opposite is not None and not inside:
        return f"[^{opposite}]"
    raise UnportablePattern(f"{pattern!r} uses \\{letter}, which engines read in different ways")


def _match(expression: re.Pattern[str], pattern: str, at: int) -> re.Match[str]:
    found = expression.match(pattern, at)
    if found is None:
        raise UnportablePattern(f"{pattern!r} ends with a backslash")
    return found


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of JSON Schema for Python."""
    return re.compile(portable(pattern, "python"))
