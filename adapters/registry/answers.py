"""Writes DCI answers: results of searches, whole answers, rejections and HTTP errors.

It refuses to decide anything: what happened is handed in. The service writes its answer with it; the HTTP
application writes errors.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import contracts
from adapters.errors import MessageRejected, SearchRejected
from adapters.registry.messages import Correlation, Message
from adapters.registry.operations import Operation

KHMER: Final = "khm"  # ISO 639-3
TOO_MANY_ERRORS: Final = "rjct.errors.too_many"
Document = dict[str, Any]


def timestamp() -> str:
    """The time now, with its zone."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rejected_result(
    reference_id: str, rejection: SearchRejected, locale: object = None, reasons: str = "dci/search-reason"
) -> Document:
    """Write the result of a rejected search; who asks in Khmer reads the reason in Khmer first."""
    text = rejection.message
    if locale == KHMER:
        text = f"{contracts.code_list(reasons).codes[rejection.reason].km} — {text}"
    return {
        "reference_id": reference_id,
        "timestamp": timestamp(),
        "status": "rjct",
        "status_reason_code": rejection.reason,
        "status_reason_message": text,
        **({"locale": locale} if locale == KHMER else {}),
    }


def answer(
    message: Message,
    operation: Operation,
    results: Sequence[Document],
    *,
    sender_id: str,
    releases: Sequence[Document] = (),
    correlation_id: str | None = None,
) -> Document:
    """Write the answer to a message: succeeded when at least one of its searches did.

    Args:
        message: what is answered.
        operation: which of its forms.
        results: one per search, in their order; for a yes/no question one that succeeded.
        sender_id: of this registry.
        releases: per search, what was given and what was withheld; they go where DCI leaves a place (``header.meta``).
        correlation_id: that of the acknowledgement, when there was one.
    """
    header = _header(message.asked, operation, sender_id)
    succeeded = any(each["status"] == "succ" for each in results)
    header |= {"status": "succ" if succeeded else "rjct", "total_count": len(results), "completed_count": len(results)}
    if not succeeded:
        header |= _reason(TOO_MANY_ERRORS, "each search was rejected")
    if releases:
        header["meta"] = {"release": list(releases)}
    body = {"transaction_id": message.transaction_id, "correlation_id": correlation_id or str(uuid.uuid4())}
    return {"header": header, "message": {**body, operation.answer_part: list(results)}}


def status_answer(message: Message, operation: Operation, found: Document, *, sender_id: str) -> Document:
    """Write the answer to a question about earlier messages."""
    header = _header(message.asked, operation, sender_id) | {"status": "succ", "total_count": 1, "completed_count": 1}
    body = {"transaction_id": message.transaction_id, "correlation_id": str(uuid.uuid4())}
    return {"header": header, "message": {**body, operation.answer_part: found}}


def rejected_answer(
    asked: Correlation, operation: Operation, rejection: MessageRejected, *, sender_id: str
) -> Document:
    """Write the answer to a message that is rejected whole; it has a header only."""
    header = _header(asked, operation, sender_id) | {"status": "rjct"}
    return {"header": header | _reason(rejection.reason, rejection.message)}


def error_body(code: str, message: str) -> Document:
    """Write the body of an HTTP error."""
    return {"errors": [{"code": code, "message": message}]}


def _reason(code: str, message: str) -> Document:
    return {"status_reason_code": code, "status_reason_message": message}


def _header(asked: Correlation, operation: Operation, sender_id: str) -> Document:
    """The answer repeats the request's message identifier, so that a caller can join them without state."""
    return {
        "version": asked.version,
        "message_id": asked.message_id,
        "message_ts": timestamp(),
        "action": operation.answer_action,
        "sender_id": sender_id,
        "receiver_id": asked.sender_id,
        "is_msg_encrypted": False,
    }
