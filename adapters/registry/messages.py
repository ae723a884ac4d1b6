"""Reads DCI request messages and writes DCI answers.

It refuses in three ways, as DCI has them: no message at all (``err.…`` and an HTTP status), a message rejected
whole (``rjct.…`` in its header), and one search of it rejected (``rjct.…`` in its result).
The HTTP application calls :func:`read_message` first and :func:`answer` last.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import contracts
from adapters.errors import MessageRejected, RequestRefused, SearchRejected
from adapters.registry import strictjson

VERSION: Final = "1.0.0"
ACTION: Final = "search"
_BAD: Final = "err.request.bad"
_HEADER_REASONS: Final[Mapping[str, str]] = MappingProxyType({
    "version": "rjct.version.invalid",
    "message_ts": "rjct.message_ts.invalid",
    "action": "rjct.action.invalid",
    "total_count": "rjct.total_count.invalid",
})  # fmt: skip
_HEADER_ERRORS: Final[Mapping[str, str]] = MappingProxyType({
    "sender_id": "err.sender_id.invalid",
    "sender_uri": "err.sender_uri.invalid",
    "receiver_id": "err.receiver_id.invalid",
    "is_msg_encrypted": "err.encryption.invalid",
})  # fmt: skip
_ITEM_REASONS: Final = (
    ("/reference_id", "rjct.reference_id.invalid"),
    ("/timestamp", "rjct.timestamp.invalid"),
    ("/search_criteria/sort", "rjct.sort.invalid"),
    ("/search_criteria/pagination", "rjct.pagination.invalid"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose envelope is sound; its items are still to be checked one by one."""

    message_id: str
    sender_id: str
    transaction_id: str
    items: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """What an answer to a rejected message still repeats."""

    message_id: str
    sender_id: str


def read_document(body: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return header and message of a request body; raises :class:`RequestRefused`."""
    try:
        document = strictjson.parse(body)
    except strictjson.BadJson as error:
        raise RequestRefused(400, _BAD, f"{error}: send a DCI message as JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise RequestRefused(400, _BAD, "the body is not a JSON object: send header and message")
    header, message = document.get("header"), document.get("message")
    if not isinstance(header, dict) or not isinstance(message, dict):
        raise RequestRefused(400, _BAD, "header and message are needed, each a JSON object")
    if header.get("is_msg_encrypted") is True or "ciphertext" in message:
        raise RequestRefused(400, "err.encryption.invalid", "send the message unencrypted: the bus encrypts on the way")
    return header, message


def correlation(header: Mapping[str, Any]) -> Correlation:
    """Return what an answer repeats; a header without it cannot be answered and raises :class:`RequestRefused`."""
    for name, code in (("message_id", _BAD), ("sender_id", "err.sender_id.invalid")):
        if not isinstance(header.get(name), str) or not 0 < len(header[name]) <= _MAX_LENGTH[name]:
            raise RequestRefused(400, code, f"header.{name} is text of 1 to {_MAX_LENGTH[name]} characters")
    return Correlation(header["message_id"], header["sender_id"])


_MAX_LENGTH: Final = MappingProxyType({"message_id": 99, "sender_id": 255})


def read_message(header: Mapping[str, Any], message: Mapping[str, Any], *, receiver: str, max_items: int) -> Message:
    """Check the envelope of a message.

    Raises:
        RequestRefused: sender, receiver or message cannot be understood.
        MessageRejected: the message is understood and rejected whole.
    """
    _check_header(header)
    if header.get("receiver_id") not in {None, receiver}:
        raise RequestRefused(400, "err.receiver_id.invalid", "header.receiver_id names another registry")
    if header.get("version", VERSION) != VERSION:
        raise MessageRejected("rjct.version.invalid", f"send version {VERSION}")
    if header["action"] != ACTION:
        raise MessageRejected("rjct.action.not_supported", f"this path serves the action {ACTION!r}")
    items = _items(message)
    if header["total_count"] != len(items):
        raise MessageRejected("rjct.total_count.invalid", "header.total_count is the number of searches in the message")
    if len(items) > max_items:
        raise MessageRejected("rjct.total_count.limit_exceeded", f"send at most {max_items} searches in one message")
    return Message(header["message_id"], header["sender_id"], message["transaction_id"], items)


def read_item(item: object) -> Mapping[str, Any]:
    """Return one search of a message; raises :class:`SearchRejected` with the reason of the part that is wrong."""
    try:
        contracts.validate("dci/search-item", VERSION, item)
    except contracts.ContractViolation as error:
        reasons = (reason for prefix, reason in _ITEM_REASONS if error.pointer.startswith(prefix))
        raise SearchRejected(next(reasons, _missing_reason(item)), _say(error)) from error
    found: Mapping[str, Any] = item  # type: ignore[assignment]  # the contract has just said that it is an object
    return found


def reference_of(item: object, place: int) -> str:
    """Return a search's reference; one that cannot be repeated is answered by its place in the message, from 1."""
    found = item.get("reference_id") if isinstance(item, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _MAX_LENGTH["message_id"] else f"#{place}"


def timestamp() -> str:
    """The time now, with its zone."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def rejected_result(reference_id: str, rejection: SearchRejected) -> dict[str, Any]:
    """Write the result of a rejected search."""
    return {
        "reference_id": reference_id,
        "timestamp": timestamp(),
        "status": "rjct",
        "status_reason_code": rejection.reason,
        "status_reason_message": rejection.message,
    }


def answer(asked: Message, results: Sequence[Mapping[str, Any]], *, sender_id: str) -> dict[str, Any]:
    """Write the answer to a message: succeeded when at least one of its searches did."""
    header = _header(Correlation(asked.message_id, asked.sender_id), sender_id)
    succeeded = any(each["status"] == "succ" for each in results)
    header |= {"status": "succ" if succeeded else "rjct", "total_count": len(results), "completed_count": len(results)}
    if not succeeded:
        header |= {"status_reason_code": "rjct.errors.too_many", "status_reason_message": "each search was rejected"}
    body = {
        "transaction_id": asked.transaction_id,
        "correlation_id": str(uuid.uuid4()),
        "search_response": list(results),
    }
    return {"header": header, "message": body}


def rejected_answer(asked: Correlation, rejection: MessageRejected, *, sender_id: str) -> dict[str, Any]:
    """Write the answer to a message that is rejected whole; it has a header only."""
    header = _header(asked, sender_id)
    header |= {
        "status": "rjct",
        "status_reason_code": rejection.reason,
        "status_reason_message": rejection.message,
    }
    return {"header": header}


def error_body(code: str, message: str) -> dict[str, Any]:
    """Write the body of an HTTP error."""
    return {"errors": [{"code": code, "message": message}]}


def _header(asked: Correlation, sender_id: str) -> dict[str, Any]:
    """The answer repeats the request's message identifier, so that a caller can join them without state."""
    return {
        "version": VERSION,
        "message_id": asked.message_id,
        "message_ts": timestamp(),
        "action": f"on-{ACTION}",
        "sender_id": sender_id,
        "receiver_id": asked.sender_id,
        "is_msg_encrypted": False,
    }


def _check_header(header: Mapping[str, Any]) -> None:
    try:
        contracts.validate("dci/request-header", VERSION, header)
    except contracts.ContractViolation as error:
        field = error.pointer.strip("/").partition("/")[0] or _first_missing(header)
        if field in _HEADER_REASONS:
            raise MessageRejected(_HEADER_REASONS[field], _say(error)) from error
        raise RequestRefused(400, _HEADER_ERRORS.get(field, _BAD), f"header: {_say(error)}") from error


def _first_missing(header: Mapping[str, Any]) -> str:
    return next((name for name in _HEADER_REASONS if name != "version" and name not in header), "")


def _items(message: Mapping[str, Any]) -> tuple[object, ...]:
    transaction = message.get("transaction_id")
    if not isinstance(transaction, str) or not 0 < len(transaction) <= _MAX_LENGTH["message_id"]:
        raise RequestRefused(400, _BAD, "message.transaction_id is text of 1 to 99 characters")
    items = message.get("search_request")
    if not isinstance(items, list) or not items:
        raise RequestRefused(400, _BAD, "message.search_request is a list of at least one search")
    return tuple(items)


def _missing_reason(item: object) -> str:
    if isinstance(item, dict):
        for name in ("reference_id", "timestamp"):
            if name not in item:
                return f"rjct.{name}.invalid"
    return "rjct.search_criteria.invalid"


def _say(error: contracts.ContractViolation) -> str:
    """Say what is wrong without the pointer's foreign names: tokens are the contract's own field names."""
    return f"at {error.pointer or '/'} the {error.value_type} breaks the rule {error.rule}: expected {error.expected}"
