"""The access record: who asked what about whom, for which purpose, and which fields were given; never a value.

It refuses to keep identifiers: persons stand in it as keyed hashes, so that only who holds the key can find one.
The registry API writes an entry before an answer leaves; ``spean access-report`` reads them for a citizen.
"""

from adapters.accesslog.entries import AccessEntry, Found, ItemStatus, Outcome, Transaction
from adapters.accesslog.keys import AccessKey, load_key
from adapters.accesslog.reading import find_accesses
from adapters.accesslog.store import AccessStore

__all__ = [
    "AccessEntry",
    "AccessKey",
    "AccessStore",
    "Found",
    "ItemStatus",
    "Outcome",
    "Transaction",
    "find_accesses",
    "load_key",
]
