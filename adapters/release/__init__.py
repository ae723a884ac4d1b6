"""Least data: what a service may give to whom for which purpose, and what leaves of a record.

It refuses to give anything that no declaration names; a service without a declaration gives nothing.
The registry API decides with it before it searches, and cuts each record with it before the answer leaves.
"""

from adapters.release.asked import Purpose, RequestContext, read_purpose
from adapters.release.decision import decide, purpose_of
from adapters.release.definition import NOTHING, PSEUDO_FIELDS, Basis, Release, Rule, load_release
from adapters.release.paths import BadPathError, Cut, FieldPath, cutter, parse_path, withheld

__all__ = [
    "NOTHING",
    "PSEUDO_FIELDS",
    "BadPathError",
    "Basis",
    "Cut",
    "FieldPath",
    "Purpose",
    "Release",
    "RequestContext",
    "Rule",
    "cutter",
    "decide",
    "load_release",
    "parse_path",
    "purpose_of",
    "read_purpose",
    "withheld",
]
