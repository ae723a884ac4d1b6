"""Sources: where a programme's records are, read only, through an allow-list of tables, columns and attributes.

It refuses to write, to run a query that its institution did not declare, and to know what a record means.
The registry API hands a filter in and gets local records out; the mapping engine takes them from there.
"""

from adapters.source.definition import SourceDefinition, load_source, parse_source
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query, SortKey
from adapters.source.sql import Found, SqlSource

__all__ = [
    "And",
    "Comparison",
    "Filter",
    "Found",
    "Not",
    "Operator",
    "Or",
    "Query",
    "SortKey",
    "SourceDefinition",
    "SqlSource",
    "load_source",
    "parse_source",
]
