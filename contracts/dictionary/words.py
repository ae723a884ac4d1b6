"""Rules, types and origins in words, in English and Khmer.

It refuses to leave a rule out: what it has no words for is shown as JSON Schema writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts.codes import Label

_RULES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "minLength": ("length at least {}", "យ៉ាងតិច {} តួអក្សរ"),
        "maxLength": ("length at most {}", "យ៉ាងច្រើន {} តួអក្សរ"),
        "minimum": ("at least {}", "យ៉ាងតិច {}"),
        "maximum": ("at most {}", "យ៉ាងច្រើន {}"),
        "exclusiveMinimum": ("more than {}", "ច្រើនជាង {}"),
        "exclusiveMaximum": ("less than {}", "តិចជាង {}"),
        "multipleOf": ("a multiple of {}", "ពហុគុណនៃ {}"),
        "minItems": ("number of entries at least {}", "យ៉ាងតិច {} ធាតុ"),
        "maxItems": ("number of entries at most {}", "យ៉ាងច្រើន {} ធាតុ"),
        "minProperties": ("number of fields at least {}", "យ៉ាងតិច {} វាល"),
        "maxProperties": ("number of fields at most {}", "យ៉ាងច្រើន {} វាល"),
        "uniqueItems": ("no entry twice", "គ្មានធាតុស្ទួន"),
        "const": ("always", "ជានិច្ច"),
        "enum": ("one of", "មួយក្នុងចំណោម"),
        "pattern": ("in the form", "តាមទម្រង់"),
        "additionalProperties": ("no other field than these", "គ្មានវាលផ្សេងក្រៅពីនេះ"),
        "anyOf": ("at least one of these holds", "យ៉ាងតិចមួយត្រូវពិត"),
        "oneOf": ("exactly one of these holds", "មួយគត់ត្រូវពិត"),
        "not": ("this does not hold", "នេះមិនត្រូវពិតទេ"),
        "if": ("if this holds", "បើនេះពិត"),
        "then": ("then this holds", "នោះនេះត្រូវពិត"),
        "else": ("otherwise this holds", "បើមិនដូច្នេះទេ នេះត្រូវពិត"),
        "dependentRequired": ("one field demands others", "វាលមួយទាមទារវាលផ្សេង"),
        "x-prefix": ("the first code begins with the second", "កូដទីមួយចាប់ផ្តើមដោយកូដទីពីរ"),
        "x-not-before": ("the first day is not before the second", "ថ្ងៃទីមួយមិនមុនថ្ងៃទីពីរ"),
    }
)
_WORDS_ONLY: Final = frozenset({"uniqueItems", "additionalProperties"})
_FORMATS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "date-time": ("a day and time with its zone", "ថ្ងៃ និងម៉ោង ព្រមទាំងតំបន់ម៉ោង"),
        "normalised": ("Khmer in its normal form", "អក្សរខ្មែរតាមទម្រង់ធម្មតា"),
        "uri": ("an absolute URI", "URI ពេញលេញ"),
        "ncdd-province": ("a province that exists", "ខេត្តដែលមាន"),
        "ncdd-district": ("a district that exists", "ស្រុក ខណ្ឌ ឬក្រុងដែលមាន"),
        "ncdd-commune": ("a commune that exists", "ឃុំ ឬសង្កាត់ដែលមាន"),
        "ncdd-village": ("a village that exists", "ភូមិដែលមាន"),
    }
)
_TYPES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "string": ("text", "អត្ថបទ"),
        "integer": ("whole number", "ចំនួនគត់"),
        "number": ("number", "ចំនួន"),
        "boolean": ("yes or no", "បាទ/ចាស ឬទេ"),
        "object": ("parts of its own", "មានផ្នែករង"),
        "array": ("list", "បញ្ជី"),
        "null": ("empty", "ទទេ"),
    }
)
_ORIGINS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "dci": ("DCI 1.0.0", "DCI ១.០.០"),
        "published": ("a published Cambodian source", "ប្រភពកម្ពុជាដែលបានផ្សាយ"),
        "assumed": ("an assumption of this standard", "ការសន្មតរបស់ស្តង់ដារនេះ"),
    }
)
FAMILIES: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "cambodia": Label("The Cambodian profile", "ទម្រង់កម្ពុជា"),
        "dci": Label("DCI 1.0.0, the international base", "DCI ១.០.០ មូលដ្ឋានអន្តរជាតិ"),
    }
)


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule in words, and what stands beside them as a program reads it: a pattern, or a part of a schema."""

    words: Label
    code: str


def rule_words(keyword: str, value: str) -> RuleWords:
    """Say a rule of JSON Schema."""
    if keyword == "format" and value in _FORMATS:
        return RuleWords(Label(*_FORMATS[value]), "")
    english, khmer = _RULES.get(keyword, (keyword, keyword))
    coded = "{}" not in english and keyword not in _WORDS_ONLY
    return RuleWords(Label(english.replace("{}", value), khmer.replace("{}", value)), value if coded else "")


def type_words(name: str) -> Label:
    """Say a JSON type, or several that are joined by "or"."""
    parts = [_TYPES.get(each, (each, each)) for each in name.split(" or ")] if name else [("anything", "អ្វីក៏បាន")]
    return Label(" or ".join(each[0] for each in parts), " ឬ ".join(each[1] for each in parts))


def origin_words(basis: str) -> Label:
    """Say where a field comes from."""
    return Label(*_ORIGINS.get(basis, (basis, basis)))


def family_words(family: str) -> Label:
    """Give the title of a family of contracts."""
    return FAMILIES.get(family, Label(family, family))
