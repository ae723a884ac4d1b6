"""Judges what came of an attempt to send: delivered, to be tried again, or never.

It refuses to take anything for delivered but an acknowledgement, or the word that the message is known already. One
table says what each code means; what stands in no table is tried again, a limited number of times.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

from adapters.events.model import Document
from xroad.errors import Blame, RemoteFault

DUPLICATE: Final = "rjct.message_id.duplicate"
_FAULT_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,150}")
_DCI_CODE: Final = re.compile(r"(err|rjct)\.[a-z_]{1,40}(\.[a-z_]{1,40})?")  # letters only: no number is shown
MOST_RETRY_AFTER: Final = 3600.0  # a receiver that asks for more is asked again after an hour


class Fate(Enum):
    """What becomes of a message after an attempt."""

    DELIVERED = auto()
    AWAY = auto()  # nobody had a chance to look at it: tried again without an end, and not counted
    LATER = auto()  # tried again, a limited number of times
    NEVER = auto()  # would fail again: somebody must change something first


class Trouble(Enum):
    """Why there is no answer at all."""

    UNREACHABLE = auto()  # no connection to the own security server
    TOO_SLOW = auto()
    BROKEN = auto()  # the answer broke off, or is beyond the limit


@dataclass(frozen=True, slots=True)
class Answer:
    """What the own security server gave back.

    Args:
        status: of HTTP.
        body: at most so long as an acknowledgement can be.
        fault: X-Road's code when the bus itself answered.
        retry_after: the header, as it came.
    """

    status: int
    body: bytes
    fault: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an attempt.

    Args:
        fate: of the message.
        code: DCI's or X-Road's code, or a word of our own; one that is not known is described instead.
        problem: a sentence for staff, without personal values; empty when delivered.
        wait: at least so many seconds, because the receiver says so.
        results: what the receiver says of single events.
    """

    fate: Fate
    code: str
    problem: str = ""
    wait: float = 0.0
    results: tuple[Document, ...] = ()


# DCI's codes: errors of the communication layer, and reasons for which a message is rejected whole.
_ASK_STAFF: Final = "it refuses the message: see what the code says, mend it, then retry"
CODES: Final[Mapping[str, Fate]] = MappingProxyType({
    DUPLICATE: Fate.DELIVERED,
    "err.request.timeout": Fate.LATER,
    "err.request.too_many_requests": Fate.AWAY,
    "err.service.unavailable": Fate.AWAY,
    "err.request.not_found": Fate.LATER,  # a receiver that is being installed
    "err.request.unauthorized": Fate.LATER,  # its adapter does not believe its security server: its staff will see
    "err.request.bad": Fate.NEVER,
    "err.request.forbidden": Fate.NEVER,
    "err.version.not_supported": Fate.NEVER,
    "err.sender_id.invalid": Fate.NEVER,
    "err.sender_uri.invalid": Fate.NEVER,
    "err.receiver_id.invalid": Fate.NEVER,
    "err.signature.missing": Fate.NEVER,
    "err.signature.invalid": Fate.NEVER,
    "err.encryption.invalid": Fate.NEVER,
    "rjct.version.invalid": Fate.NEVER,
    "rjct.message_ts.invalid": Fate.LATER,  # a clock is wrong: the next attempt has a new time
    "rjct.action.invalid": Fate.NEVER,
    "rjct.action.not_supported": Fate.NEVER,
    "rjct.total_count.invalid": Fate.NEVER,
    "rjct.total_count.limit_exceeded": Fate.NEVER,
    "rjct.errors.too_many": Fate.NEVER,
})  # fmt: skip

STATUSES: Final[Mapping[int, Fate]] = MappingProxyType({
    400: Fate.NEVER,
    401: Fate.LATER,
    403: Fate.NEVER,
    404: Fate.LATER,
    408: Fate.LATER,
    413: Fate.NEVER,
    415: Fate.NEVER,
    422: Fate.NEVER,
    425: Fate.AWAY,
    429: Fate.AWAY,
    502: Fate.AWAY,
    503: Fate.AWAY,
    504: Fate.LATER,  # the receiver had the message, and was too slow
})  # fmt: skip

# X-Road's faults: whoever is the caller there is this adapter; for others the last part of the code decides.
FAULTS: Final[Mapping[str, Fate]] = MappingProxyType({
    "NetworkError": Fate.AWAY,
    "MaintenanceMode": Fate.AWAY,
    "ServiceDisabled": Fate.AWAY,
    "ServiceMissingUrl": Fate.AWAY,
    "OutdatedGlobalConf": Fate.AWAY,
    "TokenNotActive": Fate.AWAY,
    "KeyNotAvailable": Fate.AWAY,
    "TimestampingFailed": Fate.AWAY,
    "TimestamperFailed": Fate.AWAY,
    "LoggingFailed": Fate.AWAY,
    "DatabaseError": Fate.AWAY,
})  # fmt: skip

_TROUBLES: Final = MappingProxyType({
    Trouble.UNREACHABLE: Verdict(
        Fate.AWAY, "unreachable", "the own security server cannot be reached: see that it runs, and its URL"
    ),
    Trouble.TOO_SLOW: Verdict(Fate.LATER, "timeout", "there was no answer in time"),
    Trouble.BROKEN: Verdict(Fate.LATER, "broken", "the answer broke off, or is longer than an acknowledgement can be"),
})  # fmt: skip


def judge(found: Answer | Trouble, *, at: datetime) -> Verdict:
    """Return what an attempt came to."""
    if isinstance(found, Trouble):
        return _TROUBLES[found]
    if found.fault is not None:
        return _judge_fault(found, at)
    document = _document(found.body)
    if found.status in {200, 202}:
        return _judge_acknowledgement(document)
    return _judge_refusal(found, document, at)


def _judge_fault(found: Answer, at: datetime) -> Verdict:
    fault = RemoteFault(found.fault or "", "")
    known = next((FAULTS[part] for part in reversed(fault.full_code.split(".")) if part in FAULTS), None)
    fate = known or (Fate.NEVER if fault.blame is Blame.CALLER else Fate.LATER)
    remedy = "see what the code says, mend it, then retry" if fate is Fate.NEVER else "it is tried again"
    code = fault.full_code if _FAULT_CODE.fullmatch(fault.full_code) else "fault"
    return Verdict(fate, code, f"the bus did not carry it: {remedy}", _wait(found, at))


def _judge_acknowledgement(document: Any) -> Verdict:  # noqa: ANN401  # whatever the receiver answered
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, dict):
        return Verdict(Fate.LATER, "garbage", "the answer is no acknowledgement")
    status = message.get("ack_status")
    if status == "ACK":
        return Verdict(Fate.DELIVERED, "ACK", results=_results(message))
    if status not in {"NACK", "ERR"}:
        return Verdict(Fate.LATER, "garbage", "the answer is no acknowledgement")
    return _by_code(message.get("error"), Fate.LATER)


def _judge_refusal(found: Answer, document: Any, at: datetime) -> Verdict:  # noqa: ANN401  # as above
    """An HTTP error may say more than its status: an acknowledgement, or DCI's list of errors."""
    fate = STATUSES.get(found.status, Fate.NEVER if 400 <= found.status < 500 else Fate.LATER)  # noqa: PLR2004  # HTTP's
    said = _error(document)
    verdict = _by_code(said, fate) if said is not None else Verdict(fate, f"http_{found.status}", _said(fate))
    return Verdict(verdict.fate, verdict.code, verdict.problem, _wait(found, at))


def _error(document: Any) -> Any:  # noqa: ANN401  # as above
    if not isinstance(document, dict):
        return None
    errors, message = document.get("errors"), document.get("message")
    if isinstance(errors, list) and errors:
        return errors[0]
    return message.get("error") if isinstance(message, dict) else None


def _by_code(error: Any, otherwise: Fate) -> Verdict:  # noqa: ANN401  # as above
    code = error.get("code") if isinstance(error, dict) else None
    fate = CODES.get(code, otherwise) if isinstance(code, str) else otherwise
    shown = code if isinstance(code, str) and _DCI_CODE.fullmatch(code) else "none" if code is None else "unknown"
    return Verdict(fate, shown, _said(fate))


def _said(fate: Fate) -> str:
    if fate is Fate.DELIVERED:
        return ""
    return f"the receiver answers that {_ASK_STAFF}" if fate is Fate.NEVER else "the receiver cannot take it now"


def _results(message: Mapping[str, Any]) -> tuple[Document, ...]:
    """Those of its results that have the shape of one; the acknowledgement counts whatever else stands beside it."""
    found = message.get("results")
    if not isinstance(found, list):
        return ()
    return tuple(each for each in found if isinstance(each, dict) and isinstance(each.get("reference_id"), str))


def _document(body: bytes) -> Any:  # noqa: ANN401  # as above
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _wait(found: Answer, at: datetime) -> float:
    """Read ``Retry-After``: seconds, or a time; anything else says nothing."""
    text = (found.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MOST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, min((until - at).total_seconds(), MOST_RETRY_AFTER))
