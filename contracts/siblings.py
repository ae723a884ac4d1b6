"""Rules between the fields of one object, which JSON Schema has no keyword for.

It refuses to know which records use them: a schema says ``"x-prefix": {"village_code": "commune_code"}``, and the
validator hands the rule and the object in. To a validator that does not know them they are annotations, as all ``x-``
keywords are.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

Rule = Mapping[str, str]  # field to the field that it is compared with


def broken_prefix(rule: Rule, instance: object) -> str | None:
    """Name the first field that does not begin with its partner: a village that lies in another commune."""
    return _first(rule, instance, str.startswith)


def broken_order(rule: Rule, instance: object) -> str | None:
    """Name the first field that is earlier than its partner: a card that ends before it begins.

    Both are days in the one form of the profile (midnight in Cambodia), or both months, or both years of four digits;
    texts of one form compare as the times do.
    """
    return _first(rule, instance, str.__ge__)


KEYWORDS: Final[Mapping[str, Callable[[Rule, object], str | None]]] = MappingProxyType(
    {"x-prefix": broken_prefix, "x-not-before": broken_order}
)


def _first(rule: Rule, instance: object, holds: Callable[[str, str], bool]) -> str | None:
    if not isinstance(instance, dict):  # JSON's objects: to ask for any mapping costs as much as all the rest
        return None
    for field, partner in rule.items():
        value, other = instance.get(field), instance.get(partner)
        # What is missing or no text is judged by the rules of the field itself.
        if isinstance(value, str) and isinstance(other, str) and not holds(value, other):
            return field
    return None
