import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.catalog import EXAMPLES, SCHEMAS
from contracts.codes import FOLDER
from tests.support.contract_rules import code_list_faults, example_faults, schema_faults, text_faults


def files(root: Path) -> dict[str, Path]:
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob("*.json"))}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def split(stem: str) -> tuple[str, str]:
    name, _dash, version = stem.rpartition("-")
    return name, version


def told(path: Path, faults: list[str]) -> str:
    return "\n".join(
        [f"{path.parent.parent.name}/{path.parent.name}/{path.name}:", *(f"  - {each}" for each in faults)]
    )


SCHEMA_FILES, EXAMPLE_FILES, CODE_FILES = files(SCHEMAS), files(EXAMPLES), files(FOLDER)
TEXTS = {"title": "A", "x-title-km": "ក", "description": "B", "x-description-km": "ខ"}


def known_urns() -> frozenset[str]:
    schemas = {f"urn:spean:contract:{':'.join(split(stem))}".replace("/", ":") for stem in SCHEMA_FILES}
    return frozenset(schemas | {f"urn:spean:codes:{':'.join(split(stem))}".replace("/", ":") for stem in CODE_FILES})


def all_told(paths: dict[str, Path], faults: Callable[[str, Path], Iterator[str]]) -> str:
    found = {stem: list(faults(stem, path)) for stem, path in paths.items()}
    return "\n".join(told(paths[stem], each) for stem, each in found.items() if each)


# One test for all files, because there are hundreds; each tells every fault of every file.
def test_schemas_keep_the_house_rules() -> None:
    known = known_urns()
    faults = all_told(SCHEMA_FILES, lambda stem, path: schema_faults(*split(stem), read(path), known))
    assert not faults, faults


def test_code_lists_keep_the_house_rules() -> None:
    faults = all_told(CODE_FILES, lambda stem, path: code_list_faults(*split(stem), read(path)))
    assert not faults, faults


def test_examples_are_judged_as_they_say() -> None:
    missing = sorted(set(SCHEMA_FILES) - set(EXAMPLE_FILES))
    assert not missing, f"write valid and invalid documents into contracts/examples/{{{', '.join(missing)}}}.json"
    faults = all_told(EXAMPLE_FILES, lambda stem, path: example_faults(*split(stem), read(path)))
    assert not faults, faults


def test_no_examples_without_a_schema() -> None:
    assert set(EXAMPLE_FILES) <= set(SCHEMA_FILES)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"$id": "urn:x"}, "$id must be"),
        ({"$schema": "x"}, "$schema must be"),
        ({"title": " "}, "the schema has no title"),
        ({"x-title-km": "A"}, "the schema has no x-title-km"),
        ({"title": "ក"}, "title must be English"),
        ({"additionalProperties": True}, "closed"),
        ({"unevaluatedProperties": False}, "do not know it"),
        ({"properties": {"a": {}}}, "/properties/a has no title"),
        ({"items": {"properties": {"a": {}}}}, "/items/properties/a has no description"),
        ({"properties": {"a": {**TEXTS, "$ref": "urn:spean:codes:none:1.0.0"}}}, "no such contract"),
        ({"properties": {"a": {**TEXTS, "format": "email"}}}, "contracts.formats knows"),
        ({"required": ["b"]}, "requires ['b']"),
    ],
)
def test_schema_rules_find_each_fault(change: dict[str, Any], fault: str) -> None:
    sound = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:spean:contract:cambodia:x:1.0.0",
        **TEXTS,
        "type": "object",
        "additionalProperties": False,
    }
    assert not list(schema_faults("cambodia/x", "1.0.0", sound, frozenset()))
    assert fault in "\n".join(schema_faults("cambodia/x", "1.0.0", sound | change, frozenset()))


def test_narrowing_parts_need_no_texts() -> None:
    part = {"allOf": [{"properties": {"action": {"const": "search"}}}]}
    faults = list(schema_faults("dci/x", "1.0.0", part, frozenset()))
    assert not [each for each in faults if "action" in each]


def test_code_rules_find_each_fault() -> None:
    data = {
        "name": "dci/y",
        "version": "1.0.0",
        **TEXTS,
        "codes": [{"code": "A", **TEXTS}, {"code": "A", "title": "A"}],
    }
    faults = "\n".join(code_list_faults("dci/x", "1.0.0", data))
    for part in ("as the file's name says", "stands there twice", "the code 'A' has no description"):
        assert part in faults
    assert "no codes" in "\n".join(code_list_faults("dci/x", "1.0.0", {}))
    assert not list(text_faults(TEXTS, "x"))


def test_example_rules_find_each_fault() -> None:
    name = {"surname": "សុខ", "given_name": "ដារ៉ា"}
    data = {
        "contract": "cambodia/name",
        "version": "1.0.0",
        "valid": [{"title": "A", "document": {"nickname": "x"}}],
        "invalid": [{"title": "A", "rule": "type", "pointer": "/surname", "document": name}],
    }
    faults = "\n".join(example_faults("cambodia/name", "1.0.0", data))
    for part in ("'A' does not", "the file says valid", "the validator says valid"):
        assert part in faults
    assert "no invalid example" in "\n".join(example_faults("cambodia/name", "1.0.0", data | {"invalid": []}))
