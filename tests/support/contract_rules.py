"""The house rules of the standard's files: what each schema, code list and example must have besides being right.

It refuses to judge whether a rule of a contract is wise. Each function takes one file, parsed, and gives sentences that
say what to write where; the tests ask for none.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from contracts import ContractViolation, formats, siblings, validate

KHMER: Final = re.compile("[\u1780-\u17b3]")
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
# What both validators, the comparison of versions and the dictionary know. A new keyword is taught to them first.
_TEXTS: Final = {"title", "description", "x-title-km", "x-description-km", "x-basis"}
_SHAPE: Final = {
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "type",
    "properties",
    "items",
    "additionalProperties",
    "propertyNames",
}
_VALUES: Final = {"enum", "const", "pattern", "format", "minLength", "maxLength", "required", "dependentRequired"}
_NUMBERS: Final = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_SIZES: Final = {"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"}
_BRANCHES: Final = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
KNOWN: Final = frozenset(_TEXTS | _SHAPE | _VALUES | _NUMBERS | _SIZES | _BRANCHES | set(siblings.KEYWORDS))
FORMATS: Final = formats.NAMES
_INSIDE: Final = ("allOf", "anyOf", "oneOf")
_BELOW: Final = ("items", "not", "if", "then", "else", "additionalProperties", "propertyNames")


Node = Mapping[str, Any]


def schema_faults(name: str, version: str, schema: Node, known: frozenset[str]) -> Iterator[str]:
    """Say what a schema file lacks; ``known`` are the URNs that a ``$ref`` may lead to."""
    yield from _head_faults(name, version, schema)
    for where, node, narrowing in walk(schema, "", narrowing=False):
        yield from _node_faults(where, node, known, root=not where)
        for field, each in node.get("properties", {}).items():
            if not narrowing:
                yield from text_faults(each, f"{where}/properties/{field}")


def _head_faults(name: str, version: str, schema: Node) -> Iterator[str]:
    urn = f"urn:spean:contract:{name.replace('/', ':')}:{version}"
    if not VERSION.fullmatch(version):
        yield f"the file's name must end with a version such as 1.0.0, not {version!r}"
    if schema.get("$id") != urn:
        yield f"$id must be {urn!r}, as the file's name says"
    if schema.get("$schema") != DIALECT:
        yield f"$schema must be {DIALECT!r}"
    closed = schema.get("additionalProperties") is False
    object_like = schema.get("type") == "object"
    if name.startswith("cambodia/") and object_like and not closed:
        yield 'records of the profile are closed: write "additionalProperties": false'
    if name.startswith("dci/") and object_like and closed:
        yield 'DCI\'s own records are open: leave "additionalProperties" out'
    yield from text_faults(schema, "the schema")


def text_faults(node: Node, where: str) -> Iterator[str]:
    """Say which of the four texts are missing, or are Khmer in name only."""
    for key in ("title", "description"):
        if not str(node.get(key, "")).strip():
            yield f"{where} has no {key}"
        elif KHMER.search(str(node[key])):
            yield f"{where}: {key} must be English; Khmer stands in x-{key}-km"
        if not KHMER.search(str(node.get(f"x-{key}-km", ""))):
            yield f"{where} has no x-{key}-km with Khmer letters"


def _node_faults(where: str, node: Node, known: frozenset[str], *, root: bool) -> Iterator[str]:
    for key in sorted(set(node) - KNOWN):
        yield f"{where or '/'} uses {key!r}: the validators and the dictionary do not know it"
    if not root and {"$id", "$schema"} & set(node):
        yield f"{where} has an $id or $schema of its own: only a file has one"
    reference = node.get("$ref")
    if reference is not None and reference not in known:
        yield f"{where} refers to {reference!r}, and there is no such contract or code list"
    if node.get("format", "date-time") not in FORMATS:
        yield f"{where} uses the format {node['format']!r}: contracts.formats knows {sorted(FORMATS)}"
    described = set(node.get("properties", {}))
    if root and (unknown := set(node.get("required", ())) - described):
        yield f"{where or '/'} requires {sorted(unknown)}, which it does not describe"


def walk(node: Any, where: str, *, narrowing: bool) -> Iterator[tuple[str, Node, bool]]:
    """Yield each subschema, and whether it only narrows fields that are described elsewhere."""
    if not isinstance(node, dict):
        return
    yield where, node, narrowing
    for key in ("properties", "$defs"):
        for name, each in node.get(key, {}).items():
            yield from walk(each, f"{where}/{key}/{name}", narrowing=narrowing)
    for key in _INSIDE:
        for number, each in enumerate(node.get(key, ())):
            yield from walk(each, f"{where}/{key}/{number}", narrowing=True)
    for key in _BELOW:
        yield from walk(node.get(key), f"{where}/{key}", narrowing=narrowing or key in _BRANCHES)


def code_list_faults(name: str, version: str, data: Node) -> Iterator[str]:
    """Say what a code list's file lacks."""
    if (data.get("name"), data.get("version")) != (name, version):
        yield f"name and version must be {name!r} and {version!r}, as the file's name says"
    yield from text_faults(data, "the list")
    codes = [each.get("code") for each in data.get("codes", ())]
    if not codes:
        yield "the list has no codes"
    for code in sorted({each for each in codes if codes.count(each) > 1}):
        yield f"the code {code!r} stands there twice"
    for each in data.get("codes", ()):
        yield from text_faults(each, f"the code {each.get('code')!r}")


def example_faults(name: str, version: str, data: Node) -> Iterator[str]:
    """Say what an examples file lacks, and which of its documents are not judged as it says."""
    if (data.get("contract"), data.get("version")) != (name, version):
        yield f"contract and version must be {name!r} and {version!r}, as the file's name says"
    for kind in ("valid", "invalid"):
        if not data.get(kind):
            yield f"there is no {kind} example"
    titles = [each.get("title") for kind in ("valid", "invalid") for each in data.get(kind, ())]
    for title in sorted({str(each) for each in titles if not each or titles.count(each) > 1}):
        yield f"titles of examples tell them apart: {title!r} does not"
    for each in data.get("valid", ()):
        yield from _unlike(name, version, each, None)
    for each in data.get("invalid", ()):
        yield from _unlike(name, version, each, (each.get("rule"), each.get("pointer")))


def _unlike(name: str, version: str, example: Node, expected: tuple[str, str] | None) -> Iterator[str]:
    found = _judged(lambda: validate(name, version, example.get("document")))
    if found != expected:
        yield f"example {example.get('title')!r}: the file says {_told(expected)}, the validator says {_told(found)}"


def _judged(check: Callable[[], None]) -> tuple[str, str] | None:
    try:
        check()
    except ContractViolation as violation:
        return violation.rule, violation.pointer
    return None


def _told(judgement: tuple[str, str] | None) -> str:
    return "valid" if judgement is None else f"rule {judgement[0]!r} at {judgement[1]!r}"
