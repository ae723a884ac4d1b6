"""What a record of a contract is made of, as a mapping sees it: fields, which of them must be there, and their texts.

It refuses to judge a record; the contract does. :mod:`adapters.mapping.review` compares a mapping with it, and new
mappings are proposed from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import contracts

_CONTRACT: Final = "urn:spean:contract:"
Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field of a scope: its name, its JSON Schema, and whether the scope's object needs it."""

    name: str
    schema: Node
    required: bool

    @property
    def is_object(self) -> bool:
        """Tell whether it has fields of its own, lists passed through."""
        return any("properties" in part for part in unfold(self.schema))


def fields_at(contract: str, version: str, path: str = "") -> tuple[TargetField, ...]:
    """Return the fields of the object at a dotted path, lists passed through; empty where there is none."""
    node = contracts.schema(contract, version) if not path else contracts.field_schema(contract, version, path)
    if node is None:
        return ()
    properties: dict[str, Node] = {}
    required: set[str] = set()
    for part in unfold(node):
        properties.update(part.get("properties", {}))
        required.update(part.get("required", ()))
    return tuple(TargetField(name, each, name in required) for name, each in properties.items())


def unfold(node: Node) -> Iterator[Node]:
    """Yield a schema, what it refers to, and the elements of a list: all that describes what may stand there."""
    yield node
    reference = node.get("$ref", "")
    if reference.startswith(_CONTRACT):
        family, name, version = reference.removeprefix(_CONTRACT).split(":")
        yield from unfold(contracts.schema(f"{family}/{name}", version))
    if isinstance(node.get("items"), Mapping):
        yield from unfold(node["items"])
    for part in node.get("allOf", ()):
        yield from unfold(part)
