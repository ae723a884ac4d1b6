"""The questions that the fund asks: a household by equity card, the insured among some people.

It refuses to send them. The demonstration posts them; ``sandbox up`` prints them for ``curl``.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from spean.sandbox.plan import NSAF, SEARCH_PATH, Institution, Service

Document = Mapping[str, Any]

_PURPOSE: Final = {
    "text": "Check who can get the Family Package",
    "code": "ELIGIBILITY",
    "ref_uri": "https://example.test/purpose/eligibility",
}


def household_by_card(card_no: str) -> Document:
    """Ask IDPoor for one household by the number of its equity card."""
    return _request("Group", {"query_type": "idtype-value", "query": {"type": "EQUITY_CARD", "value": card_no}})


def membership_of(khmer_ids: Sequence[str]) -> Document:
    """Ask NSSF which of some people, by Khmer ID card number, are insured."""
    expression = {"collection": "SchemeMembership", "query": {"KHM_ID": {"$in": list(khmer_ids)}}}
    query = {"type": "expression", "value": {"expression": expression}}
    return _request("SchemeMembership", {"query_type": "expression", "query": query})


def path_of(provider: Institution, service: Service | None = None) -> str:
    """Give the path of a registry's search on any security server's client port (PR-REST 4.1).

    Args:
        provider: who answers.
        service: which of its registries; the first when None.
    """
    code = (service or provider.services[0]).code
    return f"/r1/{provider.subsystem}/{code}{SEARCH_PATH}"


def subscribe_path(provider: Institution) -> str:
    """Give the path of an operation to which the fund has no right."""
    return path_of(provider).removesuffix("sync/search") + "subscribe"


def _request(record_type: str, query: Document) -> Document:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    criteria = {
        "version": "1.0.0",
        "reg_type": "Social",
        "reg_record_type": record_type,
        **query,
        "authorize": {"ts": now, "purpose": _PURPOSE},
    }
    item = {"reference_id": str(uuid.uuid4()), "timestamp": now, "search_criteria": criteria, "locale": "khm"}
    header = {
        "version": "1.0.0",
        "message_id": str(uuid.uuid4()),
        "message_ts": now,
        "action": "search",
        "sender_id": str(NSAF.subsystem),
        "total_count": 1,
    }
    return {"header": header, "message": {"transaction_id": str(uuid.uuid4()), "search_request": [item]}}
