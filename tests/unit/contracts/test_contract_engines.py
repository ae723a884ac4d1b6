import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contracts
from contracts import compiled, reference, shape
from contracts.compiled import Judge, contract_judge, for_compiler
from contracts.patterns import UnportablePattern, portable
from contracts.reference import reference_validator

ALL = [(name, version) for name in contracts.names() for version in contracts.versions(name)]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.0,
    1.5,
    10**30,
    "",
    "x",
    "ក",
    " x",
    "x\n",
    "\ufeff",
    "\x1c",
    "2026-02-29T00:00:00Z",
    [],
    {},
]
CODES = ["KH", "01020101", "male", "SPID", "POOR_1", "search", "2026-11-22T09:00:00+07:00", "1990-05-20T00:00:00+07:00"]
values = st.sampled_from([*ODD, *CODES]) | st.text(max_size=5) | st.lists(st.sampled_from(ODD), max_size=2)

# Each keyword that a contract may use: the schema, what it accepts, what it refuses; after the specification.
KEYWORDS: dict[str, tuple[dict[str, Any], list[Any], list[Any]]] = {
    "type string": ({"type": "string"}, ["", "ក"], [None, 1, [], {}, True]),
    "type integer": ({"type": "integer"}, [0, -3, 1.0, 10**30], [1.5, "1", True, None]),
    "type number": ({"type": "number"}, [0, 1.5], ["1", False]),
    "type boolean": ({"type": "boolean"}, [True, False], [0, 1, "true", None]),
    "type null": ({"type": "null"}, [None], [0, "", False]),
    "type of several": ({"type": ["string", "null"]}, ["", None], [0, []]),
    "enum": ({"enum": ["a", 1, None]}, ["a", 1, 1.0, None], ["b", True, "1", 0, False]),
    "enum of what looks like a schema": (
        {"enum": [{"$ref": "x", "pattern": "("}]},
        [{"$ref": "x", "pattern": "("}],
        [{}],
    ),
    "const": ({"const": False}, [False], [0, None, ""]),
    "properties": ({"properties": {"a": {"type": "string"}}}, [{}, {"a": ""}, {"b": 1}, 5], [{"a": 1}]),
    "a field named as a keyword": (
        {"properties": {"pattern": {"type": "string"}, "format": {"enum": ["date-time"]}}},
        [{"pattern": "(", "format": "date-time"}],
        [{"pattern": 1}, {"format": "uri"}],
    ),
    "required": ({"required": ["a", "b"]}, [{"a": 1, "b": None}, [], "x"], [{}, {"a": 1}]),
    "additionalProperties": (
        {"properties": {"a": {}}, "additionalProperties": False},
        [{}, {"a": 1}, 3],
        [{"b": 1}, {"a": 1, "b": 1}],
    ),
    "additionalProperties as a schema": ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "1"}]),
    "propertyNames": ({"propertyNames": {"pattern": "^[a-z]+$"}}, [{}, {"a": 1}], [{"A": 1}, {"": 1}]),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, [{}, {"b": 1}, {"a": 1, "b": 2}], [{"a": 1}]),
    "minProperties": ({"minProperties": 1}, [{"a": 1}, []], [{}]),
    "maxProperties": ({"maxProperties": 1}, [{}, {"a": 1}], [{"a": 1, "b": 1}]),
    "items": ({"items": {"type": "integer"}}, [[], [1], {}], [["1"], [1, None]]),
    "minItems": ({"minItems": 1}, [[0], {}], [[]]),
    "maxItems": ({"maxItems": 1}, [[], [0]], [[0, 1]]),
    "uniqueItems": ({"uniqueItems": True}, [[], [0, False], [{"a": 1}, {"a": 2}]], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
    "minLength": ({"minLength": 2}, ["ab", "ខ្", 1], ["", "a", "😀"]),
    "maxLength": ({"maxLength": 1}, ["", "😀", 11], ["ab", "ក្"]),
    "minimum": ({"minimum": 0}, [0, 0.0, "x"], [-1, -0.1]),
    "maximum": ({"maximum": 5}, [5, 5.0], [6, 5.1, 10**30]),
    "exclusiveMinimum": ({"exclusiveMinimum": 0}, [0.1], [0, -1]),
    "exclusiveMaximum": ({"exclusiveMaximum": 5}, [4.9], [5, 6]),
    "multipleOf": ({"multipleOf": 100}, [0, 300], [150, 1.5]),
    "pattern": ({"pattern": "^[0-9]{3}$"}, ["012", 5], ["01", "0123", "012\n", "០១២"]),
    "pattern anywhere": ({"pattern": "b+"}, ["abba"], ["aa"]),
    "pattern with an end within": ({"pattern": "^(a$|b$)"}, ["a", "b"], ["a\n", "ab"]),
    "pattern of any": ({"pattern": "^a.b$"}, ["axb", "aខb", "a\x85b"], ["a\nb", "a\rb", "a\u2028b", "a\u2029b", "ab"]),
    "pattern of space": ({"pattern": r"^\s$"}, [" ", "\u00a0", "\ufeff", "\u2028"], ["\x1c", "\x85", "\u200b", "x"]),
    "pattern of no space": ({"pattern": r"^\S$"}, ["x", "\x1c", "\u200b"], [" ", "\ufeff"]),
    "pattern of digits": ({"pattern": r"^\d\w$"}, ["1a", "2_"], ["១a", "1ក"]),
    "pattern of a class": ({"pattern": r"^[\d\s\u1780-]$"}, ["1", " ", "ក", "-"], ["a", "ខ"]),
    "date-time": ({"format": "date-time"}, ["2024-02-29T23:59:59.5Z", 5, None], ["2023-02-29T00:00:00Z", "2024-01-01"]),
    "date-time and allOf": (
        {"format": "date-time", "allOf": [{"maxLength": 20}]},
        ["2024-02-29T23:59:59Z"],
        ["2024-02-29T23:59:59.5Z", "x"],
    ),
    "uri": ({"format": "uri"}, ["urn:a:b", 5], ["a b", "/a"]),
    "ncdd-village": ({"format": "ncdd-village"}, ["01020101", 5], ["99999999", "0102", ""]),
    "allOf": ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    "anyOf": ({"anyOf": [{"type": "string"}, {"minimum": 2}]}, ["", 2], [1]),
    "oneOf": ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, [1, 2.5], [3, 1.5]),
    "not": ({"not": {"type": "string"}}, [1], ["x"]),
    "if then else": (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}},
        [{"a": 1, "b": 1}, {"c": 1}],
        [{"a": 1}, {}],
    ),
    "$ref with siblings": ({"$ref": "#/$defs/x", "maximum": 5, "$defs": {"x": {"minimum": 1}}}, [1, 5], [0, 6]),
    "$ref to itself": (
        {"properties": {"next": {"$ref": "#"}}, "maxProperties": 1},
        [{"next": {}}],
        [{"next": {"a": 1, "b": 1}}],
    ),
    "$ref to a contract": (
        {"items": {"$ref": "urn:spean:contract:dci:identifier:1.0.0"}},
        [[{"identifier_type": "SPID", "identifier_value": "1"}]],
        [[{"identifier_type": "SPID"}]],
    ),
    "$ref to a code list": ({"$ref": "urn:spean:codes:dci:sort-order:1.0.0"}, ["asc"], ["up", None]),
    "x-prefix": ({"x-prefix": {"a": "b"}}, [{"a": "12", "b": "1"}, {"a": "2"}, 5], [{"a": "2", "b": "1"}]),
    "x-not-before": ({"x-not-before": {"a": "b"}}, [{"a": "2", "b": "1"}, {"a": 1, "b": "2"}], [{"a": "1", "b": "2"}]),
}


@pytest.mark.parametrize("case", KEYWORDS)
def test_both_engines_judge_each_keyword_as_the_specification_says(case: str) -> None:
    schema, good, bad = KEYWORDS[case]
    judge, explainer = Judge(for_compiler(schema)), reference_validator(schema)
    for document, valid in [*((each, True) for each in good), *((each, False) for each in bad)]:
        assert judge.accepts(document) is valid, f"compiled: {document!r}"
        assert explainer.is_valid(document) is valid, f"reference: {document!r}"


@pytest.mark.parametrize(
    "pattern",
    ["a(?=b)", "(?<!a)b", r"(a)\1", r"\bx", r"\p{L}", "(?i)a", "[a&&b]", "[[a]]", "[a", "a\\", r"[\S]", r"\u12"],
)
def test_patterns_that_engines_read_differently_are_refused(pattern: str) -> None:
    with pytest.raises(UnportablePattern):
        portable(pattern, "python")


def places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, each in pairs:
        yield from places(each, (*path, key))


def mutated(document: Any, path: tuple[str | int, ...], way: str, value: Any) -> Any:
    changed = copy.deepcopy(document)
    if not path:
        return value
    target = changed
    for step in path[:-1]:
        target = target[step]
    if way == "remove":
        del target[path[-1]]
    elif way == "add" and isinstance(target, dict):
        target["surplus"] = value
    elif way == "twice" and isinstance(target, list):
        target.append(copy.deepcopy(target[-1]))
    else:
        target[path[-1]] = value
    return changed


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_engines_agree_about_every_contract(data: st.DataObject) -> None:
    name, version = data.draw(st.sampled_from(ALL))
    document = data.draw(st.sampled_from(contracts.examples(name, version))).document
    for _time in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document))))
        document = mutated(
            document, path, data.draw(st.sampled_from(["remove", "add", "twice", "put"])), data.draw(values)
        )
    explained = next(reference.violations(name, version, document), None)
    assert contract_judge(name, version).accepts(document) is (explained is None), explained


PERSON: dict[str, Any] = {"name": {"surname": "សុខ", "given_name": "ដារ៉ា"}, "sex": "female"}


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _level in range(depth):
        found = [found]
    return found


@pytest.fixture(params=["compiled", "reference alone"])
def engines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "compiled":
        monkeypatch.setattr(compiled, "AVAILABLE", False)
    return str(request.param)


@pytest.mark.parametrize(
    ("document", "rule", "pointer"),
    [
        (nested(100_000), "depth", "/0" * shape.MAX_DEPTH),
        ({"a": "x" * (shape.MAX_TEXT + 1)}, "length", "/a"),
        ({"a": ["\ud800"]}, "type", "/a/0"),
        ({"a": {1: 2}}, "type", "/a"),
        ({"a": {1, 2}}, "type", "/a"),
        ([float("nan")], "type", "/0"),
        ([float("inf")], "type", "/0"),
    ],
    ids=["depth", "text", "surrogate", "name no text", "set", "nan", "infinity"],
)
@pytest.mark.usefixtures("engines")
def test_what_is_beyond_the_limits_is_refused_whatever_the_contract(document: object, rule: str, pointer: str) -> None:
    start = time.process_time()
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate("dci/search-data", "1.0.0", document)
    assert (caught.value.rule, caught.value.pointer) == (rule, pointer)
    assert time.process_time() - start < 2


@pytest.mark.usefixtures("engines")
def test_a_nested_query_is_judged_up_to_the_limit_and_refused_beyond() -> None:
    def query(depth: int) -> object:
        found: dict[str, Any] = {}
        for _level in range(depth):
            found = {"expression2": found}
        return [found]

    for depth in (10, shape.MAX_DEPTH - 2, shape.MAX_DEPTH + 1, 50_000):
        with pytest.raises(contracts.ContractViolation) as caught:
            contracts.validate("dci/predicate", "1.0.0", query(depth))
        assert (caught.value.rule == "depth") is (depth > shape.MAX_DEPTH)


def test_without_a_compiled_validator_the_reference_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "AVAILABLE", False)
    contracts.validate("cambodia/person", "1.0.0", PERSON)
    assert contracts.violations("cambodia/person", "1.0.0", PERSON) == ()
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate("cambodia/person", "1.0.0", {**PERSON, "sex": "x"})
    assert caught.value.rule == "enum"
    monkeypatch.setattr(shape, "MAX_ALONE", 3)
    assert [each.rule for each in contracts.violations("cambodia/person", "1.0.0", PERSON)] == ["size"]


def test_a_no_that_the_reference_does_not_share_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    # The engine counts a fault that the reference does not know of: the document stays out.
    monkeypatch.setattr(reference, "violations", lambda *_arguments, **_options: iter(()))
    broken = {**PERSON, "name": {"surname": "SECRET", "given_name": "ដារ៉ា"}}
    with pytest.raises(contracts.ContractViolation) as caught:
        contracts.validate("cambodia/person", "1.0.0", broken)
    assert (caught.value.rule, caught.value.pointer) == ("pattern", "/name/surname")
    assert caught.value.value_type == "string"
    assert "SECRET" not in f"{caught.value!r}{vars(caught.value)}"


def test_a_large_broken_document_is_explained_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape, "MAX_EXPLAINED", 10)
    members = [{"demographic_info": PERSON}] * 20 + [{"demographic_info": {**PERSON, "sex": 5}}]
    group = {"group_identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "x"}], "group_type": "2"}
    found = contracts.violations("cambodia/group", "1.0.0", {**group, "member_list": members})
    assert [(each.rule, each.pointer) for each in found] == [("enum", "/member_list/20/demographic_info/sex")]


@pytest.mark.parametrize(("name", "version"), [each for each in ALL if each[0].startswith("cambodia/")])
def test_a_partial_answer_is_judged_by_what_is_there(name: str, version: str) -> None:
    for example in contracts.examples(name, version):
        if not example.valid or not isinstance(example.document, dict):
            continue
        for field in example.document:
            rest = {key: each for key, each in example.document.items() if key != field}
            contracts.validate(name, version, rest, partial=True)
        contracts.validate(name, version, {}, partial=True)


@pytest.mark.usefixtures("engines")
def test_a_partial_answer_may_lack_fields_and_nothing_else() -> None:
    contracts.validate("cambodia/person", "1.0.0", {"sex": "female"}, partial=True)
    group = {"member_list": [{"demographic_info": {"name": {"surname": "សុខ"}}}]}
    contracts.validate("cambodia/group", "1.0.0", group, partial=True)
    for broken in ({"sex": "x"}, {"name": {"surname": 1}}, {"surplus": 1}):
        with pytest.raises(contracts.ContractViolation):
            contracts.validate("cambodia/person", "1.0.0", broken, partial=True)
    assert [each.rule for each in contracts.violations("cambodia/person", "1.0.0", {"sex": "x"}, partial=True)] == [
        "enum"
    ]


@pytest.mark.parametrize(
    ("schema", "document", "valid"),
    [
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, True),
        (
            {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"maxProperties": 1}},
            {"c": 1, "d": 1},
            False,
        ),
        ({"not": {"required": ["a"]}}, {"a": 1}, False),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, True),
        ({"properties": {"required": {"minItems": 1, "maxItems": 1}}}, {"required": []}, True),
        ({"properties": {"required": {"minItems": 1, "maxItems": 1}}}, {"required": [1, 2]}, False),
    ],
)
def test_demands_are_taken_out_and_conditions_stay(schema: dict[str, Any], document: object, *, valid: bool) -> None:
    assert reference_validator(schema, partial=True).is_valid(document) is valid
    assert Judge(for_compiler(schema, partial=True), partial=True).accepts(document) is valid


def test_all_violations_are_given_in_order() -> None:
    found = contracts.violations("cambodia/person", "1.0.0", {"name": {"surname": 1, "given_name": 2}, "sex": "x"})
    assert {each.pointer for each in found} == {"/name/surname", "/name/given_name", "/sex"}
    assert contracts.violations("cambodia/person", "1.0.0", PERSON) == ()
    with pytest.raises(contracts.UnknownContract):
        contracts.violations("cambodia/nobody", "1.0.0", {})
