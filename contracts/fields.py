"""The fields of a contract as people read them: title, description, type, what it refers to, and the rules in short.

It refuses to follow references: a field names the record or code list that it refers to. The command line and the data
dictionary show what this module gives.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.codes import Label

Node = Mapping[str, Any]

_CONTRACT: Final = "urn:spean:contract:"
_CODES: Final = "urn:spean:codes:"
_RULES: Final = (
    "format",
    "pattern",
    "const",
    "enum",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_WHOLE: Final = ("anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "x-prefix", "x-not-before")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What a field refers to."""

    name: str
    version: str
    coded: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        path: name, with the names above it where the record has parts of its own: ``value.expression.query``.
        type: JSON type; empty where only a reference says it.
        many: whether it is a list; type and target are those of an element.
        rules: keyword and value, those of elements last.
        basis: where the field comes from (``dci``, ``published``, ``assumed``), where the contract says so.
    """

    path: str
    title: Label
    description: Label
    required: bool
    type: str
    many: bool
    target: Target | None
    rules: tuple[tuple[str, str], ...]
    basis: str | None

    @property
    def kind(self) -> str:
        """Type and target in one phrase."""
        one = self.type
        if self.target is not None:
            one = f"{'code of' if self.target.coded else 'record'} {self.target.name} {self.target.version}"
        return f"list of {one or 'anything'}" if self.many else one or "anything"


def fields(schema: Node) -> tuple[Field, ...]:
    """Return all fields of a contract in their order, parts of a record after it."""
    return tuple(_fields(schema, ""))


def targets(schema: Node) -> tuple[Target, ...]:
    """Return what the fields of a contract refer to, each once, in order."""
    return tuple(dict.fromkeys(each.target for each in fields(schema) if each.target is not None))


def whole_rules(schema: Node) -> tuple[tuple[str, str], ...]:
    """Return the rules that stand over several fields of a record at once."""
    parts = [each for each in schema.get("allOf", ()) if "$ref" not in each]
    found = [(key, _shown(part[key])) for part in (schema, *parts) for key in _WHOLE if key in part]
    closed = [("additionalProperties", "false")] if schema.get("additionalProperties") is False else []
    return (*closed, *found)


def _fields(node: Node, above: str) -> Iterator[Field]:
    for name, each in node.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield _field(path, each, required=name in node.get("required", ()))
        yield from _fields(each, path)
        yield from _fields(each.get("items", {}), f"{path}[]")


def _field(path: str, node: Node, *, required: bool) -> Field:
    many = "items" in node
    one = node["items"] if many else node
    return Field(
        path=path,
        title=_label(node, "title"),
        description=_label(node, "description"),
        required=required,
        type=_type(one),
        many=many,
        target=_target(one),
        rules=tuple(_rules(node)) + (tuple(_rules(one)) if many else ()),
        basis=node.get("x-basis"),
    )


def _label(node: Node, key: str) -> Label:
    return Label(node.get(key, ""), node.get(f"x-{key}-km", ""))


def _type(node: Node) -> str:
    found = node.get("type", "")
    return found if isinstance(found, str) else " or ".join(found)


def _target(node: Node) -> Target | None:
    references = [node.get("$ref"), *(each.get("$ref") for each in node.get("allOf", ()))]
    return next((found for each in references if each and (found := target_of(each)) is not None), None)


def target_of(urn: str) -> Target | None:
    """Read a URN of a contract or code list; None for anything else."""
    for prefix, coded in ((_CONTRACT, False), (_CODES, True)):
        if urn.startswith(prefix):
            family, name, version = urn.removeprefix(prefix).split(":")
            return Target(f"{family}/{name}", version, coded)
    return None


def _rules(node: Node) -> Iterator[tuple[str, str]]:
    for part in (node, *node.get("allOf", ())):
        yield from ((key, _shown(part[key])) for key in _RULES if key in part)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
