"""What became of messages that were acknowledged: searches that wait, subscriptions, their ends, and receipts.

It refuses to tell of other clients' messages, and to repeat records. The service asks it for transaction statuses, both
those that are answered at once and those that are answered later.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from adapters.accesslog import ItemStatus, Transaction
from adapters.asynchronous import inbox, subscribing
from adapters.errors import RequestRefused
from adapters.events import EventsStore
from adapters.events.tables import JOB
from adapters.registry.answers import timestamp
from adapters.registry.operations import LATER_SEARCH, NOTIFY, SUBSCRIBE, UNSUBSCRIBE

_ACTIONS: Final[Mapping[str, str]] = {
    "subscribe": SUBSCRIBE.action, "unsubscribe": UNSUBSCRIBE.action, "receipt": NOTIFY.action
}  # fmt: skip
_UNKNOWN: Final = "rjct.reference_id.invalid"
_TEXT: Final = "nothing of yours by this name is known here, or it is too long ago"
_CODES: Final = "subscription_code_list"
_NAMED: Final = frozenset({"subscribe", "unsubscribe"})


class ServiceHistory:
    """Of one service."""

    def __init__(self, store: EventsStore, service: str, reg_type: str) -> None:
        self._store = store
        self._service = service
        self._reg_type = reg_type

    async def pending(self, client: str, kind: str, values: Sequence[str]) -> list[Transaction]:
        """Return the searches of a client that still wait for their answer."""
        return await self._store.read(lambda connection: self._pending(connection, client, kind, values))

    async def status(self, client: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return DCI's ``txn_status``; raises :class:`RequestRefused`."""
        kind, value = asked["attribute_type"], asked["attribute_value"]
        if kind == _CODES and asked["txn_type"] not in _NAMED:
            raise RequestRefused(400, "err.request.bad", "attribute_type: a receipt has no subscription codes")
        values = [value] if isinstance(value, str) else list(value)
        return await self._store.read(lambda connection: self._status(connection, client, asked, kind, values))

    def _pending(self, connection: Connection, client: str, kind: str, values: Sequence[str]) -> list[Transaction]:
        found = self._find(connection, client, LATER_SEARCH.action, kind, values)
        wanted = select(JOB.c.correlation).where(
            JOB.c.correlation.in_([each["correlation_id"] for each in found]), JOB.c.state == "waiting"
        )
        waiting = set(connection.execute(wanted).scalars())
        return [self._transaction(client, each) for each in found if each["correlation_id"] in waiting]

    def _transaction(self, client: str, found: Mapping[str, Any]) -> Transaction:
        return Transaction(
            at=datetime.fromisoformat(found["at"]),
            service=self._service,
            client=client,
            message_id=found["message_id"],
            transaction_id=found["transaction_id"],
            correlation_id=found["correlation_id"],
            items=tuple(ItemStatus(each, found["at"], "pdng", None, None) for each in found["answer"]),
        )

    def _find(
        self, connection: Connection, client: str, action: str, kind: str, values: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        return inbox.find(connection, self._store.key, (self._service, client), (action,), kind, values)

    def _status(
        self, connection: Connection, client: str, asked: Mapping[str, Any], kind: str, values: Sequence[str]
    ) -> dict[str, Any]:
        """Of several messages of a transaction, the last is named."""
        found = self._find(connection, client, _ACTIONS[asked["txn_type"]], kind, values)
        last = found[-1] if found else None
        head = {
            "transaction_id": last["transaction_id"] if last else "unknown",
            "correlation_id": last["correlation_id"] if last else "unknown",
        }
        match asked["txn_type"]:
            case "subscribe":
                results = [self._now(connection, client, result) for each in found for result in each["answer"]]
                return head | {"subscribe_response": results or [_unknown(asked["reference_id"])]}
            case "unsubscribe":
                return head | (dict(last["answer"]) if last else _not_ended())
            case _:
                results = [result for each in found for result in each["answer"]]
                told = {"beneficiaries": [], "results": results or [_unknown(asked["reference_id"])]}
                return {"transaction_id": head["transaction_id"], "receipt_information": told}

    def _now(self, connection: Connection, client: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """Tell of a subscription as it is now."""
        codes = [each["code"] for each in result.get("subscriptions", ())]
        own = [subscribing.own(connection, self._store.key, self._service, client, code) for code in codes]
        at = datetime.now(UTC)
        told = [
            subscribing.info(found, self._reg_type, in_force=in_force and found.ends > at, at=at)
            for found, in_force in filter(None, own)
        ]
        return dict(result) | ({"subscriptions": told} if told else {})


def _unknown(reference: str) -> dict[str, Any]:
    head = {"reference_id": reference, "timestamp": timestamp(), "status": "rjct"}
    return head | {"status_reason_code": _UNKNOWN, "status_reason_message": _TEXT}


def _not_ended() -> dict[str, Any]:
    return {
        "timestamp": timestamp(),
        "status": "rjct",
        "status_reason_code": "rjct.subscription_code.invalid",
        "status_reason_message": _TEXT,
    }
