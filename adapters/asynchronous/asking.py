"""What this adapter asks of others: a request is written down with the message that asks, and with what came back.

It refuses answers that nobody asked for, and answers of anyone but the client that was asked. Subscriptions are kept up
with it, and staff ask single questions.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from adapters.asynchronous.acks import KnownMessage
from adapters.asynchronous.documents import Pen, outgoing
from adapters.errors import RequestRefused
from adapters.events import EventsKey, ServiceAddress
from adapters.events.store import milliseconds
from adapters.events.tables import REQUEST
from adapters.outbox import put
from adapters.registry.operations import LATER_SEARCH, LATER_STATUS, SUBSCRIBE, UNSUBSCRIBE, Operation

WAITING: Final = "waiting"
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
ENDED: Final = "ended"
_OPERATIONS: Final = {each.answer_action: each for each in (LATER_SEARCH, LATER_STATUS, SUBSCRIBE, UNSUBSCRIBE)}


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Args:
        operation: what is asked.
        name: what the configuration, or who asks, calls it.
        service: the own service that takes the answer.
        receiver: the service that is asked.
        transaction_id: of the message.
        body: of the message, without its transaction.
        count: how many parts it has.
        kept: what is to be known of it later.
    """

    operation: Operation
    name: str
    service: str
    receiver: ServiceAddress
    transaction_id: str
    body: Mapping[str, Any]
    count: int = 1
    kept: Mapping[str, Any] = field(default_factory=dict)


def ask(connection: Connection, key: EventsKey, pen: Pen, question: Question, at: datetime) -> str:
    """Write a request and its message, in the caller's transaction, and return the message's identifier."""
    body = {"transaction_id": question.transaction_id} | dict(question.body)
    document = pen.request(question.operation.action, question.service, question.receiver, body, question.count)
    message_id: str = document["header"]["message_id"]
    connection.execute(
        REQUEST.insert(),
        {
            "message_id": message_id,
            "transaction_id": question.transaction_id,
            "action": question.operation.action,
            "service": question.service,
            "receiver": str(question.receiver),
            "name": question.name,
            "state": WAITING,
            "created": milliseconds(at),
            "sealed": key.seal({"kept": dict(question.kept)}),
        },
    )
    sent = outgoing(document, question.service, question.receiver, question.operation.path, message_id)
    put(connection, key, [sent], at=at)
    return message_id


def search_question(
    service: str, receiver: ServiceAddress, query: Mapping[str, Any], *, purpose: Mapping[str, str], at: datetime
) -> Question:
    """Make a search by one identifier, whose answer comes later.

    Args:
        service: own service that takes the answer.
        receiver: the service that is asked.
        query: DCI's ``idtype-value``.
        purpose: ``code``, and ``ref_uri`` with the legal ground.
        at: now.
    """
    stamp = at.isoformat(timespec="milliseconds")
    criteria = {
        "query_type": "idtype-value",
        "query": dict(query),
        "authorize": {"ts": stamp, "purpose": dict(purpose)},
    }
    item = {"reference_id": "1", "timestamp": stamp, "search_criteria": criteria}
    return Question(LATER_SEARCH, "ask", service, receiver, str(uuid.uuid4()), {LATER_SEARCH.part: [item]})


def take(
    connection: Connection,
    key: EventsKey,
    operation: Operation,
    service: str,
    client: str,
    message: Mapping[str, Any],
    at: datetime,
) -> None:
    """Write an answer to the request that it answers.

    Args:
        connection: in a transaction.
        key: of this adapter's events.
        operation: the path that it came by.
        service: the own service that it came to.
        client: who sent it.
        message: of the document, valid against its contract.
        at: now.

    Raises:
        RequestRefused: this adapter asked nothing that it answers, or not this client.
        KnownMessage: that request was answered.
    """
    asked, table = _OPERATIONS[operation.action], REQUEST.c
    row = connection.execute(
        select(REQUEST).where(
            table.transaction_id == message["transaction_id"], table.action == asked.action, table.service == service
        )
    ).first()
    if row is None or str(ServiceAddress.parse(row.receiver).client) != client:
        # Whoever is let in by the bus could else write answers to other people's questions.
        raise RequestRefused(403, "err.request.forbidden", "this service asked you nothing that this answers")
    if row.state != WAITING:
        raise KnownMessage(row.correlation or message["correlation_id"])
    told = key.unseal(row.sealed) | {"answer": dict(message)}
    connection.execute(
        update(REQUEST)
        .where(table.message_id == row.message_id)
        .values(
            state=ANSWERED if succeeded(operation, message) else REFUSED,
            answered=milliseconds(at),
            correlation=message["correlation_id"],
            sealed=key.seal(told),
        )
    )


def succeeded(operation: Operation, message: Mapping[str, Any]) -> bool:
    """Tell whether an answer gives at least part of what was asked."""
    part = message.get(operation.part)
    if operation.action == UNSUBSCRIBE.answer_action:
        return bool(message["status"] == "succ")
    if operation.action == LATER_STATUS.answer_action:
        return True
    return any(each["status"] == "succ" for each in part or ())


def requests(connection: Connection, *, name: str | None = None, action: str | None = None) -> list[Row[Any]]:
    """Return what was asked, oldest first."""
    statement = select(REQUEST).order_by(REQUEST.c.created, REQUEST.c.message_id)
    if name is not None:
        statement = statement.where(REQUEST.c.name == name)
    return list(connection.execute(statement if action is None else statement.where(REQUEST.c.action == action)))
