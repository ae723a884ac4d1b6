"""What happens while one message is answered, for the access record: one draft per search, failed until it is not.

It refuses to be forgotten: whatever ends a message early, its drafts are written before the refusal leaves.
The service opens a draft per search and fills it step by step; the HTTP application closes the ledger.
"""

from dataclasses import dataclass, field
from datetime import datetime

from adapters.accesslog import AccessEntry, Outcome, Transaction
from adapters.subjects import PersonId


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all searches of a message have in common."""

    at: datetime
    service: str
    operation: str
    client: str
    via: str
    xroad_id: str
    user: str


@dataclass(slots=True)
class Draft:
    """One search, as far as it has come."""

    purpose: str | None = None
    basis: str | None = None
    asked_by: tuple[str, ...] = ()
    subjects: set[PersonId] = field(default_factory=set)
    outcome: Outcome = Outcome.FAILED
    reason: str | None = None
    given: tuple[str, ...] = ()
    records: int = 0


class Ledger:
    """The drafts of one message, and the transaction once it is answered."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self._drafts: list[Draft] = []
        self.transaction: Transaction | None = None
        self.message: tuple[str, str] | None = None  # client and message_id, while it is being answered

    @property
    def xroad_id(self) -> str:
        """The bus's id of the exchange, or nothing."""
        return self._circumstances.xroad_id

    def draft(self) -> Draft:
        """Begin a search."""
        draft = Draft()
        self._drafts.append(draft)
        return draft

    def abandon(self, outcome: Outcome, reason: str) -> None:
        """Nothing leaves: what was found for any search of the message was not given."""
        self.transaction = None
        for draft in self._drafts:
            draft.outcome, draft.reason, draft.given, draft.records = outcome, reason, (), 0

    def entries(self) -> list[AccessEntry]:
        """Return what is to be written."""
        return [self._entry(each) for each in self._drafts]

    def _entry(self, draft: Draft) -> AccessEntry:
        told = self._circumstances
        return AccessEntry(
            at=told.at,
            service=told.service,
            operation=told.operation,
            client=told.client,
            via=told.via,
            xroad_id=told.xroad_id,
            user=told.user,
            purpose=draft.purpose,
            basis=draft.basis,
            asked_by=draft.asked_by,
            outcome=draft.outcome,
            reason=draft.reason,
            given=draft.given,
            records=draft.records,
            subjects=frozenset(draft.subjects),
        )
