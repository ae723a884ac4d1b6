"""What a search looks for, after DCI's three query languages have been read and before it is SQL.

It refuses to know any of them; :mod:`adapters.registry.queries` builds filters and :mod:`adapters.source.sql` renders
them.
A filter names attributes only, and a source decides which of those exist.
"""

from dataclasses import dataclass
from enum import StrEnum


class Operator(StrEnum):
    """The comparisons that a source can render."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute compared with one value, or with several for ``IN``."""

    attribute: str
    operator: Operator
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts hold."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts holds."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Filter"


Filter = Comparison | And | Or | Not


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of the order of records."""

    attribute: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole search: what, in which order, which page, and how many matches are too many."""

    where: Filter
    sort: tuple[SortKey, ...]
    offset: int
    limit: int
    max_matches: int
