"""Who asks, for which purpose and with whose consent: what a decision about least data needs.

It refuses to decide; in this release every field of the mapping is given to a client that the bus let through.
The registry API makes one context per search and hands it to the function that looks records up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from xroad.identifiers import ClientId


@dataclass(frozen=True, slots=True)
class Purpose:
    """DCI's consent or authorize object: when it was given and what for; DCI defines no proof of either."""

    at: datetime | None
    code: str | None
    text: str | None
    ref_uri: str | None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The circumstances of one search."""

    client: ClientId | None
    sender_id: str
    message_id: str
    transaction_id: str
    reference_id: str
    locale: str | None
    consent: Purpose | None
    authorize: Purpose | None


def read_purpose(data: Mapping[str, Any] | None) -> Purpose | None:
    """Read a consent or authorize object that the contract has checked; None when the request has none."""
    if data is None:
        return None
    purpose = data.get("purpose", {})
    at = datetime.fromisoformat(data["ts"]) if "ts" in data else None
    return Purpose(at, purpose.get("code"), purpose.get("text"), purpose.get("ref_uri"))
