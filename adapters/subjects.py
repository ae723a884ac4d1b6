"""The persons and households that a record of the standard names: each by the identifiers that stand in one list.

It refuses to know any registry: wherever a record holds ``identifier_type`` and ``identifier_value``, that is one.
Least data asks whose consent covers a record, and the access record asks whom a record was about.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class PersonId(NamedTuple):
    """One identifier: its type, such as ``SPID``, and its value, which is personal."""

    kind: str
    value: str


def identities(record: object) -> Iterator[frozenset[PersonId]]:
    """Yield the identifiers of each person or group in a record: those that stand in one list are of one."""
    if isinstance(record, dict):
        yield from _of_object(record)
    elif isinstance(record, list):
        own = frozenset(found for found in map(_identifier, record) if found is not None)
        if own:
            yield own
        else:
            for each in record:
                yield from identities(each)


def _of_object(record: dict[str, object]) -> Iterator[frozenset[PersonId]]:
    """A member's own identifiers and those of the person that it is, are of one."""
    person = record.get("demographic_info")
    parts = [record.get("member_identifier"), person.get("identifier") if isinstance(person, dict) else None]
    own = frozenset(found for part in parts if isinstance(part, list) for found in map(_identifier, part) if found)
    if own:
        yield own
    for key, value in record.items():
        if not own or key != "member_identifier":
            yield from identities(value)


def identifiers(record: dict[str, Any] | list[Any]) -> frozenset[PersonId]:
    """All identifiers in a record: those of :func:`identities`, found in one walk without a set for each person."""
    found: set[PersonId] = set()
    _walk(record, found)
    return frozenset(found)


def _walk(value: dict[str, Any] | list[Any], found: set[PersonId]) -> None:
    """Loops are written out: a first load looks through a million records."""
    if type(value) is dict:
        for each in value.values():
            if type(each) is dict or type(each) is list:
                _walk(each, found)
        return
    named = False
    for each in value:
        if type(each) is dict:
            kind, number = each.get("identifier_type"), each.get("identifier_value")
            if isinstance(kind, str) and isinstance(number, str):
                found.add(PersonId(kind, number))
                named = True
    for each in value if not named else ():
        if type(each) is dict or type(each) is list:
            _walk(each, found)


def _identifier(value: object) -> PersonId | None:
    if not isinstance(value, dict):
        return None
    kind, number = value.get("identifier_type"), value.get("identifier_value")
    return PersonId(kind, number) if isinstance(kind, str) and isinstance(number, str) else None
