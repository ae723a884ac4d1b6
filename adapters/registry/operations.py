"""The synchronous operations of DCI's four registry types: path, action, contracts, and how each is answered.

It refuses to answer anything; the HTTP application makes its paths of this table, and the service looks up its part.
Which operations a service has follows from its registry type alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final


class Kind(Enum):
    """How an operation is answered."""

    SEARCH = auto()  # several searches, each with records
    RECORDS = auto()  # one search with records
    YES_NO = auto()  # one search with yes or no
    STATUS = auto()  # what became of earlier messages


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

OPERATIONS: Final[Mapping[str, tuple[Operation, ...]]] = MappingProxyType({
    "Social": (_SEARCH, _STATUS),
    "IBR": (_SEARCH, _STATUS, _ENROLLED),
    "DR": (_SEARCH, _DISABLED, _DETAILS, _SUPPORT),
    "Civil": (_SEARCH, _STATUS),
})  # fmt: skip
"""By DCI's registry type (RegistryType)."""
