"""Paths of fields in a record of the standard, and cutting a record down to some of them.

It refuses wildcards and expressions: a path names one field, passes through lists, and may take only those elements
of a list that have one code. What no path names is not in what comes out, not even as an empty object.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_STEP: Final = r"[@a-z][A-Za-z0-9_]*(?:\[[a-z][A-Za-z0-9_]*=[A-Za-z0-9_.-]+\])?"
_PATH: Final = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_PART: Final = re.compile(r"([@a-z][A-Za-z0-9_]*)(?:\[([a-z][A-Za-z0-9_]*)=([A-Za-z0-9_.-]+)\])?")
_NOTHING: Final = object()


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
class Node:
    """What is given below one place of a record."""

    whole: bool = False
    children: dict[str, "Node"] = field(default_factory=dict)
    selected: list[tuple[str, str, "Node"]] = field(default_factory=list)


def parse_path(text: str) -> FieldPath:
    """Read a path such as ``identifier[identifier_type=SPID].identifier_value``; raises :class:`BadPathError`."""
    if _PATH.fullmatch(text) is None:
        raise BadPathError("is not a path of fields such as name.surname or identifier[identifier_type=SPID]")
    return FieldPath(text, tuple(Step(*found.groups()) for found in _PART.finditer(text)))


def tree(paths: Iterable[FieldPath]) -> Node:
    """Join paths into what :func:`give` follows."""
    root = Node()
    for path in paths:
        _add(root, path.steps)
    return root


def _add(node: Node, steps: Sequence[Step]) -> None:
    for step in steps:
        node = node.children.setdefault(step.name, Node())
        if step.key is not None and step.code is not None:
            inner = Node()
            node.selected.append((step.key, step.code, inner))
            node = inner
    node.whole = True


def give(record: Mapping[str, Any], node: Node) -> dict[str, Any]:
    """Return a new record with the given fields only."""
    found = _cut(record, (node,))
    return found if isinstance(found, dict) else {}


def _cut(value: object, nodes: Sequence[Node]) -> object:
    """Loops are written out: a first load cuts a million records, and a generator costs more than what it finds."""
    for node in nodes:
        if node.whole:
            return value
    if isinstance(value, list):
        kept = [found for item in value if (found := _cut(item, nodes)) is not _NOTHING]
        return kept or _NOTHING
    return _cut_object(value, _chosen(value, nodes)) if isinstance(value, dict) else _NOTHING


def _chosen(value: Mapping[str, Any], nodes: Sequence[Node]) -> Sequence[Node]:
    inner = [found for node in nodes if node.selected for key, code, found in node.selected if value.get(key) == code]
    return [*nodes, *inner] if inner else nodes


def _cut_object(value: dict[str, Any], nodes: Sequence[Node]) -> object:
    for node in nodes:
        if node.whole:
            return value
    kept: dict[str, Any] = {}
    for key, content in value.items():
        below = [node.children[key] for node in nodes if key in node.children]
        found = _cut(content, below) if below else _NOTHING
        if found is not _NOTHING:
            kept[key] = found
    return kept or _NOTHING


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
