"""Renders a filter as parameterised SQL over the attributes that a source declares.

It refuses attributes, operators, values and codes that the source does not declare, and a search that no index narrows;
no text of a caller ever becomes SQL text. Pure: it needs no database.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import NullType, TypeEngine

from adapters.errors import SearchRejected
from adapters.source.comparing import attribute_of, checked
from adapters.source.definition import Attribute, SqlDefinition
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query

TOO_MANY: Final = "rjct.search.too_many_records_found"
# What a value is bound as, so that PostgreSQL compares it with a column of that type and can use the column's index.
_TYPES: Final[Mapping[str, TypeEngine[Any]]] = MappingProxyType(
    {"string": String(), "integer": BigInteger(), "date": Date()}
)
_SAMPLES: Final = MappingProxyType({"string": "x", "integer": 0, "date": date(2000, 1, 1)})
_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = MappingProxyType(
    {Operator.EQ: eq, Operator.NE: ne, Operator.LT: lt, Operator.LE: le, Operator.GT: gt, Operator.GE: ge}
)


class Exactly(GenericFunction[bool]):
    """Two texts are the same, character by character, whatever the column's collation calls equal."""

    name = "exactly"
    inherit_cache = True


@compiles(Exactly)
def _plainly(element: Exactly, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's
    left, right = (compiler.process(each, **options) for each in element.clauses)
    return f"{left} = {right}"


@compiles(Exactly, "mysql", "mariadb")
def _in_bytes(element: Exactly, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # as above
    """MariaDB's usual collations hold ``a1`` equal to ``A1``: who asks for one person must not get another.

    The first comparison uses the index, the second one decides.
    """
    left, right = (compiler.process(each, **options) for each in element.clauses)
    left_bytes, right_bytes = (f"CAST(CONVERT({each} USING utf8mb4) AS BINARY)" for each in (left, right))
    return f"({left} = {right} AND {left_bytes} = {right_bytes})"


def table_of(name: str) -> FromClause:
    """Return the table of this name, which may have a schema before a dot."""
    schema, _dot, own = name.rpartition(".")
    return table(own, schema=schema or None)


def page_statement(source: SqlDefinition, query: Query) -> Select[Any]:
    """Select the root's key and columns for one page, in an order that is the same on every page."""
    root = source.root
    wanted: list[ColumnElement[Any]] = [
        column(root.key),
        *(column(field.column) for field in root.fields),
        *(column(o.parent) for o in source.ones),
    ]
    order = [_order(source, key.attribute, descending=key.descending) for key in query.sort]
    statement = select(*wanted).select_from(table_of(root.table)).where(condition(source, query.where))
    return statement.order_by(*order, column(root.key)).limit(query.limit).offset(query.offset)


def count_statement(source: SqlDefinition, query: Query) -> Select[Any]:
    """Count the matches, at most one more than are allowed, so that counting never scans a registry."""
    matches: Select[Any] = (
        select(literal_column("1")).select_from(table_of(source.root.table)).where(condition(source, query.where))
    )
    return select(func.count()).select_from(matches.limit(query.max_matches + 1).subquery())


def batch_statement(source: SqlDefinition, after: Any, limit: int) -> Select[Any]:  # noqa: ANN401  # a key's value
    """Select as a page does, and names, the next ``limit`` records by key after one; ``after`` None is the start."""
    root = source.root
    statement = _roots(source).add_columns(column(root.identity or root.key))
    if after is not None:
        statement = statement.where(column(root.key) > after)
    return statement.order_by(column(root.key)).limit(limit)


def keys_statement(source: SqlDefinition, keys: Sequence[str]) -> Select[Any]:
    """Select as a page does, the records of some keys."""
    return _roots(source).where(_is_one_of(source.root.key, keys))


def next_keys_statement(source: SqlDefinition, after: Any, limit: int) -> Select[Any]:  # noqa: ANN401  # a key's value
    """Select the next ``limit`` keys after one; ``after`` None is the start."""
    key: ColumnElement[Any] = column(source.root.key)
    statement: Select[Any] = select(key).select_from(table_of(source.root.table)).order_by(key).limit(limit)
    return statement if after is None else statement.where(key > bindparam(None, after, type_=NullType(), unique=True))


def fitting_statement(source: SqlDefinition, where: Filter, keys: Sequence[str]) -> Select[Any]:
    """Select the names of those among some records that a filter holds for: the keys narrow it, so that none scans."""
    name = source.root.identity or source.root.key
    found: Select[Any] = select(column(name)).select_from(table_of(source.root.table))
    return found.where(_is_one_of(name, keys)).where(condition(source, where))


def _roots(source: SqlDefinition) -> Select[Any]:
    root = source.root
    names = [root.key, *(field.column for field in root.fields), *(one.parent for one in source.ones)]
    wanted: list[ColumnElement[Any]] = [column(each) for each in names]
    return select(*wanted).select_from(table_of(root.table))


def _is_one_of(name: str, keys: Sequence[str]) -> ColumnElement[bool]:
    """Bind without a type: the database reads the text as what its column holds, a number too.

    All keys are one parameter until the statement is sent: five hundred of them would cost more than the records.
    """
    return column(name).in_(bindparam(None, list(keys), type_=NullType(), unique=True, expanding=True))


def sample_statement(source: SqlDefinition, attribute: Attribute) -> Select[Any]:
    """Compare an attribute as a search would, finding nothing: the database says whether it can."""
    codes = attribute.codes
    value = _SAMPLES[attribute.type] if codes is None else next(iter(codes.values()))
    own = _compare(attribute, next(iter(sorted(attribute.operators))), [value])
    return select(literal_column("1")).select_from(table_of(attribute.table or source.root.table)).where(own).limit(0)


def refuse_scan(source: SqlDefinition, where: Filter) -> None:
    """Raise :class:`SearchRejected` unless an indexed attribute narrows the search."""
    if not _selective(source, where):
        names = ", ".join(sorted(name for name, each in source.attributes.items() if each.selective))
        raise SearchRejected(TOO_MANY, f"this would read the whole registry: add a condition on one of {names}")


def condition(source: SqlDefinition, where: Filter) -> ColumnElement[bool]:
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


def _comparison(source: SqlDefinition, where: Comparison) -> ColumnElement[bool]:
    attribute, values = checked(source, where)
    own = _compare(attribute, where.operator, values)
    if attribute.table is None or attribute.key is None:
        return own
    rows: Select[Any] = select(column(attribute.key)).select_from(table_of(attribute.table)).where(own)
    return column(source.root.key).in_(rows)


def _compare(attribute: Attribute, operator: Operator, values: list[Any]) -> ColumnElement[bool]:
    left: ColumnElement[Any] = column(attribute.column, _TYPES[attribute.type])
    if attribute.type == "string" and operator in {Operator.EQ, Operator.IN}:
        return or_(*(Exactly(left, literal(each, _TYPES["string"])) for each in values))
    if operator is Operator.IN:
        return left.in_(values)
    compared: ColumnElement[bool] = _COMPARE[operator](left, values[0])
    return compared


def _selective(source: SqlDefinition, where: Filter) -> bool:
    match where:
        case And(parts=parts):
            return any(_selective(source, part) for part in parts)
        case Or(parts=parts):
            return all(_selective(source, part) for part in parts)
        case Not():
            return False
        case Comparison(attribute=name, operator=operator):
            return operator is not Operator.NE and attribute_of(source, name).selective


def _order(source: SqlDefinition, name: str, *, descending: bool) -> ColumnElement[Any]:
    attribute = source.attributes.get(name)
    if attribute is None or not attribute.sortable:
        known = ", ".join(sorted(each for each, attribute in source.attributes.items() if attribute.sortable))
        raise SearchRejected("rjct.sort.invalid", f"records can be sorted by {known or 'nothing'}")
    found: ColumnElement[Any] = column(attribute.column)
    return found.desc() if descending else found.asc()
