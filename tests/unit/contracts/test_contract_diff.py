import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.changes import Change, Effect, Role
from contracts.diff import changes
from contracts.library import BadLibrary, Entry, Library, load
from contracts.reference import reference_validator

IDENTITY = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:spean:contract:test:thing:1.0.0"}
BASE: dict[str, Any] = {
    **IDENTITY,
    "title": "Thing",
    "type": "object",
    "properties": {
        "code": {"title": "Code", "enum": ["a", "b"]},
        "text": {"title": "Text", "type": "string", "maxLength": 9, "pattern": "^x"},
        "number": {"title": "Number", "type": "integer", "minimum": 0},
        "list": {"type": "array", "items": {"type": "object", "properties": {"inner": {"type": "string"}}}},
        "sex": {"title": "Sex", "$ref": "urn:spean:codes:dci:sex-category:1.0.0"},
    },
    "required": ["code"],
    "additionalProperties": False,
    "anyOf": [{"required": ["text"]}, {"required": ["number"]}],
}


def changed(**change: Any) -> dict[str, Any]:
    return {**BASE, **IDENTITY, "$id": "urn:spean:contract:test:thing:1.1.0", **change}


def field(name: str, **change: Any) -> dict[str, Any]:
    return changed(properties={**BASE["properties"], name: change})


REFERENCE = {"$ref": "urn:spean:contract:cambodia:name:1.0.0", "title": "Name", "minProperties": 1}


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ({"minProperties": 2}, Effect.NARROWER),
        ({"maxProperties": 4}, Effect.NARROWER),
        ({"title": "Names"}, Effect.TEXT),
    ],
)
def test_what_stands_beside_a_reference_is_compared_too(tmp_path: Path, change: dict[str, Any], effect: Effect) -> None:
    one = {**BASE, "properties": {**BASE["properties"], "name": REFERENCE}}
    two = changed(properties={**BASE["properties"], "name": REFERENCE | change})
    assert [(each.path, each.effect) for each in found(tmp_path, one, two)] == [("name", effect)]


def without(name: str) -> dict[str, Any]:
    return changed(properties={key: each for key, each in BASE["properties"].items() if key != name})


def found(folder: Path, one: object, two: object) -> tuple[Change, ...]:
    paths = [folder / "one.json", folder / "two.json"]
    for path, document in zip(paths, (one, two), strict=True):
        path.write_text(json.dumps(document))
    return changes(load(str(paths[0])), load(str(paths[1])))


TEXT, NUMBER = BASE["properties"]["text"], BASE["properties"]["number"]
INNER = {"type": "array", "items": {"type": "object", "properties": {"inner": {"type": "integer"}}}}
TABLE: dict[str, tuple[dict[str, Any], str, Effect]] = {
    "field removed": (without("text"), "text", Effect.REMOVED),
    "field renamed": (
        changed(properties={("word" if key == "text" else key): each for key, each in BASE["properties"].items()}),
        "text",
        Effect.REMOVED,
    ),
    "optional field added": (field("more", type="string"), "more", Effect.ADDED),
    "required field added": (
        changed(properties={**BASE["properties"], "more": {}}, required=["code", "more"]),
        "more",
        Effect.NARROWER,
    ),
    "field now required": (changed(required=["code", "sex"]), "sex", Effect.NARROWER),
    "field no longer required": (changed(required=[]), "code", Effect.WIDER),
    "code removed": (field("code", title="Code", enum=["a"]), "code", Effect.NARROWER),
    "code added": (field("code", title="Code", enum=["a", "b", "c"]), "code", Effect.WIDER),
    "codes dropped": (field("code", title="Code", type="string"), "code", Effect.WIDER),
    "codes to numbers": (field("code", title="Code", type="integer"), "code", Effect.OTHER),
    "codes for a text": (field("text", title="Text", enum=["x1"]), "text", Effect.NARROWER),
    "codes that the text did not allow": (field("text", title="Text", const="y"), "text", Effect.OTHER),
    "code list for another": (
        field("sex", title="Sex", **{"$ref": "urn:spean:codes:dci:sort-order:1.0.0"}),
        "sex",
        Effect.NARROWER,
    ),
    "integer to number": (field("number", **{**NUMBER, "type": "number"}), "number", Effect.WIDER),
    "integer to text": (field("number", title="Number", type="string"), "number", Effect.OTHER),
    "null allowed": (field("text", **{**TEXT, "type": ["string", "null"]}), "text", Effect.WIDER),
    "longer text": (field("text", **{**TEXT, "maxLength": 10}), "text", Effect.WIDER),
    "shorter text": (field("text", **{**TEXT, "maxLength": 8}), "text", Effect.NARROWER),
    "higher minimum": (field("number", **{**NUMBER, "minimum": 1}), "number", Effect.NARROWER),
    "no minimum": (field("number", title="Number", type="integer"), "number", Effect.WIDER),
    "a maximum": (field("number", **{**NUMBER, "maximum": 5}), "number", Effect.NARROWER),
    "another pattern": (field("text", **{**TEXT, "pattern": "^y"}), "text", Effect.OTHER),
    "no pattern": (field("text", title="Text", type="string", maxLength=9), "text", Effect.WIDER),
    "a format": (field("text", **{**TEXT, "format": "uri"}), "text", Effect.NARROWER),
    "rule behind allOf": (field("text", **TEXT, allOf=[{"minLength": 2}]), "text", Effect.NARROWER),
    "inner field": (field("list", **INNER), "list[].inner", Effect.OTHER),
    "opened": (changed(additionalProperties=True), "", Effect.WIDER),
    "one alternative less": (changed(anyOf=[{"required": ["text"]}]), "", Effect.NARROWER),
    "one alternative more": (changed(anyOf=[*BASE["anyOf"], {"required": ["sex"]}]), "", Effect.WIDER),
    "a rule between fields": (changed(**{"x-prefix": {"text": "code"}}), "", Effect.NARROWER),
    "texts": (changed(title="Another thing"), "", Effect.TEXT),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_kind_of_change_is_found_where_it_is(case: str, tmp_path: Path) -> None:
    document, path, effect = TABLE[case]
    assert (path, effect) in [(each.path, each.effect) for each in found(tmp_path, BASE, document)]


def test_a_change_is_told_once_and_nothing_else_with_it(tmp_path: Path) -> None:
    for document in (field("number", **{**NUMBER, "minimum": 1}), without("text"), field("more", type="string")):
        assert len(found(tmp_path, BASE, document)) == 1


def test_nothing_changed() -> None:
    assert changes(load("cambodia/group@1.0.0"), load("cambodia/group@1.0.0")) == ()


@pytest.mark.parametrize(
    ("effect", "answer", "request_"),
    [
        (Effect.WIDER, (True, False), (False, True)),  # (breaks consumers, breaks providers)
        (Effect.NARROWER, (False, True), (True, False)),
        (Effect.OTHER, (True, True), (True, True)),
        (Effect.REMOVED, (True, True), (True, True)),
        (Effect.ADDED, (False, False), (False, False)),
        (Effect.TEXT, (False, False), (False, False)),
    ],
)
def test_whom_a_change_breaks(effect: Effect, answer: tuple[bool, bool], request_: tuple[bool, bool]) -> None:
    change = Change("test/thing", "a", "x", effect)
    for role, expected in ((Role.ANSWER, answer), (Role.REQUEST, request_)):
        assert (change.breaks_consumers(role), change.breaks_providers(role)) == expected
        assert change.breaks(role) is any(expected)


def test_a_published_version_that_changed_is_told(tmp_path: Path) -> None:
    same = changed() | IDENTITY
    assert found(tmp_path, BASE, same) == ()
    told = found(tmp_path, BASE, same | {"additionalProperties": True})
    assert "still version 1.0.0" in told[-1].what
    assert told[-1].breaks(Role.ANSWER)


def test_code_lists_are_compared(tmp_path: Path) -> None:
    one = {"name": "test/codes", "version": "1.0.0", "codes": [{"code": "A"}, {"code": "B"}]}
    two = {"name": "test/codes", "version": "1.1.0", "codes": [{"code": "B"}, {"code": "C"}]}
    assert [(each.what, each.effect) for each in found(tmp_path, one, two)] == [
        ("No longer accepted: A.", Effect.NARROWER),
        ("New values: C.", Effect.WIDER),
    ]


def write(folder: Path, *documents: dict[str, Any]) -> Library:
    folder.mkdir()
    for number, each in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(each))
    return load(str(folder))


def test_folders_are_compared_contract_by_contract(tmp_path: Path) -> None:
    part = {"$id": "urn:spean:contract:test:part:1.0.0", "properties": {"a": {"type": "string"}}}
    newer = {"$id": "urn:spean:contract:test:part:1.1.0", "properties": {"a": {"type": "integer"}}}
    whole = {"$id": "urn:spean:contract:test:whole:1.0.0", "properties": {"p": {"$ref": part["$id"]}}}
    whole_2 = {"$id": "urn:spean:contract:test:whole:2.0.0", "properties": {"p": {"$ref": newer["$id"]}}}
    other = {"$id": "urn:spean:contract:test:other:1.0.0"}
    old = write(tmp_path / "old", part, whole, BASE)
    new = write(tmp_path / "new", part, newer, whole_2, other)
    assert {(each.contract, each.path, each.effect) for each in changes(old, new)} == {
        ("test/thing", "", Effect.REMOVED),
        ("test/other", "", Effect.ADDED),
        ("test/part", "a", Effect.OTHER),  # and not once more below each record that contains it
    }
    one, two = (load(str(tmp_path / name / "1.json")) for name in ("old", "old"))
    assert changes(one, two) == ()


def test_a_record_that_contains_itself_ends(tmp_path: Path) -> None:
    def loop(version: str, kind: str) -> dict[str, Any]:
        urn = f"urn:spean:contract:test:loop:{version}"
        return {"$id": urn, "properties": {"next": {"$ref": urn}, "a": {"type": kind}}}

    told = found(tmp_path, loop("1.0.0", "string"), loop("1.1.0", "integer"))
    assert {each.path for each in told} <= {"a", "next.a"}
    assert "a" in {each.path for each in told}


CIRCLE = {**IDENTITY, "allOf": [{"$ref": IDENTITY["$id"]}]}


def test_references_in_a_circle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLibrary, match="circle"):
        found(tmp_path, CIRCLE, {**CIRCLE, "title": "x"})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"$id": "urn:x"}',
        "[" * 200_000,
        json.dumps({**IDENTITY, "properties": []}),
        json.dumps({**IDENTITY, "properties": {"a": {"enum": 5}}}),
        json.dumps({"name": "a/b", "version": "1.0.0", "codes": ["A"]}),
    ],
)
def test_what_is_no_contract_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(BadLibrary):
        load(str(tmp_path / "x.json"))


@pytest.mark.parametrize("name", ["dci/nobody", "dci/person@9.9.9", "nothing"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(BadLibrary, match="contract list"):
        load(name)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLibrary, match="holds no contracts"):
        load(str(tmp_path))


POOL: list[Any] = [None, True, 0, 1, 5, 2.5, "", "x", "xy", "yyyyy", [], [1], ["x"], {}, {"a": 1}, {"a": "x", "b": 1}]
scalars = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "object", "array", ["string", "null"]]),
        "enum": st.lists(st.sampled_from(["x", "xy", 1, 5, None]), min_size=1, max_size=3, unique=True),
        "const": st.sampled_from(["x", 1]),
        "pattern": st.sampled_from(["^x", "y$"]),
        **{key: st.integers(0, 3) for key in ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")},
        "uniqueItems": st.booleans(),
    },
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(st.sampled_from("ab"), scalars, max_size=2),
        "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
        "additionalProperties": st.booleans(),
        "items": scalars,
        "anyOf": st.lists(scalars, min_size=1, max_size=2),
        "allOf": st.lists(scalars, min_size=1, max_size=2),
        "not": st.fixed_dictionaries({"type": st.sampled_from(["string", "null"])}),
    },
)


@settings(max_examples=40, deadline=None)
@given(scalars | objects, scalars | objects)
def test_no_document_changes_sides_without_a_change_being_told(one: dict[str, Any], two: dict[str, Any]) -> None:
    told = {each.effect for each in _between(one, two)}
    before, after = reference_validator(one), reference_validator(two)
    for document in POOL:
        was, is_ = before.is_valid(document), after.is_valid(document)
        if was and not is_:
            # An open record that describes a field restricts it: readers and writers who do not know it lose nothing.
            assert told & {Effect.NARROWER, Effect.OTHER, Effect.REMOVED, Effect.ADDED}, document
        if is_ and not was:
            assert told & {Effect.WIDER, Effect.OTHER, Effect.ADDED, Effect.REMOVED}, document


def _between(one: dict[str, Any], two: dict[str, Any]) -> tuple[Change, ...]:
    libraries = [Library({}, (Entry("test/x", version, each),)) for version, each in (("1.0.0", one), ("1.1.0", two))]
    return changes(*libraries)
