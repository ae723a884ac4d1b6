"""What is different between two states of a record: fields with old and new value, by the paths of their contract.

It refuses to guess which element of a list became which: elements are compared one by one only where each has an
identifier of its own, else the list is one field. Both states are cut before they come here, so that nothing leaves
that the receiver may not have.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from adapters.events import Change
from adapters.mapping.model import join

Record = dict[str, Any]
_Id = tuple[str, str]
_OWN: Final = ("member_identifier", "group_identifier", "identifier")  # of a person, a household, an entry or a card


def changes(old: Record, new: Record) -> tuple[Change, ...]:
    """Return the changes that make ``new`` of ``old``, in the order of the fields."""
    return tuple(_of_objects(old, new, "", None))


def ended(old: Record) -> tuple[Change, ...]:
    """Return the changes of a record that is gone: each of its fields, whole."""
    return tuple(Change(name, value, None) for name, value in old.items())


def _of_objects(old: Record, new: Record, prefix: str, of: _Id | None) -> Iterator[Change]:
    for name in (*new, *(each for each in old if each not in new)):
        path = join(prefix, name)
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _of_objects(before, after, path, of)
        elif isinstance(before, list) and isinstance(after, list):
            yield from _of_lists(before, after, path, of)
        else:
            yield Change(path, before, after, of)


def _of_lists(old: list[Any], new: list[Any], path: str, of: _Id | None) -> Iterator[Change]:
    pairs = _pairs(old, new)
    if pairs is None:
        yield Change(path, old, new, of)
        return
    for before, after, name in pairs:
        if before is None or after is None:
            yield Change(path, before, after, name)
        else:
            yield from _of_objects(before, after, path, name)


def _pairs(old: list[Any], new: list[Any]) -> list[tuple[Record | None, Record | None, _Id]] | None:
    """Pair the elements that share an identifier; None where that is not clear, or where others changed places."""
    places = _places(old)
    if places is None or _places(new) is None:
        return None
    pairs: list[tuple[Record | None, Record | None, _Id]] = []
    used: list[int] = []
    for element in new:
        names = identifiers_of(element)
        shared = [name for name in names if name in places]
        found = {places[name] for name in shared}
        if len(found) > 1:
            return None
        used += found
        pairs.append((old[used[-1]] if found else None, element, (shared or names)[0]))
    if used != sorted(set(used)):
        return None
    gone = (each for place, each in enumerate(old) if place not in set(used))
    return [*pairs, *((each, None, identifiers_of(each)[0]) for each in gone)]


def _places(elements: Sequence[Any]) -> dict[_Id, int] | None:
    """Tell where each identifier stands; None when an element has none, or two have the same one."""
    found: dict[_Id, int] = {}
    for place, element in enumerate(elements):
        names = identifiers_of(element)
        if not names or any(name in found for name in names):
            return None
        found.update(dict.fromkeys(names, place))
    return found


def identifiers_of(element: Any) -> tuple[_Id, ...]:  # noqa: ANN401  # an element of any list
    """Return the identifiers of an object itself, not those of what it contains; a person's are its own."""
    if not isinstance(element, dict):
        return ()
    person = element.get("demographic_info")
    parts = [element.get(name) for name in _OWN] + [person.get("identifier") if isinstance(person, dict) else None]
    listed = (each for part in parts for each in (part if isinstance(part, list) else [part]))
    pairs = ((each.get("identifier_type"), each.get("identifier_value")) for each in listed if isinstance(each, dict))
    return tuple(
        dict.fromkeys((kind, value) for kind, value in pairs if isinstance(kind, str) and isinstance(value, str))
    )
