"""The records and code lists of DCI 1.0.0, held against the descriptions that DCI published.

They refuse both ways: what is published for our four registries is in the standard, and nothing in the ``dci`` family
of the standard is without a source. Each exclusion says its reason.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

import contracts
from tests.support.dci_names import (
    BORROWED,
    CODES,
    ELSEWHERE,
    ENVELOPES,
    EXCLUDED,
    EXCLUDED_FOLDERS,
    FOLDERS,
    MESSAGES,
    OBJECTS,
    RANGES_LEFT,
    WIRE_CODES,
)

Shared = Callable[[str], Path]
URN: Final = re.compile(r"urn:spean:codes:dci:([a-z-]+):")


@cache
def nodes(path: Path) -> tuple[Mapping[str, Any], ...]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return tuple(found.get("@graph", [found]))


def source(shared: Shared, name: str) -> tuple[Mapping[str, Any], ...]:
    return nodes(shared("standards/dci/jsonld") / f"{name}.jsonld")


def codes(graph: tuple[Mapping[str, Any], ...]) -> list[str]:
    listed = [each for node in graph for each in node.get("owl:oneOf", ())]
    names = [each if isinstance(each, str) else each["@id"] for each in listed]
    # One code is published without its colon: "programme14".
    return [re.sub(r"^programme(?=[0-9])", "", each.rpartition(":")[2]) for each in names]


def fields(graph: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[str, Any]]:
    for node in graph:
        for each in node.get("rdfs:property", ()):
            yield each["@id"].rpartition(":")[2], each.get("rdfs:range")


def ours(name: str) -> dict[str, Mapping[str, Any]]:
    """All fields of a record of ours, those of its base included."""
    found = contracts.schema(f"dci/{name}", "1.0.0")
    bases = [each["$ref"].split(":")[4] for each in found.get("allOf", ()) if "$ref" in each]
    return {key: value for base in bases for key, value in ours(base).items()} | dict(found.get("properties", {}))


def own_fields(name: str) -> set[str]:
    return set(contracts.schema(f"dci/{name}", "1.0.0").get("properties", ()))


def test_every_published_folder_has_its_place(shared: Shared) -> None:
    text = shared("standards/dci/objects-and-codes.txt").read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:DATA|CODE) ([^/]+/[^/]+)/", text, re.MULTILINE)) == {*FOLDERS, *EXCLUDED_FOLDERS}
    assert all(EXCLUDED_FOLDERS.values()), "an exclusion says its reason"


def test_every_published_file_has_its_place(shared: Shared) -> None:
    root = shared("standards/dci/jsonld")
    found = {
        p.relative_to(root).with_suffix("").as_posix() for each in FOLDERS for p in (root / each).rglob("*.jsonld")
    }
    placed = [*OBJECTS, *CODES, *EXCLUDED]
    assert len(placed) == len(set(placed))
    assert found == set(placed)
    assert all(EXCLUDED.values()), "an exclusion says its reason"


@pytest.mark.parametrize(("published", "name"), OBJECTS.items())
def test_record_has_the_published_fields(published: str, name: str, shared: Shared) -> None:
    assert own_fields(name) == {field for field, _range in fields(source(shared, published))} | BORROWED.get(
        name, set()
    )


@pytest.mark.parametrize(("published", "name"), OBJECTS.items())
def test_record_stands_on_the_published_base(published: str, name: str, shared: Shared) -> None:
    bases = {str(node.get("rdfs:subClassOf")).rpartition(":")[2] for node in source(shared, published)}
    expected = bases & {"Person", "Member", "Group"}
    found = {each["$ref"].split(":")[4] for each in contracts.schema(f"dci/{name}", "1.0.0").get("allOf", ())}
    assert found == {each.lower() for each in expected}


@pytest.mark.parametrize(("published", "name"), OBJECTS.items())
def test_coded_fields_have_the_published_list(published: str, name: str, shared: Shared) -> None:
    by_file = {file.rpartition("/")[2]: found for file, found in CODES.items()}
    for field, published_range in fields(source(shared, published)):
        key = "".join(
            re.findall(r"(?:code|spdci|spdcicode|spdcicore|ibr):([A-Za-z]+)", json.dumps(published_range))[:1]
        )
        expected = by_file.get(RANGES_LEFT.get(key, key))
        if expected is not None and (name, field) not in RANGES_LEFT:
            assert URN.findall(json.dumps(ours(name)[field])) == [expected], f"{name}.{field}"


@pytest.mark.parametrize(("published", "name"), CODES.items())
def test_list_has_the_published_codes(published: str, name: str, shared: Shared) -> None:
    assert list(contracts.code_list(f"dci/{name}").codes) == codes(source(shared, published))


@pytest.mark.parametrize(("published", "name"), [pair for pair in OBJECTS.items() if "/ibr/" in pair[0]])
def test_required_fields_are_the_published_ones(published: str, name: str, shared: Shared) -> None:
    listed = {each.rpartition(":")[2] for node in source(shared, published) for each in node.get("required", ())}
    # JSON-LD's own members, and fields that the record does not have, cannot be demanded of it.
    assert set(contracts.schema(f"dci/{name}", "1.0.0").get("required", ())) == listed & own_fields(name)


def test_no_contract_is_without_a_source() -> None:
    known = {*OBJECTS.values(), *MESSAGES, *ENVELOPES, *ELSEWHERE}
    assert {each for each in contracts.names() if each.startswith("dci/")} == {f"dci/{each}" for each in known}


def test_no_code_list_is_without_a_source() -> None:
    known = {f"dci/{each}" for each in (*CODES.values(), *WIRE_CODES)}
    assert {each for each in contracts.code_list_names() if each.startswith("dci/")} == known
