"""Renders a filter as parameterised SQL over the attributes that a source declares.

It refuses attributes, operators, values and codes that the source does not declare, and a search that no index narrows;
no text of a caller ever becomes SQL text. Pure: it needs no database.
"""

from collections.abc import Callable, Mapping
from datetime import date
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, column, func, literal_column, not_, or_, select, table

from adapters.errors import SearchRejected
from adapters.source.definition import Attribute, SourceDefinition
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query

INVALID: Final = "rjct.search_criteria.invalid"
TOO_MANY: Final = "rjct.search.too_many_records_found"
MAX_STRING: Final = 255  # no identifier, code or name of a registry is longer; a longer one only costs memory
INT64: Final = range(-(2**63), 2**63)  # what a database's integer holds; more raises inside the driver
_ISO_DAY: Final = 10
_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = MappingProxyType(
    {Operator.EQ: eq, Operator.NE: ne, Operator.LT: lt, Operator.LE: le, Operator.GT: gt, Operator.GE: ge}
)


def page_statement(source: SourceDefinition, query: Query) -> Select[Any]:
    """Select the root's key and columns for one page, in an order that is the same on every page."""
    root = source.root
    wanted: list[ColumnElement[Any]] = [
        column(root.key),
        *(column(field.column) for field in root.fields),
        *(column(o.parent) for o in source.ones),
    ]
    order = [_order(source, key.attribute, descending=key.descending) for key in query.sort]
    statement = select(*wanted).select_from(table(root.table)).where(condition(source, query.where))
    return statement.order_by(*order, column(root.key)).limit(query.limit).offset(query.offset)


def count_statement(source: SourceDefinition, query: Query) -> Select[Any]:
    """Count the matches, at most one more than are allowed, so that counting never scans a registry."""
    matches: Select[Any] = (
        select(literal_column("1")).select_from(table(source.root.table)).where(condition(source, query.where))
    )
    return select(func.count()).select_from(matches.limit(query.max_matches + 1).subquery())


def refuse_scan(source: SourceDefinition, where: Filter) -> None:
    """Raise :class:`SearchRejected` unless an indexed attribute narrows the search."""
    if not _selective(source, where):
        names = ", ".join(sorted(name for name, each in source.attributes.items() if each.selective))
        raise SearchRejected(TOO_MANY, f"this would read the whole registry: add a condition on one of {names}")


def condition(source: SourceDefinition, where: Filter) -> ColumnElement[bool]:
    """Render a filter; raises :class:`SearchRejected` for what the source does not declare."""
    match where:
        case And(parts=parts):
            return and_(*(condition(source, part) for part in parts))
        case Or(parts=parts):
            return or_(*(condition(source, part) for part in parts))
        case Not(part=part):
            return not_(condition(source, part))
        case Comparison():
            return _comparison(source, where)


def attribute_of(source: SourceDefinition, name: str) -> Attribute:
    """Return a declared attribute; raises :class:`SearchRejected`."""
    try:
        return source.attributes[name]
    except KeyError:
        known = ", ".join(sorted(source.attributes))
        raise SearchRejected(INVALID, f"the registry has no such attribute; it has {known}") from None


def _comparison(source: SourceDefinition, where: Comparison) -> ColumnElement[bool]:
    attribute = attribute_of(source, where.attribute)
    if where.operator not in attribute.operators:
        allowed = ", ".join(sorted(attribute.operators))
        raise SearchRejected(INVALID, f"{attribute.name} can be compared with {allowed}, not {where.operator}")
    values = [_value(attribute, each) for each in where.values]
    own = _compare(column(attribute.column), where.operator, values)
    if attribute.table is None or attribute.key is None:
        return own
    rows: Select[Any] = select(column(attribute.key)).select_from(table(attribute.table)).where(own)
    return column(source.root.key).in_(rows)


def _compare(left: ColumnElement[Any], operator: Operator, values: list[str | int]) -> ColumnElement[bool]:
    if operator is Operator.IN:
        return left.in_(values)
    compared: ColumnElement[bool] = _COMPARE[operator](left, values[0])
    return compared


def _value(attribute: Attribute, value: object) -> str | int:
    if attribute.type == "integer":
        if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
            raise SearchRejected(INVALID, f"{attribute.name} is compared with a whole number")
        return value
    if not isinstance(value, str) or not 0 < len(value) <= MAX_STRING:
        raise SearchRejected(INVALID, f"{attribute.name} is compared with text of 1 to {MAX_STRING} characters")
    if attribute.type == "date":
        return _day(attribute, value)
    return value if attribute.codes is None else _code(attribute, attribute.codes, value)


def _day(attribute: Attribute, value: str) -> str:
    """Take the day of a timestamp as it is written: the standard writes days as midnight in Cambodia."""
    try:
        return date.fromisoformat(value[:_ISO_DAY]).isoformat()
    except ValueError:
        raise SearchRejected(INVALID, f"{attribute.name} is compared with a day or timestamp (ISO 8601)") from None


def _code(attribute: Attribute, codes: Mapping[str, str], value: str) -> str:
    try:
        return codes[value]
    except KeyError:
        raise SearchRejected(INVALID, f"{attribute.name} is one of {', '.join(sorted(codes))}") from None


def _selective(source: SourceDefinition, where: Filter) -> bool:
    match where:
        case And(parts=parts):
            return any(_selective(source, part) for part in parts)
        case Or(parts=parts):
            return all(_selective(source, part) for part in parts)
        case Not():
            return False
        case Comparison(attribute=name, operator=operator):
            return operator is not Operator.NE and attribute_of(source, name).selective


def _order(source: SourceDefinition, name: str, *, descending: bool) -> ColumnElement[Any]:
    attribute = source.attributes.get(name)
    if attribute is None or not attribute.sortable:
        known = ", ".join(sorted(each for each, attribute in source.attributes.items() if attribute.sortable))
        raise SearchRejected("rjct.sort.invalid", f"records can be sorted by {known or 'nothing'}")
    found: ColumnElement[Any] = column(attribute.column)
    return found.desc() if descending else found.asc()
