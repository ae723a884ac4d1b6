"""Turns the dotted paths of a mapping into functions that read a record and write into one.

It refuses paths that lead through something that is not an object, and never repeats what stands there.
:mod:`adapters.mapping.compiler` makes rules of these; each is called once for each rule and record.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from adapters.mapping.model import MISSING, OWN

Record = dict[str, Any]
Read = Callable[[Any], Any]
Write = Callable[[Record, Any], None]
_STEP: Final = re.compile(r"([A-Za-z_]\w*)(?:\[(?:(first)|([\w.]+)=([^\]]+))\])?", re.ASCII)


class WrongShape(Exception):  # noqa: N818  # never leaves the engine
    """A path leads through something that is not an object, or a list is needed and not there."""


def reader(path: str) -> Read:
    """Return what reads a path: MISSING where it is not there, null where something on the way is null."""
    if path == OWN:
        return lambda scope: scope
    if "[" in path:
        return _choosing(path)
    first, *rest = path.split(".")
    if not rest:
        return _member(first)
    slow, (*between, last) = _walking(first, rest), rest

    def read(scope: Any) -> Any:  # noqa: ANN401  # whatever the source holds
        value = scope.get(first) if type(scope) is dict else None
        for part in between:
            if type(value) is not dict:
                return slow(scope)
            value = value.get(part)
        return value.get(last, MISSING) if type(value) is dict else slow(scope)

    return read


def _walking(first: str, rest: list[str]) -> Read:
    """Read a path step by step, where on the way stands something else than the object that stands there mostly."""

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
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


def _member(name: str) -> Read:
    """Read a path of one part, as most are."""

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        if isinstance(scope, dict):
            return scope.get(name, MISSING)
        raise WrongShape(f"{name} is looked for in something that is not an object")

    return read


def _choosing(path: str) -> Read:
    """Read a path that takes one element of a list: ``list[first].x``, or ``list[key=code].x``."""
    steps = tuple(_steps(path))

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        for step in steps:
            if scope is None or scope is MISSING:
                return scope
            if not isinstance(scope, dict):
                raise WrongShape("a field is looked for in something that is not an object")
            scope = step(scope)
        return scope

    return read


def _steps(path: str) -> Iterator[Read]:
    """Yield the steps of a path; names that follow each other are one."""
    names: list[str] = []
    for found in _STEP.finditer(path):
        name, first, key, code = found.groups()
        if first is None and key is None:
            names.append(name)
            continue
        if names:
            yield reader(".".join(names))
            names = []
        yield _chooser(name, None if key is None else _saying(tuple(key.split(".")), code))
    if names:
        yield reader(".".join(names))


def _chooser(name: str, says: Callable[[Any], bool] | None) -> Read:
    def step(scope: Any) -> Any:  # noqa: ANN401  # as above
        found = scope.get(name, MISSING)
        if found is MISSING or found is None:
            return found
        if not isinstance(found, list):
            raise WrongShape(f"{name} is not a list")
        for each in found:
            if says is None or says(each):
                return each
        return MISSING

    return step


def _saying(keys: tuple[str, ...], code: str) -> Callable[[Any], bool]:
    first, *rest = keys

    def says(value: Any) -> bool:  # noqa: ANN401  # as above
        if rest or type(value) is not dict:
            return _says(value, keys, code)
        said = value.get(first)
        return bool(said == code) if type(said) is str else _says(said, (), code)

    return says


def _says(value: Any, keys: tuple[str, ...], code: str) -> bool:  # noqa: ANN401  # as above
    """Tell whether a code stands at a path, lists passed through."""
    if isinstance(value, list):
        return any(_says(each, keys, code) for each in value)
    if not keys:
        return isinstance(value, str) and value == code
    return isinstance(value, dict) and _says(value.get(keys[0]), keys[1:], code)


def writer(path: str) -> Write:
    """Return what writes at a path, making the objects on the way."""
    *parents, last = path.split(".")

    def write_member(target: Record, value: Any) -> None:  # noqa: ANN401  # as above
        target[last] = value

    def write(target: Record, value: Any) -> None:  # noqa: ANN401  # as above
        for part in parents:
            target = target.setdefault(part, {})
        target[last] = value

    return write if parents else write_member


def list_maker(path: str) -> Callable[[Record], list[Record]]:
    """Return what gives the list at a path, a new one where there is none."""
    *parents, last = path.split(".")

    def list_at(target: Record) -> list[Record]:
        for part in parents:
            target = target.setdefault(part, {})
        found: list[Record] = target.setdefault(last, [])
        return found

    return list_at
