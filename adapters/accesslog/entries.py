"""What the access record holds: one entry per search, and one transaction per message.

It refuses values of records and what callers chose freely, except sealed. The registry API makes these, the store
writes them, and the report reads entries back.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adapters.subjects import PersonId


class Outcome(StrEnum):
    """What came of a search."""

    GIVEN = "given"
    NOTHING = "nothing"  # found nobody, or nothing that may be given
    REFUSED = "refused"
    FAILED = "failed"  # the registry could not answer


@dataclass(frozen=True, slots=True)
class Found:
    """One search as the report reads it: who, when, why, by which attributes, and which fields left.

    ``user`` is who asked in the client's system, in its own words; empty when it did not say.
    """

    at: datetime
    service: str
    operation: str
    client: str
    via: str
    xroad_id: str
    user: str
    purpose: str | None
    basis: str | None
    asked_by: tuple[str, ...]
    outcome: Outcome
    reason: str | None
    given: tuple[str, ...]
    records: int


@dataclass(frozen=True, slots=True)
class AccessEntry(Found):
    """One search, to be written: also whose data it was about."""

    subjects: frozenset[PersonId]


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """The status of one search of a message, for later questions about it."""

    reference_id: str
    timestamp: str
    status: str
    reason: str | None
    records: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One message that was answered; its identifiers are the caller's own words."""

    at: datetime
    service: str
    client: str
    message_id: str
    transaction_id: str
    correlation_id: str
    items: tuple[ItemStatus, ...]
