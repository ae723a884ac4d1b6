"""Answers what became of earlier messages: statuses and counts of a client's own transactions.

It refuses to tell of other clients' messages and to repeat records: none are kept. The service calls it for
``/registry/sync/txn/status``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from adapters.accesslog import AccessStore, ItemStatus, Transaction
from adapters.errors import RequestRefused
from adapters.registry.answers import timestamp

_UNKNOWN: Final = "rjct.reference_id.invalid"
_SEARCH: Final = "search"
_CODES: Final = "subscription_code_list"


class History(Protocol):
    """What is known of messages that were acknowledged."""

    async def pending(self, client: str, kind: str, values: Sequence[str]) -> list[Transaction]:
        """Return the searches of a client that still wait for their answer."""

    async def status(self, client: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return DCI's ``txn_status`` of a subscription, of its end, or of a receipt."""


async def status_of(
    store: AccessStore, service: str, client: str, asked: Mapping[str, Any], history: History | None = None
) -> dict[str, Any]:
    """Return DCI's ``txnstatus_response``.

    Args:
        store: where transactions are kept.
        service: the service that was asked.
        client: who asked then, and asks now.
        asked: ``txnstatus_request``, valid against its contract.
        history: of what is answered later; None where nothing is.
    """
    if asked["txn_type"] != _SEARCH:
        if history is None:
            raise RequestRefused(400, "err.request.bad", "txn_type: this registry keeps transactions of type search")
        return {"txn_type": asked["txn_type"], "txn_status": await history.status(client, asked)}
    kind, values = asked["attribute_type"], _values(asked["attribute_value"])
    if kind == _CODES:
        raise RequestRefused(400, "err.request.bad", "attribute_type: a search has no subscription codes")
    found = await store.transactions(service, client, kind, values)
    found += await history.pending(client, kind, values) if history is not None else []
    wanted = frozenset(values) if kind == "reference_id_list" else None
    results = [_result(item) for each in found for item in each.items if wanted is None or item.reference_id in wanted]
    results += [_unknown(each) for each in _missing(found, asked["reference_id"], wanted)]
    return {"txn_type": _SEARCH, "txn_status": _status(found, results)}


def _values(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _status(found: Sequence[Transaction], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several messages of a transaction, the last is named."""
    last = found[-1] if found else None
    return {
        "transaction_id": last.transaction_id if last else "unknown",
        "correlation_id": last.correlation_id if last else "unknown",
        "search_response": results,
    }


def _missing(found: Sequence[Transaction], reference: str, wanted: frozenset[str] | None) -> list[str]:
    if wanted is None:
        return [] if found else [reference]
    known = {item.reference_id for each in found for item in each.items}
    return sorted(wanted - known)


def _result(item: ItemStatus) -> dict[str, Any]:
    result: dict[str, Any] = {"reference_id": item.reference_id, "timestamp": item.timestamp, "status": item.status}
    if item.reason is not None:
        result["status_reason_code"] = item.reason
    if item.records is not None:
        result["pagination"] = {"page_size": max(item.records, 1), "page_number": 1, "total_count": item.records}
    return result


def _unknown(reference: str) -> dict[str, Any]:
    return {
        "reference_id": reference,
        "timestamp": timestamp(),
        "status": "rjct",
        "status_reason_code": _UNKNOWN,
        "status_reason_message": "no search of yours by this name is known here, or it is too long ago",
    }
