"""Paths of fields in a record of the standard, and cutting a record down to some of them.

It refuses wildcards and expressions: a path names one field, passes through lists, and may take only those elements
of a list that have one code. What no path names is not in what comes out, not even as an empty object.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_STEP: Final = r"[@a-z][A-Za-z0-9_]*(?:\[[a-z][A-Za-z0-9_]*=[A-Za-z0-9_.-]+\])?"
_PATH: Final = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_PART: Final = re.compile(r"([@a-z][A-Za-z0-9_]*)(?:\[([a-z][A-Za-z0-9_]*)=([A-Za-z0-9_.-]+)\])?")
_NOTHING: Final = object()
Cut = Callable[[Mapping[str, Any]], dict[str, Any]]
_Part = Callable[[object], object]


class BadPathError(ValueError):
    """The text is not a path of fields."""


@dataclass(frozen=True, slots=True)
class Step:
    """One field; with a selection, only objects whose ``key`` holds ``code``."""

    name: str
    key: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path as written and its steps."""

    text: str
    steps: tuple[Step, ...]

    @property
    def plain(self) -> str:
        """The path without its selections."""
        return ".".join(step.name for step in self.steps)


@dataclass(slots=True)
class _Node:
    """What is given below one place of a record."""

    whole: bool = False
    children: dict[str, "_Node"] = field(default_factory=dict)
    selected: list[tuple[str, str, "_Node"]] = field(default_factory=list)


def parse_path(text: str) -> FieldPath:
    """Read a path such as ``identifier[identifier_type=SPID].identifier_value``; raises :class:`BadPathError`."""
    if _PATH.fullmatch(text) is None:
        raise BadPathError("is not a path of fields such as name.surname or identifier[identifier_type=SPID]")
    return FieldPath(text, tuple(Step(*found.groups()) for found in _PART.finditer(text)))


def cutter(paths: Iterable[FieldPath]) -> Cut:
    """Return what makes a new record with the given fields only: made once for a rule, called for each record."""
    root = _Node()
    for path in paths:
        _add(root, path.steps)
    part = _part((root,))

    def cut(record: Mapping[str, Any]) -> dict[str, Any]:
        found = part(record)
        return found if isinstance(found, dict) else {}

    return cut


def _add(node: _Node, steps: Sequence[Step]) -> None:
    for step in steps:
        node = node.children.setdefault(step.name, _Node())
        if step.key is not None and step.code is not None:
            inner = _Node()
            node.selected.append((step.key, step.code, inner))
            node = inner
    node.whole = True


def _part(nodes: Sequence[_Node]) -> _Part:
    """Return what cuts a value; what is whole, or of one shape only, is found out here and not for each record."""
    if any(node.whole for node in nodes):
        return _as_it_is
    of_object = _chosen(nodes) if any(node.selected for node in nodes) else _object(nodes)

    def part(value: object) -> object:
        if isinstance(value, dict):
            return of_object(value)
        if isinstance(value, list):
            return [found for each in value if (found := part(each)) is not _NOTHING] or _NOTHING
        return _NOTHING

    return part


def _chosen(nodes: Sequence[_Node]) -> _Part:
    """Cut each object by the selections that hold for it, besides what is given of all."""
    selected = [each for node in nodes for each in node.selected]
    made: dict[tuple[int, ...], _Part] = {}  # few: one object has one code

    def of_object(value: Any) -> object:  # noqa: ANN401  # an object of JSON
        fits = tuple([place for place, (key, code, _) in enumerate(selected) if value.get(key) == code])
        if fits not in made:
            made[fits] = _object([*nodes, *(selected[place][2] for place in fits)])
        return made[fits](value)

    return of_object


def _object(nodes: Sequence[_Node]) -> _Part:
    if any(node.whole for node in nodes):
        return _as_it_is
    names = {name for node in nodes for name in node.children}
    parts = {name: _part([node.children[name] for node in nodes if name in node.children]) for name in names}

    def of_object(value: Any) -> object:  # noqa: ANN401  # as above
        kept: dict[str, Any] = {}
        for name, content in value.items():
            part = parts.get(name)
            if part is not None and (found := part(content)) is not _NOTHING:
                kept[name] = found
        return kept or _NOTHING

    return of_object


def _as_it_is(value: object) -> object:
    return value


def withheld(targets: Iterable[str], given: Iterable[FieldPath]) -> tuple[str, ...]:
    """Name what a record may have and the given paths leave out, as few and as high paths as say it.

    Args:
        targets: dotted paths of all fields that a record may have, without selections.
        given: what is given.
    """
    paths = tuple(given)
    whole = [path.plain for path in paths if all(step.key is None for step in path.steps)]
    selections = _selections(paths)
    found = {_shown(target, paths, selections) for target in targets if not _covers(whole, target)}
    return tuple(sorted(found))


def _covers(paths: Iterable[str], target: str) -> bool:
    return any(target == path or target.startswith(f"{path}.") for path in paths)


def _shown(target: str, paths: Sequence[FieldPath], selections: Mapping[str, str]) -> str:
    """Go down from the top until nothing that is given lies below."""
    parts = target.split(".")
    for length in range(1, len(parts) + 1):
        prefix = ".".join(parts[:length])
        if prefix in selections:
            return selections[prefix]
        if not any(path.plain == prefix or path.plain.startswith(f"{prefix}.") for path in paths):
            return prefix
    return target


def _selections(paths: Iterable[FieldPath]) -> dict[str, str]:
    """Say for each list of which some elements are given that the others are not."""
    codes: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        for place, step in enumerate(path.steps, start=1):
            if step.key is not None and step.code is not None:
                plain = ".".join(each.name for each in path.steps[:place])
                codes.setdefault((plain, step.key), []).append(step.code)
    return {plain: f"{plain}[{key}!={','.join(dict.fromkeys(found))}]" for (plain, key), found in codes.items()}
