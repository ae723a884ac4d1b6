"""What a mapping says, as frozen data, and the sentinel for what a source does not have.

It refuses to run anything; :mod:`adapters.mapping.load` builds these from YAML and :mod:`adapters.mapping.engine`
compiles them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, NewType

Path = NewType("Path", str)
Scalar = str | int | float | bool


class Missing(Enum):
    """The type of :data:`MISSING`: a field that a source does not have, which is neither null nor empty."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
_CHOICE: Final = re.compile(r"\[[^\]]*\]")
OWN: Final = "."  # the path of an element itself, in a list of texts or numbers


class Action(StrEnum):
    """What a rule does when there is no value."""

    ERROR = "error"
    OMIT = "omit"
    NULL = "null"
    DEFAULT = "default"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule does for each of the three ways in which a value can be absent."""

    on_missing: Action
    on_null: Action
    on_empty: Action
    default: Scalar | None


@dataclass(frozen=True, slots=True)
class Transform:
    """One step of a closed list; ``argument`` is what the mapping gives it."""

    name: str
    argument: object


@dataclass(frozen=True, slots=True)
class ValueRule:
    """One or more source paths → transforms → one target path."""

    label: str
    to: Path
    sources: tuple[Path, ...]
    transforms: tuple[Transform, ...]
    policy: Policy
    received: Path | None = None  # where the text stands as it came, if normalising changed it


@dataclass(frozen=True, slots=True)
class ConstantRule:
    """A value that is the same for each record."""

    label: str
    to: Path
    value: Scalar


class Kind(StrEnum):
    """How a nested rule walks its source path."""

    EACH = "each"  # one object of a list per element of the source list
    FIRST = "first"  # one object from the first element that ``where`` holds for
    APPEND_WHEN = "append_when"  # one object of a list, when the source path has a value


@dataclass(frozen=True, slots=True)
class Where:
    """Holds for an element whose value at ``path`` is ``equals``."""

    path: Path
    equals: Scalar


@dataclass(frozen=True, slots=True)
class NestedRule:
    """Rules that build an object of their own."""

    label: str
    kind: Kind
    to: Path
    source: Path
    where: Where | None
    policy: Policy
    rules: tuple["Rule", ...]


Rule = ValueRule | ConstantRule | NestedRule


@dataclass(frozen=True, slots=True)
class Ignored:
    """A source field that the standard does not get, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping file; with ``takes`` the contract is what it reads, and the local record what it writes."""

    file: str
    name: str
    version: str
    contract: str
    contract_version: str
    code_lists: dict[str, dict[str, str]]
    rules: tuple[Rule, ...]
    ignored: tuple[Ignored, ...]
    takes: bool = False


def walk(rules: tuple[Rule, ...], source: str = "", target: str = "") -> Iterator[tuple[Rule, str, str]]:
    """Yield each rule with the source and target prefix that its paths are relative to."""
    for rule in rules:
        yield rule, source, target
        if isinstance(rule, NestedRule):
            inner = source if rule.kind is Kind.APPEND_WHEN else join(source, rule.source)
            yield from walk(rule.rules, inner, join(target, rule.to))


def written_by(rule: Rule) -> tuple[Path, ...]:
    """Return the target paths that a rule may write, within its scope."""
    received = rule.received if isinstance(rule, ValueRule) else None
    return (rule.to,) if received is None else (rule.to, received)


def plain(path: str) -> str:
    """Return a path without what chooses elements of lists."""
    return _CHOICE.sub("", path) if "[" in path else path


def chosen_by(path: str) -> Iterator[str]:
    """Yield the fields by which a path chooses elements of lists."""
    for found in _CHOICE.finditer(path):
        key, equals, _code = found[0][1:-1].partition("=")
        if equals:
            yield f"{plain(path[: found.start()])}.{key}"


def join(prefix: str, path: str) -> str:
    """Join two dotted paths; a path that is one dot is what the prefix names itself."""
    if path == OWN:
        return prefix
    return f"{prefix}.{path}" if prefix else path
