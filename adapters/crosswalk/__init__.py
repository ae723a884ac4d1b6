"""The crosswalk: which numbers of which registries are one person, found, explained, and kept encrypted.

It refuses to merge what it is not sure of, and to change any registry: a human decides below the threshold, and owners
are told of what does not fit. The Social Protection Registry runs it and offers it as a service.
"""

from adapters.crosswalk.deciding import Decision, decide
from adapters.crosswalk.definition import Definition, load_definition
from adapters.crosswalk.duplicates import Report, reports
from adapters.crosswalk.people import Person
from adapters.crosswalk.reviewing import ReviewError, decide_pair, waiting
from adapters.crosswalk.taking import Crosswalk, Taken
from adapters.crosswalk.telling import messages

__all__ = [
    "Crosswalk",
    "Decision",
    "Definition",
    "Person",
    "Report",
    "ReviewError",
    "Taken",
    "decide",
    "decide_pair",
    "load_definition",
    "messages",
    "reports",
    "waiting",
]
