"""What an event does not say of a person: it stays as it was, because an owner gives only what its release declares.

It refuses to take a field that was not sent for one that is empty. What the owner emptied, and who went out of a
household's list, stands in the event's changes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from adapters.capture.difference import identifiers_of
from adapters.crosswalk.people import Number, Person
from adapters.events import Change

# What is said together: a day of birth says the year as well.
_SAID_TOGETHER: Final = (
    ("surname",),
    ("given",),
    ("surname_latin",),
    ("given_latin",),
    ("sex",),
    ("born", "year"),
    ("village",),
    ("replaced_by",),
)


def as_before(record: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return a record with what the changes took out of it put back; what they added stays."""
    found: Any = record
    for each in changes:
        if each.old is not None:
            found = _put_back(found, each.field.split("."), each)
    return found if isinstance(found, dict) else record


def completed(now: Person, was: Person | None, kept: Person | None) -> Person:
    """Return a person as an event has it, and where it says nothing, as the person is kept.

    Args:
        now: as the event has the person.
        was: the same with what the event says was emptied; None when it says nothing of that.
        kept: as it is here; None when the person is new.
    """
    if kept is None:
        return now
    saying = [each for each in (now, was) if each is not None]
    values: dict[str, Any] = {}
    for names in _SAID_TOGETHER:
        if not any(getattr(each, name) for each in saying for name in names):
            values |= {name: getattr(kept, name) for name in names}
    for name in ("numbers", "cards", "elsewhere"):
        said = frozenset((each.kind, each.registry) for one in saying for each in getattr(one, name))
        values[name] = _numbers(getattr(now, name), said, getattr(kept, name))
    return replace(now, **values)


def _numbers(
    now: Sequence[Number], said: frozenset[tuple[str, str]], kept: Sequence[Number]
) -> tuple[Number, ...]:  # fmt: skip
    """Keep the numbers of whose type nothing is said, and the order, so that the same numbers are no news."""
    stay = [each for each in kept if each in now or (each.kind, each.registry) not in said]
    return (*stay, *(each for each in now if each not in stay))


def _put_back(value: Any, parts: list[str], change: Change) -> Any:  # noqa: ANN401  # a part of a record
    if not parts:
        is_element = isinstance(value, list) and not isinstance(change.old, list)
        return [*value, change.old] if is_element else change.old
    if isinstance(value, list):
        return [_put_back(each, parts, change) if _is_meant(each, change) else each for each in value]
    there = value if isinstance(value, dict) else {}
    return there | {parts[0]: _put_back(there.get(parts[0]), parts[1:], change)}


def _is_meant(element: Any, change: Change) -> bool:  # noqa: ANN401  # as above
    """Tell whether an element, or something in it, has the identifier that the change names."""
    if isinstance(element, list):
        return any(_is_meant(each, change) for each in element)
    if not isinstance(element, dict):
        return False
    return change.of in identifiers_of(element) or any(_is_meant(each, change) for each in element.values())
