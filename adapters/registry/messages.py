"""Reads DCI request messages.

It refuses in three ways, as DCI has them: no message at all (``err.…`` and an HTTP status), a message rejected
whole (``rjct.…`` in its header), and one search of it rejected (``rjct.…`` in its result).
The HTTP application reads the document first; the service then reads the message by its operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import contracts
from adapters.errors import MessageRejected, RequestRefused, SearchRejected
from adapters.registry import strictjson
from adapters.registry.operations import LISTED, Kind, Operation
from adapters.release.decision import SKEW

VERSIONS: Final = contracts.versions("dci/request-header")
VERSION: Final = VERSIONS[-1]
INVALID: Final = "rjct.search_criteria.invalid"
_BAD: Final = "err.request.bad"
_REQUEST: Final = "dci/request-header"
_NOUNS: Final[Mapping[Kind, str]] = MappingProxyType({
    Kind.SUBSCRIBE: "subscription", Kind.UNSUBSCRIBE: "subscription", Kind.NOTIFY: "event", Kind.UPDATES: "beneficiary"
})  # fmt: skip
_MAX_LENGTH: Final = MappingProxyType({"message_id": 99, "sender_id": 255})
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
class Correlation:
    """What an answer repeats, also that to a rejected message, and the version that it is written in."""

    message_id: str
    sender_id: str
    version: str = VERSION


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose envelope is sound; its searches are still to be checked one by one."""

    asked: Correlation
    transaction_id: str
    body: Mapping[str, Any]


def read_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a body is; raises :class:`RequestRefused`."""
    try:
        document = strictjson.parse(body)
    except strictjson.BadJson as error:
        raise RequestRefused(400, _BAD, f"{error}: send a DCI message as JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise RequestRefused(400, _BAD, "the body is not a JSON object: send header and message")
    return document


def read_document(body: bytes) -> Mapping[str, Any]:
    """Return a request's document, its header and message being objects; raises :class:`RequestRefused`."""
    document = read_object(body)
    header, message = document.get("header"), document.get("message")
    if not isinstance(header, dict) or not isinstance(message, dict):
        raise RequestRefused(400, _BAD, "header and message are needed, each a JSON object")
    if header.get("is_msg_encrypted") is True or "ciphertext" in message:
        raise RequestRefused(400, "err.encryption.invalid", "send the message unencrypted: the bus encrypts on the way")
    return document


def correlation(header: Mapping[str, Any], sender: str | None = None) -> Correlation:
    """Return what an answer repeats; a header without it cannot be answered and raises :class:`RequestRefused`.

    Args:
        header: of a request or callback.
        sender: what stands for the sender where a callback names none.
    """
    found = {"sender_id": sender} | dict(header) if sender is not None else header
    for name, code in (("message_id", _BAD), ("sender_id", "err.sender_id.invalid")):
        if not isinstance(found.get(name), str) or not 0 < len(found[name]) <= _MAX_LENGTH[name]:
            raise RequestRefused(400, code, f"header.{name} is text of 1 to {_MAX_LENGTH[name]} characters")
    version = header.get("version")
    return Correlation(found["message_id"], found["sender_id"], version if version in VERSIONS else VERSION)


def read_message(
    document: Mapping[str, Any],
    operation: Operation,
    *,
    receiver: str,
    max_items: int,
    at: datetime,
    remembered: timedelta,
    sender: str | None = None,
) -> Message:
    """Check the envelope of a message.

    Args:
        document: with header and message.
        operation: which of its forms it must have.
        receiver: this registry.
        max_items: at most so many searches.
        at: now.
        remembered: how long identifiers of messages are kept.
        sender: what stands for the sender where a callback names none.

    Raises:
        RequestRefused: sender, receiver or message cannot be understood.
        MessageRejected: the message is understood and rejected whole.
    """
    header, message = document["header"], document["message"]
    asked = correlation(header, None if operation.header == _REQUEST else sender)
    _check_header(header, operation.header, asked.version)
    if header.get("receiver_id") not in {None, receiver}:
        raise RequestRefused(400, "err.receiver_id.invalid", "header.receiver_id names another registry")
    if header.get("version", VERSION) not in VERSIONS:
        raise MessageRejected("rjct.version.invalid", f"send version {', '.join(VERSIONS)}")
    if header["action"] != operation.action:
        raise MessageRejected("rjct.action.not_supported", f"this path serves the action {operation.action!r}")
    _check_time(header["message_ts"], at, remembered)
    transaction = message.get("transaction_id")
    if not isinstance(transaction, str) or not 0 < len(transaction) <= _MAX_LENGTH["message_id"]:
        raise RequestRefused(400, _BAD, "message.transaction_id is text of 1 to 99 characters")
    if operation.kind is not Kind.CALLBACK:  # its parts answer this adapter's own, which it has counted
        _check_count(header, operation, _parts(message, operation, asked.version), max_items)
    else:
        _check_whole(message, operation, asked.version)
    return Message(asked, transaction, message)


def _parts(message: Mapping[str, Any], operation: Operation, version: str) -> int:
    """Return how many parts a message holds; one is checked whole, several are checked one by one later."""
    if operation.kind not in LISTED:
        _check_whole(message, operation, version)
        return _single(message, operation)
    items = message.get(operation.part)
    if not isinstance(items, list) or not items:
        raise RequestRefused(400, _BAD, f"message.{operation.part} is a list of at least one {_noun(operation)}")
    return len(items)


def _check_whole(message: Mapping[str, Any], operation: Operation, version: str) -> None:
    try:
        contracts.validate(operation.message, version, message)
    except contracts.ContractViolation as error:
        raise RequestRefused(400, _BAD, f"message: {say(error)}") from error


def _single(message: Mapping[str, Any], operation: Operation) -> int:
    """Enrolment updates are one part of several records; all else of one part is one."""
    if operation.kind is Kind.UPDATES:
        return len(message[operation.part].get("beneficiaries", ()))
    return len(message[operation.part]) if operation.kind is Kind.UNSUBSCRIBE else 1


def _noun(operation: Operation) -> str:
    return _NOUNS.get(operation.kind, "search")


def _check_count(header: Mapping[str, Any], operation: Operation, found: int, at_most: int) -> None:
    """A callback need not count; one code or several to unsubscribe from are one request or several."""
    said, noun = header.get("total_count", found), _noun(operation)
    if said != found and not (operation.kind is Kind.UNSUBSCRIBE and said == 1):
        raise MessageRejected("rjct.total_count.invalid", f"header.total_count is how often the message has a {noun}")
    if found > at_most:
        raise MessageRejected("rjct.total_count.limit_exceeded", f"send at most {at_most} times a {noun} in a message")


def read_item(item: object, version: str) -> Mapping[str, Any]:
    """Return one search of a message; raises :class:`SearchRejected` with the reason of the part that is wrong."""
    try:
        contracts.validate("dci/search-item", version, item)
    except contracts.ContractViolation as error:
        reasons = (reason for prefix, reason in _ITEM_REASONS if error.pointer.startswith(prefix))
        raise SearchRejected(next(reasons, _missing_reason(item)), say(error)) from error
    found: Mapping[str, Any] = item  # type: ignore[assignment]  # the contract has just said that it is an object
    return found


def only_item(criteria: Mapping[str, Any], reference: str, at: str, version: str) -> Mapping[str, Any]:
    """Return the only search of a message as one of several; raises :class:`SearchRejected`.

    DCI's samples write its expression bare, ``{"attribute": {"eq": value}}``, without the template around it.
    """
    query = criteria["query"]
    if criteria["query_type"] == "expression" and isinstance(query, dict) and "value" not in query:
        criteria = {**criteria, "query": {"type": "expression", "value": {"expression": {"query": query}}}}
    return read_item({"reference_id": reference, "timestamp": at, "search_criteria": criteria}, version)


def reference_of(item: object, place: int) -> str:
    """Return a search's reference; one that cannot be repeated is answered by its place in the message, from 1."""
    found = item.get("reference_id") if isinstance(item, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _MAX_LENGTH["message_id"] else f"#{place}"


def say(error: contracts.ContractViolation) -> str:
    """Say what is wrong without the pointer's foreign names: tokens are the contract's own field names."""
    return f"at {error.pointer or '/'} the {error.value_type} breaks the rule {error.rule}: expected {error.expected}"


def _check_header(header: Mapping[str, Any], contract: str, version: str) -> None:
    try:
        contracts.validate(contract, version, header)
    except contracts.ContractViolation as error:
        field = error.pointer.strip("/").partition("/")[0] or _first_missing(header)
        if field in _HEADER_REASONS:
            raise MessageRejected(_HEADER_REASONS[field], say(error)) from error
        raise RequestRefused(400, _HEADER_ERRORS.get(field, _BAD), f"header: {say(error)}") from error


def _check_time(sent: str, at: datetime, remembered: timedelta) -> None:
    """Refuse what may have been answered and forgotten: whoever overheard it long ago could send it again."""
    oldest = at - remembered + SKEW
    if not oldest < datetime.fromisoformat(sent.upper()) <= at + SKEW:
        raise MessageRejected(
            "rjct.message_ts.invalid", f"send header.message_ts not in the future and within {remembered.days} days"
        )


def _first_missing(header: Mapping[str, Any]) -> str:
    return next((name for name in _HEADER_REASONS if name != "version" and name not in header), "")


def _missing_reason(item: object) -> str:
    if isinstance(item, dict):
        for name in ("reference_id", "timestamp"):
            if name not in item:
                return f"rjct.{name}.invalid"
    return INVALID
