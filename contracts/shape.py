"""Limits that hold for every document, whatever its contract: depth, length of texts, and nothing but JSON.

It refuses to know any contract. It is asked before a contract is: a document that is nested without end, or that holds
what is not JSON, could otherwise stop a validator instead of being refused by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from contracts.violation import json_type

MAX_DEPTH: Final = 32  # a member's name within a search response stands at 12; each level costs validators stack
MAX_TEXT: Final = 1_000_000  # characters; far above any field, below what makes a pattern slow
MAX_EXPLAINED: Final = 20_000  # values; the reference takes about 25 µs for each
MAX_ALONE: Final = 200_000  # values that the reference may judge where no compiled validator is installed
_NAME: Final = "urn:spean:limits"  # so that its levels are found when it stands within another schema

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a document is beyond the limits, and which one it is."""

    path: Path
    value_type: str
    rule: str
    expected: str


def compiled_form() -> dict[str, Any]:
    """Return the limits as a JSON Schema, for a compiled validator: it finds a fault where :func:`fault` does."""
    leaf = {"type": ["object", "array", "string", "number", "boolean", "null"], "maxLength": MAX_TEXT}
    levels = {
        str(depth): {**leaf, "additionalProperties": _level(depth + 1), "items": _level(depth + 1)}
        for depth in range(MAX_DEPTH)
    }
    last = {str(MAX_DEPTH): {**leaf, "type": ["string", "number", "boolean", "null"]}}
    return {"$id": _NAME, **_level(0), "$defs": levels | last}


def _level(depth: int) -> dict[str, str]:
    return {"$ref": f"#/$defs/{depth}"}


def fault(document: object) -> Fault | None:
    """Return the first place where a document is beyond the limits; None when it is within them."""
    return next((found for path, value in _values(document) if (found := _fault_of(path, value)) is not None), None)


def value_count(document: object) -> int:
    """Count the values of a document that is within the limits."""
    return sum(1 for _each in _values(document))


def _values(document: object) -> Iterator[tuple[Path, object]]:
    """Yield every value with its path, down to one level below the limit; a stack of its own, against deep nesting."""
    waiting: list[tuple[Path, object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if len(path) > MAX_DEPTH:
            continue
        if isinstance(value, dict):
            waiting.extend(((*path, str(key)), each) for key, each in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, place), each) for place, each in enumerate(value))


def _fault_of(path: Path, value: object) -> Fault | None:
    if isinstance(value, dict | list):
        return _container_fault(path, value)
    if isinstance(value, str):
        return _text_fault(path, value)
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return None
    return Fault(path, json_type(value), "type", "a value of JSON")


def _container_fault(path: Path, value: dict[object, object] | list[object]) -> Fault | None:
    if len(path) >= MAX_DEPTH:
        return Fault(path[:MAX_DEPTH], json_type(value), "depth", f"at most {MAX_DEPTH} levels")
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return Fault(path, "object", "type", "names of fields that are strings")
    return None


def _text_fault(path: Path, value: str) -> Fault | None:
    if len(value) > MAX_TEXT:
        return Fault(path, "string", "length", f"at most {MAX_TEXT} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can escape it, and no database can store it
        return Fault(path, "string", "type", "text that Unicode can encode")
    return None
