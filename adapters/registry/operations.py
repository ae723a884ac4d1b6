"""The operations of DCI's four registry types: path, action, contracts, and how each is answered.

It refuses to answer anything; the HTTP application makes its paths of this table, and services look up their part.
Which operations a service has follows from its registry type alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Final


class Kind(Enum):
    """How an operation is answered."""

    SEARCH = auto()  # several searches, each with records
    RECORDS = auto()  # one search with records
    YES_NO = auto()  # one search with yes or no
    STATUS = auto()  # what became of earlier messages
    UPDATES = auto()  # records of others, answered at once
    LATER_SEARCH = auto()  # acknowledged, and answered by a message of its own: so are the next three
    LATER_STATUS = auto()
    SUBSCRIBE = auto()
    UNSUBSCRIBE = auto()
    NOTIFY = auto()  # events of others
    CALLBACK = auto()  # an answer to what this adapter asked


LISTED: Final = frozenset({Kind.SEARCH, Kind.LATER_SEARCH, Kind.SUBSCRIBE, Kind.NOTIFY})
"""Messages of several parts, each of which is checked, and succeeds or is rejected, alone."""
_WITH_EVENTS: Final = frozenset({
    Kind.UPDATES, Kind.LATER_SEARCH, Kind.LATER_STATUS, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE, Kind.NOTIFY, Kind.CALLBACK
})  # fmt: skip


_REQUEST: Final = "dci/request-header"
_CALLBACK: Final = "dci/response-header"


@dataclass(frozen=True, slots=True)
class Operation:
    """One path of the API.

    Args:
        path: below the service's base URL.
        action: of the request's header.
        answer_action: of the answer's header.
        kind: how it is answered.
        part: member of the message that holds the criteria.
        message: contract of the request's message, when it is checked whole.
        answer: contract of the whole answer.
        answer_part: member of the answer's message with the results.
        status_field: what a yes/no answer calls it; a release declares it as a field.
        record_part: the list within a record that alone is answered; empty when the record is.
        header: contract of the request's header; that of a callback says nothing of its sender.
    """

    path: str
    action: str
    answer_action: str
    kind: Kind
    part: str
    message: str
    answer: str
    answer_part: str
    status_field: str = ""
    record_part: str = ""
    header: str = _REQUEST

    @property
    def needs_events(self) -> bool:
        """Whether it needs a database of events: what is acknowledged must not be forgotten."""
        return self.kind in _WITH_EVENTS

    @property
    def is_acknowledged(self) -> bool:
        """Whether it is answered with DCI's acknowledgement rather than with an envelope."""
        return self.needs_events and self.kind is not Kind.UPDATES


def _criteria(
    path: str, kind: Kind, part: str, message: str, answer_part: str, *, status_field: str = "", record_part: str = ""
) -> Operation:
    return Operation(
        path=f"/registry/sync/{path}",
        action="search",
        answer_action="on-search",
        kind=kind,
        part=part,
        message=f"dci/{message}-request",
        answer=f"dci/sync-{path}-response",
        answer_part=answer_part,
        status_field=status_field,
        record_part=record_part,
    )


_SEARCH: Final = _criteria("search", Kind.SEARCH, "search_request", "search", "search_response")
_STATUS: Final = Operation(
    path="/registry/sync/txn/status",
    action="txn-status",
    answer_action="txn-on-status",
    kind=Kind.STATUS,
    part="txnstatus_request",
    message="dci/txn-status-request",
    answer="dci/sync-txn-status-response",
    answer_part="txnstatus_response",
)
_ENROLLED: Final = _criteria(
    "enrolled", Kind.YES_NO, "enrolled_criteria", "enrolled", "enrolled_response", status_field="enrolled_status"
)
_DISABLED: Final = _criteria(
    "disabled", Kind.YES_NO, "disabled_criteria", "disabled", "disabled_response", status_field="disabled_status"
)
_DETAILS: Final = _criteria(
    "get-disability-details", Kind.RECORDS, "disabled_criteria", "get-disability-support", "search_response"
)
_SUPPORT: Final = _criteria(
    "get-disability-support",
    Kind.RECORDS,
    "disabled_criteria",
    "get-disability-support",
    "search_response",
    record_part="disability_support",
)


def _acknowledged(path: str, action: str, kind: Kind, part: str, message: str, *answers: str) -> Operation:
    """Make a request that is answered by a message of its own: its action, contract and part."""
    answer_action, answer, answer_part = answers or ("", "ack", "")
    return Operation(
        f"/registry/{path}", action, answer_action, kind, part, f"dci/{message}", f"dci/{answer}", answer_part
    )


def _answering(path: str, action: str, part: str, message: str, header: str = _CALLBACK) -> Operation:
    """Make the path that takes an answer to what this adapter asked."""
    name = f"/registry/{path}"
    return Operation(name, action, "", Kind.CALLBACK, part, f"dci/{message}-response", "dci/ack", "", header=header)


LATER_SEARCH: Final = _acknowledged(
    "search", "search", Kind.LATER_SEARCH, "search_request", "search-request",
    "on-search", "async-on-search", "search_response",
)  # fmt: skip
LATER_STATUS: Final = _acknowledged(
    "txn/status", "txn-status", Kind.LATER_STATUS, "txnstatus_request", "txn-status-request",
    "txn-on-status", "async-txn-on-status", "txnstatus_response",
)  # fmt: skip
SUBSCRIBE: Final = _acknowledged(
    "subscribe", "subscribe", Kind.SUBSCRIBE, "subscribe_request", "subscribe-request",
    "on-subscribe", "async-on-subscribe", "subscribe_response",
)  # fmt: skip
UNSUBSCRIBE: Final = _acknowledged(
    "unsubscribe", "unsubscribe", Kind.UNSUBSCRIBE, "subscription_codes", "unsubscribe-request",
    "on-unsubscribe", "async-on-unsubscribe", "subscription_status",
)  # fmt: skip
NOTIFY: Final = replace(
    _acknowledged("notify", "notify", Kind.NOTIFY, "notify_event", "notify-event-request"), header=_CALLBACK
)
UPDATES: Final = Operation(
    path="/registry/sync/enrollment/updates",
    action="notify",
    answer_action="on-notify",
    kind=Kind.UPDATES,
    part="enrolled_updates",
    message="dci/enrollment-updates-request",
    answer="dci/sync-enrollment-updates-response",
    answer_part="enrolled_response",
    header=_CALLBACK,
)
ON_SEARCH: Final = _answering("on-search", "on-search", "search_response", "search")
ON_SUBSCRIBE: Final = _answering("on-subscribe", "on-subscribe", "subscribe_response", "subscribe", _REQUEST)
ON_UNSUBSCRIBE: Final = _answering("on-unsubscribe", "on-unsubscribe", "subscription_status", "unsubscribe", _REQUEST)
ON_STATUS: Final = _answering("txn/on-status", "txn-on-status", "txnstatus_response", "txn-status")

_SHARED: Final = (
    _SEARCH, LATER_SEARCH, ON_SEARCH, SUBSCRIBE, ON_SUBSCRIBE, NOTIFY, UNSUBSCRIBE, ON_UNSUBSCRIBE
)  # fmt: skip
_STATUSES: Final = (_STATUS, LATER_STATUS, ON_STATUS)

OPERATIONS: Final[Mapping[str, tuple[Operation, ...]]] = MappingProxyType({
    "Social": (*_SHARED, *_STATUSES),
    "IBR": (*_SHARED, *_STATUSES, _ENROLLED, UPDATES),
    "DR": (*_SHARED, _DISABLED, _DETAILS, _SUPPORT),
    "Civil": (*_SHARED, *_STATUSES),
})  # fmt: skip
"""By DCI's registry type (RegistryType)."""
