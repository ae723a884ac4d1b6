from typing import Any

import pytest

from adapters.errors import SearchRejected
from adapters.registry.queries import MAX_DEPTH, MAX_IN, MAX_TERMS, Page, QueryLimits, read_query
from adapters.source import And, Comparison, Filter, Not, Operator, Or, SortKey
from tests.support.adapters import expression

LIMITS = QueryLimits(page_size=50, max_matches=1000)
IDENTIFIERS = frozenset({"SPID"})
A, B = Comparison("a", Operator.EQ, (1,)), Comparison("b", Operator.GT, (2,))


def read(query: object, query_type: str = "idtype-value", **more: Any) -> Filter:
    criteria = {"query_type": query_type, "query": query} | more
    return read_query(criteria, IDENTIFIERS, "Group", LIMITS)[0].where


def rejected(query: object, query_type: str, **more: Any) -> SearchRejected:
    with pytest.raises(SearchRejected) as caught:
        read(query, query_type, **more)
    return caught.value


def test_identifier() -> None:
    assert read({"type": "SPID", "value": "x"}) == Comparison("SPID", Operator.EQ, ("x",))
    assert rejected({"type": "a", "value": "x"}, "idtype-value").reason == "rjct.search_criteria.invalid"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"a": 1}, A),
        ({"a": {"$eq": 1}}, A),
        ({"a": {"$ne": 1}}, Comparison("a", Operator.NE, (1,))),
        ({"a": {"$gte": 1, "$lt": 5}}, And((Comparison("a", Operator.GE, (1,)), Comparison("a", Operator.LT, (5,))))),
        ({"a": {"$lte": 1}}, Comparison("a", Operator.LE, (1,))),
        ({"a": {"$in": [1, 2]}}, Comparison("a", Operator.IN, (1, 2))),
        ({"a": {"$nin": [1]}}, Not(Comparison("a", Operator.IN, (1,)))),
        ({"a": 1, "b": {"$gt": 2}}, And((A, B))),
        ({"$and": [{"a": 1}, {"b": {"$gt": 2}}]}, And((A, B))),
        ({"$or": [{"a": 1}, {"$not": {"b": {"$gt": 2}}}]}, Or((A, Not(B)))),
    ],
)
def test_expression(query: dict[str, Any], expected: Filter) -> None:
    assert read(expression(query), "expression") == expected
    assert read(expression(query, collection="Group"), "expression") == expected
    assert read(expression(query, collection="ns:org:Group"), "expression") == expected


@pytest.mark.parametrize(
    "query",
    [
        {"$where": "this.a == 1"},
        {"$nor": [{"a": 1}]},
        {"a": {"$regex": ".*"}},
        {"a": {"$exists": True}},
        {"a": {}},
        {"a": {"$in": 1}},
        {"a": {"$in": []}},
        {"a": {"$in": ["x"] * (MAX_IN + 1)}},
        {"$and": []},
        {"$and": {"a": 1}},
        {"$and": ["a"]},
        {"$not": []},
        {"$or": [{}]},
        {"$and": [{"a": 1}] * (MAX_TERMS + 1)},
    ],
)
def test_expressions_beyond_the_closed_list_are_rejected(query: dict[str, Any]) -> None:
    assert rejected(expression(query), "expression").reason == "rjct.search_criteria.invalid"


def test_nesting_is_limited() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"a": 1} if depth == 1 else {"$not": nested(depth - 1)}

    read(expression(nested(MAX_DEPTH)), "expression")
    rejected(expression(nested(MAX_DEPTH + 1)), "expression")


def test_another_collection_is_rejected() -> None:
    rejected(expression({"a": 1}, collection="Member"), "expression")


def term(name: str, operator: str, value: object) -> dict[str, Any]:
    return {"attribute_name": name, "operator": operator, "attribute_value": value}


T1, T2 = term("a", "eq", 1), term("b", "gt", 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([{"expression1": T1}], A),
        ([{"expression1": T1, "condition": "and", "expression2": T2}], And((A, B))),
        ([{"expression1": T1, "condition": "or", "expression2": T2}], Or((A, B))),
        ([{"expression1": T1, "condition": "not", "expression2": T2}], And((A, Not(B)))),
        ([{"seq_num": 2, "expression1": T2}, {"seq_num": 1, "expression1": T1}], And((A, B))),
        ([{"expression1": term("a", "in", [1, 2])}], Comparison("a", Operator.IN, (1, 2))),
    ],
)
def test_predicate(query: list[dict[str, Any]], expected: Filter) -> None:
    assert read(query, "predicate") == expected


@pytest.mark.parametrize("query", [[{"expression1": T1}] * (MAX_TERMS + 1), [{"expression1": term("a", "in", 1)}]])
def test_predicates_beyond_limits_are_rejected(query: list[dict[str, Any]]) -> None:
    rejected(query, "predicate")


def test_pages_count_from_one() -> None:
    criteria = {"query_type": "idtype-value", "query": {"type": "SPID", "value": "x"}}
    query, page = read_query(criteria, IDENTIFIERS, "Group", LIMITS)
    assert (query.offset, query.limit, page) == (0, 50, Page(50, 1))
    asked = criteria | {"pagination": {"page_size": 10, "page_number": 3}, "sort": [{"attribute_name": "a"}]}
    query, page = read_query(asked, IDENTIFIERS, "Group", LIMITS)
    assert (query.offset, query.limit, page) == (20, 10, Page(10, 3))
    assert query.sort == (SortKey("a", descending=False),)


@pytest.mark.parametrize("pagination", [{"page_size": 51}, {"page_size": 10, "page_number": 1001}])
def test_pages_beyond_limits_are_rejected(pagination: dict[str, int]) -> None:
    query = {"type": "SPID", "value": "x"}
    assert rejected(query, "idtype-value", pagination=pagination).reason == "rjct.pagination.invalid"
