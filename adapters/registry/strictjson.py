"""Parses JSON that strangers sent.

It refuses what JSON leaves open and programs read differently: repeated names, NaN, lone surrogates, endless nesting.
The registry API parses each request body with it before anything else looks at it.
"""

import json
from math import isfinite
from typing import Any, Final

MAX_DEPTH: Final = 40  # the deepest DCI message is about 12 levels; a query may nest a few more
_APART: Final = (" :", "\t:", "\n:", "\r:")  # white space that may stand between a name and its colon


class BadJson(ValueError):  # noqa: N818  # a ValueError says the rest
    """The bytes are not JSON as the standard needs it; the message repeats none of them."""


def parse(data: bytes) -> object:
    """Return the parsed value; raises :class:`BadJson`."""
    try:
        text = data.decode("utf-8")
        value: object = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if _may_repeat(text, _names(value, MAX_DEPTH)):
            json.loads(text, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise BadJson("the body is not UTF-8") from error
    except RecursionError as error:
        raise BadJson("the body is nested too deeply") from error
    except BadJson:
        raise
    except ValueError as error:
        # `from None`: the library's error carries the whole document.
        raise BadJson(f"the body is not JSON ({_place(error)})") from None
    if "\\u" in text and not _is_encodable(value):
        raise BadJson("the body has half of a surrogate pair")
    return value


def _names(value: object, left: int) -> int:
    """Count the members of all objects; raises :class:`BadJson` where there are more levels than are left."""
    if type(value) is dict:
        found, inner = len(value), iter(value.values())
    elif type(value) is list:
        found, inner = 0, iter(value)
    else:
        return 0
    if left == 0:
        raise BadJson("the body is nested too deeply")
    for each in inner:
        kind = type(each)
        if kind is dict or kind is list:
            found += _names(each, left - 1)
    return found


def _may_repeat(text: str, names: int) -> bool:
    """Tell whether an object may name a field twice: of such a one, fewer names are left than the text has.

    A name ends in a quote and a colon, and these stand in a text elsewhere only within values: where there are as many
    as names, none is lost. To have each object compared as it is parsed takes longer than to parse.
    """
    return text.count('":') != names or any(each in text for each in _APART)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two members of one name let a signature check and a query read different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("an object names a field twice")
    return found


def _no_constant(_name: str) -> object:
    raise BadJson("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise BadJson("a number is too large")
    return value


def _place(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "a number is too long"


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
