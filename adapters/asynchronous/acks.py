"""Writes DCI's acknowledgements.

It refuses to decide what is acknowledged. ``ACK`` says that a message was taken, ``NACK`` that it was understood and
nothing follows, ``ERR`` that it could not be dealt with; results of single events are ours and stand beside.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from adapters.errors import MessageRejected, RequestRefused
from adapters.events import Result
from adapters.registry.answers import timestamp
from adapters.registry.service import Reply

DUPLICATE: Final = "rjct.message_id.duplicate"
TAKEN: Final = 202  # what follows is a message of its own
OK: Final = 200
_LONGEST: Final = 999


class KnownMessage(MessageRejected):
    """A message that came before; ``correlation_id`` is what it was acknowledged with."""

    def __init__(self, correlation_id: str) -> None:
        super().__init__(DUPLICATE, "this message was taken before: ask txn/status what became of it")
        self.correlation_id = correlation_id


def taken(correlation_id: str, *, status: int = TAKEN, **facts: object) -> Reply:
    """A message was taken, and its answer follows."""
    return Reply(_document("ACK", correlation_id), facts, status)


def applied(correlation_id: str, results: Sequence[dict[str, Any]], **facts: object) -> Reply:
    """A message was taken and dealt with; nothing follows but these results."""
    return Reply(_document("ACK", correlation_id, results=list(results)), facts, OK)


def refused(rejection: MessageRejected) -> Reply:
    """A message was understood, and rejected whole."""
    correlation = rejection.correlation_id if isinstance(rejection, KnownMessage) else str(uuid.uuid4())
    error = {"code": rejection.reason, "message": rejection.message[:_LONGEST]}
    return Reply(_document("NACK", correlation, error=error), {"code": rejection.reason}, OK)


def failed(refusal: RequestRefused) -> Reply:
    """A message could not be dealt with."""
    error = {"code": refusal.code, "message": refusal.message[:_LONGEST]}
    return Reply(_document("ERR", str(uuid.uuid4()), error=error), {"code": refusal.code}, refusal.status)


def written(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Write what became of events, each as ``enrollment-update-result`` does, with conflicts beside."""
    at = timestamp()
    return [_written(each, at) for each in results]


def _written(result: Result, at: str) -> dict[str, Any]:
    found: dict[str, Any] = {"reference_id": result.reference_id, "timestamp": at, "status": result.status.value}
    if result.message:
        found["status_reason_message"] = result.message[:_LONGEST]
    if result.conflicts:
        found["conflicts"] = [dict(each) for each in result.conflicts]
    return found


def _document(status: str, correlation_id: str, **more: object) -> dict[str, Any]:
    body = {"ack_status": status, "timestamp": timestamp(), "correlation_id": correlation_id}
    return {"message": body | more}
