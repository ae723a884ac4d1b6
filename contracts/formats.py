"""Formats that the standard enforces: timestamps with a zone, and absolute URIs.

It refuses the optional packages that JSON Schema implementations use, because a format that is checked only where
a package happens to be installed is no rule. The validator hands strings in; anything else passes, as JSON Schema says.
"""

import re
from datetime import datetime

from jsonschema import FormatChecker

# RFC 3339, section 5.6, without leap seconds: Python and SQL cannot hold second 60, so it could not be stored anyway.
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]+")

CHECKER = FormatChecker(formats=())


@CHECKER.checks("date-time")
def is_date_time(value: object) -> bool:
    """Tell whether a string is an RFC 3339 timestamp with its zone and a day that exists."""
    if not isinstance(value, str):
        return True
    return _DATE_TIME.fullmatch(value) is not None and _exists(value.upper())


@CHECKER.checks("uri")
def is_uri(value: object) -> bool:
    """Tell whether a string is an absolute URI of RFC 3986's characters."""
    return not isinstance(value, str) or _URI.fullmatch(value) is not None


def _exists(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
