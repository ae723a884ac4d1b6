"""Formats that the standard enforces: timestamps with a zone, absolute URIs, codes of real places, normalised text.

It refuses the optional packages that JSON Schema implementations use, because a format that is checked only where
a package happens to be installed is no rule. A format is one pattern, which every engine reads alike, or a look-up in
data of the standard; strings are checked, anything else passes, as JSON Schema says.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from jsonschema import FormatChecker

from contracts import ncdd
from contracts.khmer import normalise

# RFC 3339, section 5.6, without leap seconds: Python and SQL cannot hold second 60, so it could not be stored anyway.
# The day exists: 28 days in each month, then the longer months, then 29 February of leap years. There is no year 0.
_YEAR: Final = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_BY_FOUR: Final = "(?:0[48]|[2468][048]|[13579][26])"
_LEAP_YEAR: Final = f"(?:[0-9]{{2}}{_BY_FOUR}|{_BY_FOUR}00)"
_DAY: Final = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP_YEAR}-02-29)"
)
_HOUR: Final = "(?:[01][0-9]|2[0-3])"
_TIME: Final = rf"{_HOUR}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_HOUR}:[0-5][0-9])"
_URI: Final = r"[A-Za-z][A-Za-z0-9+.-]*:[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]+"

PATTERNS: Final[Mapping[str, str]] = MappingProxyType({"date-time": f"^{_DAY}[Tt]{_TIME}$", "uri": f"^{_URI}$"})


def is_normalised(value: object) -> bool:
    """Tell whether a text is already what :func:`contracts.khmer.normalise` makes of it."""
    return not isinstance(value, str) or normalise(value) == value


LOOK_UPS: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {**ncdd.FORMATS, "normalised": is_normalised}
)
NAMES: Final = frozenset({*PATTERNS, *LOOK_UPS})
CHECKER: Final = FormatChecker(formats=())
for _name, _check in LOOK_UPS.items():
    CHECKER.checks(_name)(_check)


def _fits(text: str, name: str) -> bool:
    return re.fullmatch(PATTERNS[name][1:-1], text) is not None


@CHECKER.checks("date-time")
def is_date_time(value: object) -> bool:
    """Tell whether a string is an RFC 3339 timestamp with its zone and a day that exists."""
    return not isinstance(value, str) or _fits(value, "date-time")


@CHECKER.checks("uri")
def is_uri(value: object) -> bool:
    """Tell whether a string is an absolute URI of RFC 3986's characters."""
    return not isinstance(value, str) or _fits(value, "uri")
