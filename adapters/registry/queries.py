"""Reads DCI's search criteria: three query languages, sort and pagination become one :class:`Query`.

It refuses operators outside a closed list and queries beyond named limits; which attributes exist is the source's word.
The contract has checked the shape of the criteria before; what stands here is what a schema cannot say.

``expression`` knows $and, $or, $not, $eq, $ne, $lt, $lte, $gt, $gte, $in and $nin, and a bare value for equality; the
comparing ones may be written without the dollar sign (and le, ge), as in DCI's samples for ``enrolled``.
``predicate`` joins the elements of its list by "and" in the order of ``seq_num``; its condition "not" means the
first term and not the second.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from adapters.errors import SearchRejected
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query, SortKey
from adapters.subjects import PersonId

INVALID: Final = "rjct.search_criteria.invalid"
MAX_DEPTH: Final = 8  # deeper than any question a form can ask
MAX_TERMS: Final = 50  # each is one more lookup per record
MAX_IN: Final = 100  # a household has fewer people; a longer list is an export, not a question

_OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType({
    "$eq": Operator.EQ, "$ne": Operator.NE, "$lt": Operator.LT, "$lte": Operator.LE, "$gt": Operator.GT,
    "$gte": Operator.GE, "$in": Operator.IN,
})  # fmt: skip
_SPELT: Final = MappingProxyType({"le": "lte", "ge": "gte"})
_PLAIN: Final = frozenset(
    {"eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "le", "ge"}
)  # DCI's samples mix both forms


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What an adapter allows: records per page, and matches per search."""

    page_size: int
    max_matches: int


@dataclass(frozen=True, slots=True)
class Page:
    """The page that was asked for, counted from 1."""

    size: int
    number: int


def read_query(
    criteria: Mapping[str, Any], identifiers: frozenset[str], collection: str, limits: QueryLimits
) -> tuple[Query, Page]:
    """Turn search criteria into a query.

    Args:
        criteria: valid against the contract ``dci/search-criteria``.
        identifiers: the identifier types that the source knows.
        collection: the record type that this registry holds, such as ``Group``.
        limits: of this adapter.

    Raises:
        SearchRejected: with DCI's reason and a sentence that says what to do.
    """
    match criteria["query_type"]:
        case "idtype-value":
            where: Filter = _identifier(criteria["query"], identifiers)
        case "expression":
            where = _Expression().read(criteria["query"]["value"]["expression"], collection)
        case "predicate" if isinstance(criteria["query"], list):
            where = _predicates(criteria["query"])
        case _:
            raise SearchRejected(INVALID, "query_type is idtype-value, expression, or (in a search) predicate")
    page = _page(criteria.get("pagination", {}), limits)
    sort = tuple(SortKey(k["attribute_name"], k.get("sort_order") == "desc") for k in criteria.get("sort", ()))
    return Query(where, sort, (page.number - 1) * page.size, page.size, limits.max_matches), page


def _identifier(query: Mapping[str, Any], identifiers: frozenset[str]) -> Comparison:
    if query["type"] not in identifiers:
        raise SearchRejected(INVALID, f"this registry knows people by {', '.join(sorted(identifiers))}")
    return Comparison(query["type"], Operator.EQ, (query["value"],))


class _Expression:
    """Reads one expression; counts its terms."""

    def __init__(self) -> None:
        self._terms = 0

    def read(self, expression: Mapping[str, Any], collection: str) -> Filter:
        """Read the query of an expression whose collection is this registry's."""
        asked = expression.get("collection", collection)
        if asked.rpartition(":")[2] != collection:
            raise SearchRejected(INVALID, f"the collection of this registry is {collection}")
        return self._node(expression["query"], MAX_DEPTH)

    def _node(self, node: object, depth: int) -> Filter:
        if depth == 0:
            raise SearchRejected(INVALID, f"the expression is nested more than {MAX_DEPTH} deep")
        if not isinstance(node, dict) or not node:
            raise SearchRejected(INVALID, "each part of an expression is an object with at least one member")
        parts = tuple(self._member(key, value, depth) for key, value in node.items())
        return parts[0] if len(parts) == 1 else And(parts)

    def _member(self, key: str, value: object, depth: int) -> Filter:
        if key in {"$and", "$or"}:
            if not isinstance(value, list) or not value:
                raise SearchRejected(INVALID, f"{key} takes a list of expressions")
            parts = tuple(self._node(each, depth - 1) for each in value)
            return And(parts) if key == "$and" else Or(parts)
        if key == "$not":
            return Not(self._node(value, depth - 1))
        if key.startswith("$"):
            raise SearchRejected(INVALID, "joining operators are $and, $or and $not")
        return self._attribute(key, value)

    def _attribute(self, name: str, value: object) -> Filter:
        if not isinstance(value, dict):
            return self._term(name, Operator.EQ, (value,))
        if not value:
            raise SearchRejected(INVALID, "an attribute is compared with a value or an object of operators")
        parts = tuple(self._operator(name, operator, operand) for operator, operand in value.items())
        return parts[0] if len(parts) == 1 else And(parts)

    def _operator(self, name: str, operator: str, operand: object) -> Filter:
        if operator in _PLAIN:
            operator = f"${_SPELT.get(operator, operator)}"
        if operator == "$nin":
            return Not(self._term(name, Operator.IN, _several(operand)))
        if operator not in _OPERATORS:
            raise SearchRejected(INVALID, f"comparing operators are {', '.join(_OPERATORS)} and $nin")
        known = _OPERATORS[operator]
        return self._term(name, known, _several(operand) if known is Operator.IN else (operand,))

    def _term(self, name: str, operator: Operator, values: tuple[object, ...]) -> Comparison:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise SearchRejected(INVALID, f"the expression has more than {MAX_TERMS} terms")
        return Comparison(name, operator, values)


def _predicates(query: Sequence[Mapping[str, Any]]) -> Filter:
    if len(query) > MAX_TERMS:
        raise SearchRejected(INVALID, f"the predicate has more than {MAX_TERMS} elements")
    ordered = sorted(enumerate(query), key=lambda item: (item[1].get("seq_num", item[0]), item[0]))
    parts = tuple(_predicate(each) for _place, each in ordered)
    return parts[0] if len(parts) == 1 else And(parts)


def _predicate(predicate: Mapping[str, Any]) -> Filter:
    first = _predicate_term(predicate["expression1"])
    if "condition" not in predicate:
        return first
    second = _predicate_term(predicate["expression2"])
    match predicate["condition"]:
        case "and":
            return And((first, second))
        case "or":
            return Or((first, second))
        case _:
            return And((first, Not(second)))


def _predicate_term(term: Mapping[str, Any]) -> Comparison:
    operator, value = Operator(term["operator"]), term["attribute_value"]
    return Comparison(term["attribute_name"], operator, _several(value) if operator is Operator.IN else (value,))


def _several(value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_IN:
        raise SearchRejected(INVALID, f"an 'in' takes a list of 1 to {MAX_IN} values")
    return tuple(value)


def _page(pagination: Mapping[str, Any], limits: QueryLimits) -> Page:
    page = Page(int(pagination.get("page_size", limits.page_size)), int(pagination.get("page_number", 1)))
    if page.size > limits.page_size:
        raise SearchRejected("rjct.pagination.invalid", f"a page holds at most {limits.page_size} records")
    if page.number > limits.max_matches:
        raise SearchRejected("rjct.pagination.invalid", f"there is no page beyond {limits.max_matches}")
    return page


def compared(where: Filter) -> Iterator[Comparison]:
    """Yield each comparison of a filter, wherever it stands."""
    match where:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from compared(part)
        case Not(part=part):
            yield from compared(part)
        case Comparison():
            yield where


def asked_attributes(query: Query) -> tuple[str, ...]:
    """Return the attributes that a query names, also in its order: each of them tells something of a record."""
    names = [each.attribute for each in compared(query.where)] + [key.attribute for key in query.sort]
    return tuple(dict.fromkeys(names))


def asked_persons(query: Query, identifiers: frozenset[str]) -> frozenset[PersonId]:
    """Return the identifiers that a query asks by."""
    return frozenset(
        PersonId(each.attribute, value)
        for each in compared(query.where)
        if each.attribute in identifiers
        for value in each.values
        if isinstance(value, str)
    )
