"""A contract for an answer of which fields were withheld: what is there must be right, and nothing must be there.

It refuses to say which fields may be withheld; an adapter's release declaration does. A consumer judges with it what it
got under least data, where the whole contract would miss the fields that it may not see.
"""

from collections.abc import Mapping
from typing import Any, Final

from contracts.subschemas import BY_NAME, LISTS, SINGLE

_DEMANDS: Final = frozenset({"required", "dependentRequired", "minProperties", "minItems"})
# A condition asks whether fields are there: without its demands it would hold for every document.
_CONDITIONS: Final = frozenset({"if", "not"})


def without_demands(node: Any) -> Any:  # noqa: ANN401  # a schema is an object or a boolean
    """Return a schema that refuses no document for what it lacks."""
    if not isinstance(node, Mapping):
        return node
    kept = {key: _part(key, value) for key, value in node.items() if key not in _DEMANDS}
    alternatives = kept.pop("oneOf", None)
    if alternatives is not None:  # with less to tell them apart, two of them may fit
        kept["allOf"] = [*kept.get("allOf", ()), {"anyOf": alternatives}]
    return kept


def _part(key: str, value: Any) -> Any:  # noqa: ANN401  # any keyword's value
    if key in _CONDITIONS:
        return value
    if key in BY_NAME:
        return {name: without_demands(each) for name, each in value.items()}
    if key in LISTS:
        return [without_demands(each) for each in value]
    return without_demands(value) if key in SINGLE else value
