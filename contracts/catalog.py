"""The catalogue of contracts: which schemas exist, in which versions, with which examples.

It refuses to judge documents; that is :mod:`contracts.validation`, which compiles what this module reads.
Files are ``schemas/<family>/<name>-<version>.json``; Khmer texts stand beside the English ones as ``x-title-km``
and ``x-description-km``, which JSON Schema 2020-12 treats as annotations.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from referencing import Registry
from referencing.jsonschema import DRAFT202012

from contracts.codes import all_code_lists
from contracts.partial import without_demands
from contracts.subschemas import rewritten

SCHEMAS = Path(__file__).parent / "schemas"
EXAMPLES = Path(__file__).parent / "examples"

Schema = Mapping[str, Any]  # a JSON Schema is JSON: its values have no narrower type


class UnknownContract(KeyError):  # noqa: N818  # says what is unknown; KeyError says the rest
    """No contract of this name and version is part of the standard."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document that the contract accepts, or one that it refuses by ``rule`` at ``pointer``."""

    title: str
    valid: bool
    rule: str | None
    pointer: str | None
    document: object


@cache
def all_schemas() -> Mapping[tuple[str, str], Schema]:
    """Read every schema of the package once; the key is (name, version)."""
    found = {
        _key(path, SCHEMAS): json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMAS.rglob("*.json"))
    }
    return MappingProxyType(found)


@cache
def registry(*, partial: bool = False) -> Registry[Any]:
    """All schemas under their URNs, code lists put in place; nothing is ever fetched from elsewhere.

    With ``partial`` they refuse no document for what it lacks.
    """
    ready = [compilable(each, partial=partial) for each in all_schemas().values()]
    return Registry().with_resources((each["$id"], DRAFT202012.create_resource(each)) for each in ready)


def compilable(document: Schema, *, partial: bool = False) -> dict[str, Any]:
    """Return a schema as the validator takes it.

    References to code lists become their enumerations, which spares a look-up per coded field. ``$schema`` goes,
    because the library answers it with its own validator class, and the rules of ours would be lost behind a ``$ref``.
    """
    rest = {key: value for key, value in document.items() if key != "$schema"}
    rest = without_demands(rest) if partial else rest
    return cast("dict[str, Any]", rewritten(rest, _with_codes))


def _with_codes(node: dict[str, Any]) -> dict[str, Any]:
    found = _enumerations().get(node.get("$ref", ""))
    if found is None:
        return node
    return {key: value for key, value in node.items() if key != "$ref"} | {"enum": list(found)}


@cache
def _enumerations() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({each.urn: tuple(each.codes) for each in all_code_lists().values()})


def names() -> tuple[str, ...]:
    """Names of all contracts, sorted, such as ``cambodia/group``."""
    return tuple(sorted({name for name, _version in all_schemas()}))


def versions(name: str) -> tuple[str, ...]:
    """Versions of a contract, oldest first; raises :class:`UnknownContract`."""
    found = sorted((v for n, v in all_schemas() if n == name), key=_version_order)
    if not found:
        raise UnknownContract(f"no contract {name!r}")
    return tuple(found)


def schema(name: str, version: str) -> Schema:
    """Return the JSON Schema of a contract; raises :class:`UnknownContract`."""
    try:
        return all_schemas()[name, version]
    except KeyError as error:
        raise UnknownContract(f"no contract {name!r} in version {version!r}") from error


def examples(name: str, version: str) -> tuple[Example, ...]:
    """Return the published examples of a contract, valid ones first."""
    schema(name, version)
    path = EXAMPLES / f"{name}-{version}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    valid = [
        Example(each["title"], valid=True, rule=None, pointer=None, document=each["document"]) for each in data["valid"]
    ]
    invalid = [
        Example(each["title"], valid=False, rule=each["rule"], pointer=each["pointer"], document=each["document"])
        for each in data["invalid"]
    ]
    return (*valid, *invalid)


def field_schema(name: str, version: str, path: str) -> Schema | None:
    """Return the schema of the field that a dotted path names, lists passed through; None when there is none."""
    node: Schema | None = compilable(schema(name, version))
    for part in path.split("."):
        node = _step(node, part)
        if node is None:
            return None
    return node


def has_field(name: str, version: str, path: str) -> bool:
    """Tell whether a dotted path names a field that the contract describes."""
    return field_schema(name, version, path) is not None


def allowed_codes(name: str, version: str, path: str) -> frozenset[str] | None:
    """Return the codes that the field at ``path`` may hold; None when it is not coded or does not exist."""
    for candidate in _unfold(field_schema(name, version, path)):
        if "enum" in candidate:
            return frozenset(candidate["enum"])
        if "const" in candidate:
            return frozenset({candidate["const"]})
    return None


def _step(node: Schema | None, part: str) -> Schema | None:
    for candidate in _unfold(node):
        found = candidate.get("properties", {}).get(part)
        if found is not None:
            return cast("Schema", found)
    return None


def _unfold(node: Schema | None) -> Iterator[Schema]:
    """Yield a schema, what it refers to, and the elements of a list: all places where a field may be described."""
    if node is None:
        return
    yield node
    if "$ref" in node:
        yield from _unfold(cast("Schema", registry().contents(node["$ref"])))
    if "items" in node:
        yield from _unfold(node["items"])
    for part in node.get("allOf", ()):
        yield from _unfold(part)


def _key(path: Path, root: Path) -> tuple[str, str]:
    stem, _dash, version = path.stem.rpartition("-")
    return f"{path.relative_to(root).parent.as_posix()}/{stem}", version


def _version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
