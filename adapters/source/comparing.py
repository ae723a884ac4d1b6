"""Checks one comparison of a search against the attributes that a source declares, whatever its kind.

It refuses attributes, operators, values and codes that the source does not declare.
SQL is rendered from what comes out of here, and calls to services are planned with it.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from adapters.errors import SearchRejected
from adapters.source.definition import Attribute, SourceDefinition
from adapters.source.filters import Comparison

INVALID: Final = "rjct.search_criteria.invalid"
MAX_STRING: Final = 255  # no identifier, code or name of a registry is longer; a longer one only costs memory
INT64: Final = range(-(2**63), 2**63)  # what a database's integer holds; more raises inside the driver
_ISO_DAY: Final = 10

Value = str | int | date


def checked(source: SourceDefinition, where: Comparison) -> tuple[Attribute, list[Value]]:
    """Return the attribute and the values as the source compares them; raises :class:`SearchRejected`."""
    attribute = attribute_of(source, where.attribute)
    if where.operator not in attribute.operators:
        allowed = ", ".join(sorted(attribute.operators))
        raise SearchRejected(INVALID, f"{attribute.name} can be compared with {allowed}, not {where.operator}")
    return attribute, [_value(attribute, each) for each in where.values]


def attribute_of(source: SourceDefinition, name: str) -> Attribute:
    """Return a declared attribute; raises :class:`SearchRejected`."""
    try:
        return source.attributes[name]
    except KeyError:
        known = ", ".join(sorted(source.attributes))
        raise SearchRejected(INVALID, f"the registry has no such attribute; it has {known}") from None


def _value(attribute: Attribute, value: object) -> Value:
    if attribute.type == "integer":
        if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
            raise SearchRejected(INVALID, f"{attribute.name} is compared with a whole number")
        return value
    if not isinstance(value, str) or not 0 < len(value) <= MAX_STRING:
        raise SearchRejected(INVALID, f"{attribute.name} is compared with text of 1 to {MAX_STRING} characters")
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        # Databases differ in how they fail on these; none of them can hold one.
        raise SearchRejected(INVALID, f"{attribute.name} is compared with text without control characters")
    if attribute.type == "date":
        return _day(attribute, value)
    return value if attribute.codes is None else _code(attribute, attribute.codes, value)


def _day(attribute: Attribute, value: str) -> date:
    """Take the day of a timestamp as it is written: the standard writes days as midnight in Cambodia."""
    try:
        return date.fromisoformat(value[:_ISO_DAY])
    except ValueError:
        raise SearchRejected(INVALID, f"{attribute.name} is compared with a day or timestamp (ISO 8601)") from None


def _code(attribute: Attribute, codes: Mapping[str, str], value: str) -> str:
    try:
        return codes[value]
    except KeyError:
        raise SearchRejected(INVALID, f"{attribute.name} is one of {', '.join(sorted(codes))}") from None
