"""Shows one record before and after: each value of the standard, the rule that wrote it, and what the source had there.

It holds personal values, and only for whoever asked to see this record; it never logs them.
``spean adapter try`` prints what it finds; records that are served are never traced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.errors import RecordError
from adapters.mapping.engine import CompiledMapping, leaf_paths, watched
from adapters.mapping.model import MISSING, ConstantRule, Ignored, ValueRule
from adapters.mapping.paths import Record, WrongShape, reader


@dataclass(frozen=True, slots=True)
class Line:
    """One value of the turned record and where it comes from; ``read`` are the values at the rule's source paths."""

    path: str
    value: Any
    rule: str
    source: str
    read: tuple[Any, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Silent:
    """A rule that wrote nothing, and what it read."""

    rule: str
    source: str
    read: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of one record: the record, or why there is none."""

    record: Record | None
    error: RecordError | None
    lines: tuple[Line, ...]
    silent: tuple[Silent, ...]
    ignored: tuple[tuple[Ignored, Any], ...]


def trace(compiled: CompiledMapping, record: Record) -> Trace:
    """Map one record and keep what each rule did."""
    watch, error = _Watch(), None
    turned: Record = {}
    try:
        watched(compiled, watch).run(record, turned)
    except RecordError as problem:
        error = problem  # what was written before it is shown all the same
    lines = tuple(watch.lines(turned))
    ignored = tuple((each, list(_values(record, each.path))) for each in compiled.mapping.ignored)
    return Trace(None if error is not None else turned, error, lines, tuple(watch.silent), ignored)


class _Watch:
    """Remembers which rule wrote which member of which object."""

    def __init__(self) -> None:
        self._wrote: dict[tuple[int, str], tuple[ValueRule | ConstantRule, str, tuple[Any, ...]]] = {}
        self._kept: list[Record] = []  # an object that were let go could give its identity to the next one
        self.silent: list[Silent] = []

    def ran(self, rule: ValueRule | ConstantRule, source: str, scope: Any, target: Record) -> None:  # noqa: ANN401  # a part of a record
        """Find what the rule wrote."""
        paths = rule.sources if isinstance(rule, ValueRule) else ()
        read = tuple(_at(scope, each) for each in paths)
        received = rule.received if isinstance(rule, ValueRule) else None
        written = [found for path in (rule.to, received) if path and (found := _place(target, path)) is not None]
        for holder, key in written:
            self._kept.append(holder)
            self._wrote[id(holder), key] = (rule, source, read)
        if not written:
            self.silent.append(Silent(rule.label, source, read))

    def coded(self, rule: ValueRule, source: str, code_list: str, code: object, *, known: bool) -> bool:  # noqa: ARG002  # a watch's
        """Let an unknown code be the error that it is."""
        return False

    def lines(self, value: Any, path: str = "") -> Iterator[Line]:  # noqa: ANN401  # as above
        """Yield each leaf of the turned record in its order."""
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            found = self._wrote.get((id(value), key))
            if found is not None:
                rule, source, read = found
                yield Line(here, inner, rule.label, source, read, _steps(rule))
            elif isinstance(inner, dict):
                yield from self.lines(inner, here)
            elif isinstance(inner, list):
                for number, element in enumerate(inner):
                    yield from self.lines(element, f"{here}[{number}]")


def _place(target: Record, path: str) -> tuple[Record, str] | None:
    *parents, last = path.split(".")
    for part in parents:
        inner = target.get(part)
        if not isinstance(inner, dict):
            return None
        target = inner
    return (target, last) if last in target else None


def _steps(rule: ValueRule | ConstantRule) -> tuple[str, ...]:
    if isinstance(rule, ConstantRule):
        return ("constant",)
    return tuple(each.name for each in rule.transforms)


def _at(scope: Any, path: str) -> Any:  # noqa: ANN401  # as above
    try:
        return reader(path)(scope)
    except WrongShape:
        return MISSING


def _values(record: Record, path: str) -> Iterator[Any]:
    """Yield what stands at an ignored path, lists passed through."""
    if not any(each == path or each.startswith(f"{path}.") for each in leaf_paths(record)):
        return
    yield from _inside(record, path.split("."))


def _inside(value: Any, parts: list[str]) -> Iterator[Any]:  # noqa: ANN401  # as above
    if isinstance(value, list):
        for each in value:
            yield from _inside(each, parts)
    elif not parts:
        yield value
    elif isinstance(value, dict) and parts[0] in value:
        yield from _inside(value[parts[0]], parts[1:])
