"""The questions that the fund asks, in the words of the standard: what is sought, for which purpose, by what right.

It refuses to send them. The demonstrations post them; ``sandbox up`` prints two for ``curl``.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from spean.sandbox.plan import HOUSEHOLD, MEMBERSHIP, NSAF, SEARCH_PATH, Institution, Service

Document = Mapping[str, Any]
Identifier = tuple[str, str]
"""Type and value, such as ``("SPID", "A26R-08WD")``."""

_LEGAL_GROUND: Final = "https://example.test/family-package/regulation"
_CONSENT_DAYS: Final = 90
_TEXTS: Final = {
    "ENROLMENT": "Enrol a family in the Family Package",
    "ELIGIBILITY_CHECK": "Check who can get the Family Package",
    "PAYMENT": "Pay the Family Package",
}


def household_by_card(card_no: str) -> Document:
    """Ask IDPoor for one household by the number of its equity card."""
    return by_number(HOUSEHOLD, ("EQUITY_CARD", card_no), "ENROLMENT")


def membership_of(khmer_ids: Sequence[str]) -> Document:
    """Ask NSSF which of some people, by Khmer ID card number, are insured."""
    return by_numbers(MEMBERSHIP, "KHM_ID", khmer_ids, "ENROLMENT")


def by_number(
    service: Service,
    number: Identifier,
    purpose: str,
    consent: Identifier | None = None,
    asker: Institution = NSAF,
) -> Document:
    """Ask for who has a number.

    Args:
        service: which registry.
        number: what is known.
        purpose: a code of the standard's list of purposes.
        consent: by whom consent was given; None: the law is the ground.
        asker: who asks.
    """
    kind, value = number
    query = {"query_type": "idtype-value", "query": {"type": kind, "value": value}}
    return _request(service, query, _ground(purpose, consent), asker)


def by_numbers(service: Service, kind: str, values: Sequence[str], purpose: str) -> Document:
    """Ask for everybody who has one of some numbers of a kind."""
    expression = {"collection": service.record, "query": {kind: {"$in": list(values)}}}
    query = {"query_type": "expression", "query": {"type": "expression", "value": {"expression": expression}}}
    return _request(service, query, _ground(purpose, None))


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


def _ground(purpose: str, consent: Identifier | None) -> Document:
    """By what right somebody asks: the law, or the consent of whom the data is about."""
    now = datetime.now(UTC)
    ts, text = now.isoformat(timespec="seconds"), _TEXTS[purpose]
    if consent is None:
        return {"authorize": {"ts": ts, "purpose": {"text": text, "code": purpose, "ref_uri": _LEGAL_GROUND}}}
    kind, value = consent
    given = {
        "ts": ts,
        "purpose": {"text": text, "code": purpose},
        "given_by": {"identifier_type": kind, "identifier_value": value},
        "valid_until": (now + timedelta(days=_CONSENT_DAYS)).isoformat(timespec="seconds"),
    }
    return {"consent": given}


def _request(service: Service, query: Document, ground: Document, asker: Institution = NSAF) -> Document:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    criteria = {
        "version": "1.0.0",
        "reg_type": service.registry,
        "reg_record_type": service.record,
        **query,
        **ground,
    }
    item = {"reference_id": str(uuid.uuid4()), "timestamp": now, "search_criteria": criteria, "locale": "khm"}
    header = {
        "version": "1.0.0",
        "message_id": str(uuid.uuid4()),
        "message_ts": now,
        "action": "search",
        "sender_id": str(asker.subsystem),
        "total_count": 1,
    }
    return {"header": header, "message": {"transaction_id": str(uuid.uuid4()), "search_request": [item]}}
