"""Sources: where a programme's records are, read only, through an allow-list of tables, columns and attributes.

It refuses to write, to run a query that its institution did not declare, and to know what a record means.
The registry API hands a filter in and gets local records out; the mapping engine takes them from there.
"""

from adapters.source.connection import Connection, read_connection
from adapters.source.definition import SourceDefinition, SqlDefinition
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query, SortKey
from adapters.source.loading import load_source, parse_source
from adapters.source.opening import open_source
from adapters.source.protocol import Found, Placed, Source, ThreadedSource
from adapters.source.sql import SqlSource

__all__ = [
    "And",
    "Comparison",
    "Connection",
    "Filter",
    "Found",
    "Not",
    "Operator",
    "Or",
    "Placed",
    "Query",
    "SortKey",
    "Source",
    "SourceDefinition",
    "SqlDefinition",
    "SqlSource",
    "ThreadedSource",
    "load_source",
    "open_source",
    "parse_source",
    "read_connection",
]
