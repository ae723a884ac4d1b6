"""Where schemas stand within a schema: the keywords that hold one, a list of them, or one by each name.

It refuses to know what any keyword means, and never looks into data: an ``enum`` may hold what looks like a reference,
and a field may be called ``pattern``. The catalogue and the compiled validator rewrite schemas through it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

BY_NAME: Final = ("properties", "$defs")
LISTS: Final = ("allOf", "anyOf", "oneOf")
SINGLE: Final = ("items", "not", "if", "then", "else", "additionalProperties", "propertyNames")

Node = dict[str, Any]


def rewritten(node: Any, change: Callable[[Node], Node]) -> Any:  # noqa: ANN401  # a schema is an object or a boolean
    """Apply ``change`` to each schema within a schema, and at last to the schema itself."""
    if not isinstance(node, dict):
        return node
    return change({key: _part(key, value, change) for key, value in node.items()})


def _part(key: str, value: Any, change: Callable[[Node], Node]) -> Any:  # noqa: ANN401  # any keyword's value
    if key in BY_NAME and isinstance(value, dict):
        return {name: rewritten(each, change) for name, each in value.items()}
    if key in LISTS and isinstance(value, list):
        return [rewritten(each, change) for each in value]
    return rewritten(value, change) if key in SINGLE else value


def children(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the schemas directly within a schema, each with its JSON Pointer from there."""
    for key in BY_NAME:
        yield from ((f"/{key}/{name}", each) for name, each in node.get(key, {}).items())
    for key in LISTS:
        yield from ((f"/{key}/{place}", each) for place, each in enumerate(node.get(key, ())))
    yield from ((f"/{key}", node[key]) for key in SINGLE if key in node)
