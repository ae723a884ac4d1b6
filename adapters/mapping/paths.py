"""Turns the dotted paths of a mapping into functions that read a record and write into one.

It refuses paths that lead through something that is not an object, and never repeats what stands there.
:mod:`adapters.mapping.compiler` makes rules of these; each is called once for each rule and record.
"""

from collections.abc import Callable
from typing import Any

from adapters.mapping.model import MISSING, OWN

Record = dict[str, Any]
Read = Callable[[Any], Any]
Write = Callable[[Record, Any], None]


class WrongShape(Exception):  # noqa: N818  # never leaves the engine
    """A path leads through something that is not an object, or a list is needed and not there."""


def reader(path: str) -> Read:
    """Return what reads a path: MISSING where it is not there, null where something on the way is null."""
    if path == OWN:
        return lambda scope: scope
    first, *rest = path.split(".")

    def read(scope: Any) -> Any:  # noqa: ANN401  # whatever the source holds
        if not isinstance(scope, dict):
            raise WrongShape(f"{first} is looked for in something that is not an object")
        value = scope.get(first, MISSING)
        for part in rest:
            if value is None or value is MISSING:
                return value
            if not isinstance(value, dict):
                raise WrongShape(f"{part} is looked for in something that is not an object")
            value = value.get(part, MISSING)
        return value

    return read


def writer(path: str) -> Write:
    """Return what writes at a path, making the objects on the way."""
    *parents, last = path.split(".")

    def write(target: Record, value: Any) -> None:  # noqa: ANN401  # as above
        for part in parents:
            target = target.setdefault(part, {})
        target[last] = value

    return write


def list_maker(path: str) -> Callable[[Record], list[Record]]:
    """Return what gives the list at a path, a new one where there is none."""
    *parents, last = path.split(".")

    def list_at(target: Record) -> list[Record]:
        for part in parents:
            target = target.setdefault(part, {})
        found: list[Record] = target.setdefault(last, [])
        return found

    return list_at
