"""A schema with its references and its ``allOf`` folded into one object, so that two versions can be laid side by side.

It refuses to fold alternatives (``anyOf``, ``oneOf``, ``if``, ``not``): those are compared as they stand. What a folded
schema accepts is what the schema accepts; texts are those of the place where the reference stands.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.library import BadLibrary, Library

Node = dict[str, Any]

TEXTS: Final = ("title", "description", "x-title-km", "x-description-km", "x-basis", "$id", "$schema")
DEEPEST: Final = 32  # references to references; contracts have two or three
_FOLDED: Final = ("$ref", "allOf", "const", "$defs")


def flat(node: Any, library: Library, depth: int = 0) -> Node:  # noqa: ANN401  # a schema is an object or a boolean
    """Return one schema as one object; ``{"not": {}}`` for one that accepts nothing.

    Raises:
        BadLibrary: its references lead round in a circle.
    """
    if depth > DEEPEST:
        raise BadLibrary(f"References lead round in a circle, by way of {node.get('$ref', 'an allOf')}.")
    if node is False:
        return {"not": {}}
    if not isinstance(node, Mapping):
        return {}
    own = {key: value for key, value in node.items() if key not in _FOLDED}
    if "const" in node:
        own = _merged(own, {"enum": [node["const"]]})
    parts = (flat(each, library, depth + 1) for each in node.get("allOf", ()))
    for part in [*_referred(node, library, depth), *parts]:
        own = _merged(own, part)
    return own


def _referred(node: Mapping[str, Any], library: Library, depth: int) -> list[Node]:
    found = library.find(node.get("$ref", ""))
    if found is None:
        return []
    if found.coded:
        return [{"enum": [each["code"] for each in found.document["codes"]]}]
    return [flat(found.document, library, depth + 1)]


def _merged(own: Node, other: Node) -> Node:
    """Let both hold: of two limits the tighter one, of two lists of fields both."""
    out = dict(own)
    for key, value in other.items():
        if key in TEXTS:
            out.setdefault(key, value)
        elif key not in out:
            out[key] = value
        elif key in _TIGHTER:
            out[key] = _TIGHTER[key](out[key], value)
        elif out[key] != value:
            out["allOf"] = [*out.get("allOf", ()), {key: value}]  # two patterns and the like: both stay
    return out


def types(named: str | list[str]) -> frozenset[str]:
    """Give the named types, an integer being one kind of number."""
    found = {named} if isinstance(named, str) else set(named)
    return frozenset(found | ({"integer"} if "number" in found else set()))


def _fields(one: Node, other: Node) -> Node:
    return one | {name: {"allOf": [one[name], each]} if name in one else each for name, each in other.items()}


_TIGHTER: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "type": lambda one, other: sorted(types(one) & types(other)),
    "allOf": lambda one, other: [*one, *other],
    "properties": _fields,
    "required": lambda one, other: [*one, *(each for each in other if each not in one)],
    "enum": lambda one, other: [each for each in one if each in other],
    "items": lambda one, other: {"allOf": [one, other]},
    "additionalProperties": lambda one, other: one if other is True else other,
    **dict.fromkeys(("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"), max),
    **dict.fromkeys(("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"), min),
}
