"""Who asks, for which purpose and on which ground: what a decision about least data needs.

It refuses to decide; it reads DCI's ``consent`` and ``authorize`` with the two members that this project adds to a
consent (``given_by``, ``valid_until``), because DCI says neither who gave it nor how long it holds.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.subjects import PersonId

_SPACES = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Purpose:
    """DCI's consent or authorize object: when it was given and what for, by whom and until when."""

    at: datetime | None
    code: str | None
    text: str | None
    ref_uri: str | None
    given_by: PersonId | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The circumstances of one search; ``client`` is who the bus or a token says it is."""

    client: str
    locale: str | None
    consent: Purpose | None
    authorize: Purpose | None


def read_purpose(data: object) -> Purpose | None:
    """Read a consent or authorize object; None when the request has none, and what cannot be read is not there."""
    if not isinstance(data, dict):
        return None
    purpose = data.get("purpose")
    words: dict[str, Any] = purpose if isinstance(purpose, dict) else {}
    return Purpose(
        at=_time(data.get("ts")),
        code=_text(words.get("code")),
        text=_text(words.get("text")),
        ref_uri=_text(words.get("ref_uri")),
        given_by=_person(data.get("given_by")),
        valid_until=_time(data.get("valid_until")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip(_SPACES) else None


def _time(value: object) -> datetime | None:
    """Only a time with a zone: without it nobody knows when a consent ends."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.utcoffset() is not None else None


def _person(value: object) -> PersonId | None:
    if not isinstance(value, dict):
        return None
    kind, number = value.get("identifier_type"), value.get("identifier_value")
    if not isinstance(kind, str) or not isinstance(number, str) or not number.strip(_SPACES):
        return None
    return PersonId(kind, number)
