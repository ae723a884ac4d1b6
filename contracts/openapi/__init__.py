"""The OpenAPI 3.1 documents of the four registry types, corrected and whole: what an adapter publishes about itself.

It refuses to know which adapter serves a document, and what it answers. Files hold the paths and refer to the
standard's schemas by their URN; :func:`document` puts schemas and code lists in, so that nothing is left to fetch.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from contracts.catalog import schema
from contracts.codes import CodeList, code_list

REGISTRIES: Final = ("crvs", "dr", "ibr", "sr")
FOLDER: Final = Path(__file__).parent
_URN: Final = re.compile(r"urn:spean:(contract|codes):([a-z]+):([a-z0-9-]+):([0-9.]+)")
_FILE_ONLY: Final = frozenset({"$schema", "$id"})  # of the schema's own file: inside, they would rebase


class UnknownRegistry(KeyError):  # noqa: N818  # says what is unknown; KeyError says the rest
    """There is no OpenAPI document of this registry type and version."""


@cache
def document(registry: str, version: str = "1.0.0") -> Mapping[str, Any]:
    """Return a registry type's whole OpenAPI document, ready for JSON; it is shared, so copy it before a change.

    Args:
        registry: one of :data:`REGISTRIES`.
        version: of DCI's API.

    Raises:
        UnknownRegistry: there is no such document.
    """
    if registry not in REGISTRIES or not (FOLDER / f"{registry}-{version}.json").is_file():
        raise UnknownRegistry(f"no OpenAPI document of {registry!r} in version {version!r}")
    whole = _joined(_read(registry, version), _read("common", version))
    schemas: dict[str, Any] = {}
    for urn in _references(whole):
        _collect(urn, schemas)
    whole["components"]["schemas"] = dict(sorted(schemas.items()))
    return _local(whole)  # type: ignore[no-any-return]  # an object stays an object


def _read(name: str, version: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}-{version}.json").read_text(encoding="utf-8"))
    return found


def _joined(own: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """Put what all registries share behind what is the registry's own."""
    return own | {
        "tags": own["tags"] + common["tags"],
        "paths": own["paths"] | common["paths"],
        "components": own["components"] | common["components"],
    }


def _collect(urn: str, found: dict[str, Any]) -> None:
    """Add what a URN names, and whatever that refers to, as components."""
    name = _component(urn)
    if name in found:
        return
    found[name] = node = _content(urn)
    for each in _references(node):
        _collect(each, found)


def _content(urn: str) -> dict[str, Any]:
    kind, family, name, version = _parts(urn)
    if kind == "codes":
        return _enumeration(code_list(f"{family}/{name}", version))
    return {key: value for key, value in schema(f"{family}/{name}", version).items() if key not in _FILE_ONLY}


def _enumeration(found: CodeList) -> dict[str, Any]:
    return {
        "title": found.title.en,
        "x-title-km": found.title.km,
        "description": found.description.en,
        "x-description-km": found.description.km,
        "type": "string",
        "enum": list(found.codes),
        "x-enum-titles": {code: label.en for code, label in found.codes.items()},
        "x-enum-titles-km": {code: label.km for code, label in found.codes.items()},
    }


def _component(urn: str) -> str:
    """Name a component: ``group`` for a contract of DCI, ``codes.sex-category`` for a list."""
    kind, family, name, _version = _parts(urn)
    return ".".join([*(["codes"] if kind == "codes" else []), *([family] if family != "dci" else []), name])


def _parts(urn: str) -> tuple[str, ...]:
    match = _URN.fullmatch(urn)
    if match is None:
        raise ValueError(f"not a URN of the standard: {urn!r}")
    return match.groups()


def _references(node: Any) -> Iterator[str]:  # noqa: ANN401  # any part of a document
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("urn:"):
            yield reference
        for each in node.values():
            yield from _references(each)


def _local(node: Any) -> Any:  # noqa: ANN401  # any part of a document
    """Turn references to the standard into references within the document."""
    if isinstance(node, list):
        return [_local(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _within(value) if key == "$ref" else _local(value) for key, value in node.items()}


def _within(reference: str) -> str:
    return f"#/components/schemas/{_component(reference)}" if reference.startswith("urn:") else reference
