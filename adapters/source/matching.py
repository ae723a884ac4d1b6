"""Compares records that a service answered with what was asked, as a database would.

It refuses what the source does not declare, and never lets a record through that was not asked for.
A path may lead through lists; then one element that fits is enough, as for a further table of a database.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, Final

from adapters.source.comparing import Value, checked
from adapters.source.definition import Attribute, SourceDefinition
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or
from adapters.source.protocol import Record

_ISO_DAY: Final = 10
_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = MappingProxyType(
    {Operator.EQ: eq, Operator.NE: ne, Operator.LT: lt, Operator.LE: le, Operator.GT: gt, Operator.GE: ge}
)


def matches(source: SourceDefinition, where: Filter, record: Record) -> bool:
    """Tell whether a record fits; an attribute without a field was compared by the service alone."""
    match where:
        case And(parts=parts):
            return all(matches(source, part, record) for part in parts)
        case Or(parts=parts):
            return any(matches(source, part, record) for part in parts)
        case Not(part=part):
            return not matches(source, part, record)
        case Comparison():
            attribute, values = checked(source, where)
            found = list(at_path(record, attribute.column)) if attribute.column else []
            return not attribute.column or any(_fits(attribute, where.operator, each, values) for each in found)


def _fits(attribute: Attribute, operator: Operator, found: Any, values: list[Value]) -> bool:  # noqa: ANN401  # as answered
    """A value of another type than the attribute's fits nothing, as NULL does in a database."""
    own = _own(attribute, found)
    if own is None:
        return False
    wanted = [each if isinstance(each, str | int) else each.isoformat() for each in values]
    return own in wanted if operator is Operator.IN else _COMPARE[operator](own, wanted[0])


def _own(attribute: Attribute, found: Any) -> str | int | None:  # noqa: ANN401  # as answered
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    if attribute.type == "integer":
        return found if isinstance(found, int) else None
    return str(found)[:_ISO_DAY] if attribute.type == "date" else str(found)


def at_path(value: Any, path: str) -> Iterator[Any]:  # noqa: ANN401  # any part of an answer
    """Yield what stands at a dotted path, lists passed through."""
    head, _dot, rest = path.partition(".")
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, dict) and head in element:
            if rest:
                yield from at_path(element[head], rest)
            elif isinstance(element[head], list):
                yield from element[head]
            else:
                yield element[head]


def sort_value(record: Record, path: str) -> tuple[int, str | float]:
    """Return what a record is sorted by: what is not there first, then numbers, then texts."""
    value = next(at_path(record, path), None)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return 0, 0
    return (2, value) if isinstance(value, str) else (1, value)
