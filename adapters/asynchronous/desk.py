"""Takes the messages of one service's asynchronous paths: checks them, writes them down, and acknowledges them.

It refuses to acknowledge what is not durable, and to answer anywhere but at a service of the client that asks. What a
message asks for is done in the transaction that remembers it; only searches wait, as jobs.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

import contracts
from adapters.accesslog import AccessStore
from adapters.asynchronous import acks, asking, inbox, receiving, subscribing
from adapters.asynchronous.documents import Pen, callback_path, outgoing
from adapters.asynchronous.jobs import store_job
from adapters.asynchronous.receiver import Receiver
from adapters.asynchronous.subscriptions import ENDED, Subscription
from adapters.errors import MessageRejected, RequestRefused, SearchRejected
from adapters.events import EventsStore, ServiceAddress
from adapters.events.model import Status
from adapters.events.naming import BadAddress
from adapters.outbox import put
from adapters.registry import answers, messages
from adapters.registry.callers import Caller
from adapters.registry.messages import Message
from adapters.registry.operations import ON_SEARCH, Kind, Operation
from adapters.registry.service import Reply, Service

Document = dict[str, Any]
Subscribed = Callable[[Connection, Subscription, datetime], None]
_FORBIDDEN: Final = "err.request.forbidden"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message, and how it came."""

    operation: Operation
    message: Message
    caller: Caller
    xroad_id: str
    callback: ServiceAddress | None
    at: datetime
    correlation: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Desk:
    """Of one service.

    Args:
        service: whose paths they are.
        store: the events' tables.
        access: which messages were answered at once.
        pen: writes what is sent.
        events: the types of event that the service publishes; empty when it tells nobody.
        receiver: what takes the events of others; None when nothing does.
        wake: is called when a job was written.
        subscribed: is called in the transaction for each subscription that is made.
    """

    service: Service
    store: EventsStore
    access: AccessStore
    pen: Pen
    events: frozenset[str]
    receiver: Receiver | None
    wake: Callable[[], None]
    subscribed: Subscribed | None = None

    async def answer(self, operation: Operation, document: Mapping[str, Any], caller: Caller, xroad_id: str) -> Reply:
        """Answer one message.

        Raises:
            RequestRefused: of the one path that is answered at once; all others are acknowledged with ``ERR``.
            EventsError: nothing can be written, so nothing is acknowledged.
        """
        try:
            return await self._take(self._arrived(operation, document, caller, xroad_id))
        except MessageRejected as rejection:
            if operation.is_acknowledged:
                return acks.refused(rejection)
            asked = messages.correlation(document["header"], caller.client)
            told = answers.rejected_answer(asked, operation, rejection, sender_id=self.service.sender_id)
            return Reply(told, {"code": rejection.reason})
        except RequestRefused as refusal:
            if not operation.is_acknowledged:
                raise
            return acks.failed(refusal)

    def _arrived(self, operation: Operation, document: Mapping[str, Any], caller: Caller, xroad_id: str) -> Arrival:
        at = datetime.now(UTC)
        message = messages.read_message(
            document,
            operation,
            receiver=self.service.sender_id,
            max_items=self.service.max_events if operation.kind is Kind.NOTIFY else self.service.max_items,
            at=at,
            remembered=self.access.remembered,
            sender=caller.client,
        )
        callback = (
            _callback(document["header"], caller) if operation.answer_action and operation.is_acknowledged else None
        )
        return Arrival(operation, message, caller, xroad_id, callback, at)

    async def _take(self, arrival: Arrival) -> Reply:
        match arrival.operation.kind:
            case Kind.NOTIFY:
                return await self._notify(arrival)
            case Kind.UPDATES:
                return await self._updates(arrival)
            case Kind.CALLBACK:
                return await self._answered(arrival)
            case _:
                return await self._asked(arrival)

    async def _asked(self, arrival: Arrival) -> Reply:
        match arrival.operation.kind:
            case Kind.LATER_SEARCH:
                return await self._search(arrival)
            case Kind.LATER_STATUS:
                return await self._status(arrival)
            case Kind.SUBSCRIBE:
                return await self._subscribe(arrival)
            case Kind.UNSUBSCRIBE:
                return await self._unsubscribe(arrival)
            case _:
                raise AssertionError("the service answers these itself")

    # What is asked

    async def _search(self, arrival: Arrival) -> Reply:
        """Who is given nothing at all is told at once; all else is decided when it is answered."""
        self._check_declared(arrival.caller)
        message = arrival.message
        if await self.access.knows_message(self.service.code, arrival.caller.client, message.asked.message_id):
            raise acks.KnownMessage(arrival.correlation)
        items = message.body[arrival.operation.part]
        references = [messages.reference_of(item, place) for place, item in enumerate(items, start=1)]
        await self.store.write(lambda connection: self._store_search(connection, arrival, references))
        self.wake()
        return acks.taken(arrival.correlation, items=len(items))

    def _check_declared(self, caller: Caller) -> None:
        if not any(caller.client in rule.to for rule in self.service.registry.release.rules):
            text = "this service gives you nothing: ask its institution to declare it"
            raise RequestRefused(403, _FORBIDDEN, text)

    def _store_search(self, connection: Connection, arrival: Arrival, references: list[str]) -> None:
        self._remember(connection, arrival, references, [(inbox.REFERENCES, each) for each in references])
        store_job(
            connection,
            self.store.key,
            arrival.message,
            service=self.service.code,
            caller=arrival.caller,
            callback=_there(arrival),
            xroad_id=arrival.xroad_id,
            correlation=arrival.correlation,
            at=arrival.at,
        )

    async def _status(self, arrival: Arrival) -> Reply:
        asked = arrival.message.body[arrival.operation.part]
        found = await self.service.status(arrival.caller.client, asked)
        body = self._body(arrival) | {arrival.operation.answer_part: found}
        head = {"total_count": 1, "completed_count": 1}
        await self.store.write(lambda connection: self._reply(connection, arrival, body, head))
        return acks.taken(arrival.correlation, txn_type=found["txn_type"])

    async def _subscribe(self, arrival: Arrival) -> Reply:
        self._check_declared(arrival.caller)
        results = await self.store.write(lambda connection: self._store_subscriptions(connection, arrival))
        rejected = sorted({each["status_reason_code"] for each in results if "status_reason_code" in each})
        return acks.taken(arrival.correlation, items=len(results), rejected=rejected)

    def _store_subscriptions(self, connection: Connection, arrival: Arrival) -> list[Document]:
        """Judge and write each part, remember the message, and answer, in one transaction."""
        items = arrival.message.body[arrival.operation.part]
        self._check_new(connection, arrival)
        seen: set[str] = set()
        results = [self._one(connection, arrival, item, place, seen) for place, item in enumerate(items, start=1)]
        references = [(inbox.REFERENCES, each["reference_id"]) for each in results]
        references += [
            ("subscription_code_list", each["code"]) for result in results for each in result.get("subscriptions", ())
        ]
        self._remember(connection, arrival, results, references)
        body = self._body(arrival) | {arrival.operation.answer_part: results}
        self._reply(connection, arrival, body, {"total_count": len(results)}, remember=False)
        return results

    def _one(self, connection: Connection, arrival: Arrival, item: object, place: int, seen: set[str]) -> Document:
        reference = messages.reference_of(item, place)
        locale = item.get("locale") if isinstance(item, dict) else None
        try:
            asked = subscribing.judge(
                item,
                self.service.registry,
                self.store.key,
                service=self.service.code,
                client=arrival.caller.client,
                callback=_there(arrival),
                events=self.events,
                version=arrival.message.asked.version,
                at=arrival.at,
            )
            if reference in seen:
                raise SearchRejected(  # noqa: TRY301  # answered below like any other
                    "rjct.reference_id.duplicate", "give each subscription of a message its own reference_id"
                )
            subscribing.write(connection, self.store.key, asked, arrival.at)
        except SearchRejected as rejection:
            return subscribing.rejected(reference, rejection, locale)
        finally:
            seen.add(reference)
        if self.subscribed is not None:
            self.subscribed(connection, asked.subscription, arrival.at)
        told = subscribing.info(asked.subscription, self.service.registry.reg_type, in_force=True, at=arrival.at)
        found = {"reference_id": reference, "timestamp": answers.timestamp(), "status": "succ", "subscriptions": [told]}
        return found if locale is None else found | {"locale": locale}

    async def _unsubscribe(self, arrival: Arrival) -> Reply:
        told = await self.store.write(lambda connection: self._end_subscriptions(connection, arrival))
        return acks.taken(arrival.correlation, ended=len(told.get("subscription_status", ())))

    def _end_subscriptions(self, connection: Connection, arrival: Arrival) -> Document:
        self._check_new(connection, arrival)
        codes = dict.fromkeys(arrival.message.body[arrival.operation.part])
        own = {
            code: subscribing.own(connection, self.store.key, self.service.code, arrival.caller.client, code)
            for code in codes
        }
        in_force = [
            code for code, found in own.items() if found is not None and found[1] and found[0].ends > arrival.at
        ]
        for code in in_force:
            subscribing.end(connection, code, arrival.at)
        told = _ended([code for code, found in own.items() if found is not None], in_force, len(own))
        self._remember(connection, arrival, told, [("subscription_code_list", code) for code in codes])
        self._reply(connection, arrival, self._body(arrival) | told, {"total_count": len(codes)}, remember=False)
        return told

    # What others tell

    async def _notify(self, arrival: Arrival) -> Reply:
        receiver = receiving.check_sender(self.receiver, arrival.caller.client)
        message = arrival.message
        items, version = message.body[arrival.operation.part], message.asked.version
        client = arrival.caller.client
        found = await self.store.beside(lambda: receiving.judged(receiver, client, receiving.notified(items, version)))
        results = await self.store.write(lambda connection: self._apply(connection, arrival, receiver, found))
        return acks.applied(arrival.correlation, results, **_counts(results))

    async def _updates(self, arrival: Arrival) -> Reply:
        receiver = receiving.check_sender(self.receiver, arrival.caller.client)
        client, message = arrival.caller.client, arrival.message
        beneficiaries = message.body[arrival.operation.part].get("beneficiaries", ())
        found = await self.store.beside(
            lambda: receiving.judged(
                receiver, client, receiving.enrolled(beneficiaries, client, message.asked.message_id, arrival.at)
            )
        )
        results = await self.store.write(lambda connection: self._apply(connection, arrival, receiver, found))
        told = [each | {"reference_id": f"#{place}"} for place, each in enumerate(results, start=1)]
        document = answers.answer(
            message, arrival.operation, told, sender_id=self.service.sender_id, correlation_id=arrival.correlation
        )
        contracts.validate(arrival.operation.answer, message.asked.version, document)
        return Reply(document, _counts(told))

    def _apply(
        self, connection: Connection, arrival: Arrival, receiver: Receiver, found: list[receiving.Judged]
    ) -> list[Document]:
        """Remember the message and apply its events, in one transaction: one without the other would be a lie."""
        self._check_new(connection, arrival)
        results = receiving.apply(connection, receiver, arrival.caller.client, found, arrival.at)
        told = acks.written(results)
        references = [(inbox.REFERENCES, each.reference_id) for each in results if not each.noted]
        self._remember(connection, arrival, told, references)
        return told

    async def _answered(self, arrival: Arrival) -> Reply:
        results = await self.store.write(lambda connection: self._take_answer(connection, arrival))
        return acks.applied(arrival.correlation, results, **_counts(results))

    def _take_answer(self, connection: Connection, arrival: Arrival) -> list[Document]:
        message, client = arrival.message, arrival.caller.client
        self._check_new(connection, arrival)
        asking.take(connection, self.store.key, arrival.operation, self.service.code, client, message.body, arrival.at)
        told: list[Document] = []
        if arrival.operation is ON_SEARCH and self.receiver is not None and client in self.receiver.senders:
            read = receiving.answered(message.body[ON_SEARCH.part], client, message.asked.message_id)
            found = receiving.judged(self.receiver, client, read)
            told = acks.written(receiving.apply(connection, self.receiver, client, found, arrival.at))
        self._remember(connection, arrival, told, ())
        return told

    # What is common to all

    def _check_new(self, connection: Connection, arrival: Arrival) -> None:
        """Before anything is done; :meth:`_remember` writes with what was done."""
        inbox.check_new(
            connection, self.store.key, self.service.code, arrival.caller.client, arrival.message.asked.message_id
        )

    def _remember(
        self,
        connection: Connection,
        arrival: Arrival,
        answer: object,
        references: Iterable[tuple[str, str]],
    ) -> None:
        arrived = inbox.Arrived(
            service=self.service.code,
            client=arrival.caller.client,
            action=arrival.operation.action,
            message_id=arrival.message.asked.message_id,
            transaction_id=arrival.message.transaction_id,
            correlation_id=arrival.correlation,
            answer=answer,
            references=references,
        )
        inbox.remember(connection, self.store.key, arrived, arrival.at)

    def _body(self, arrival: Arrival) -> Document:
        return {"transaction_id": arrival.message.transaction_id, "correlation_id": arrival.correlation}

    def _reply(
        self, connection: Connection, arrival: Arrival, body: Document, head: Document, *, remember: bool = True
    ) -> None:
        """Put the answer into the outbox."""
        if remember:
            self._remember(connection, arrival, None, ())
        operation, there = arrival.operation, _there(arrival)
        document = self.pen.answer(
            operation.answer_action, self.service.code, arrival.message.asked.sender_id, body, head
        )
        contracts.validate(operation.answer, arrival.message.asked.version, document)
        key = f"{operation.answer_action}:{arrival.correlation}"
        sent = outgoing(document, self.service.code, there, callback_path(operation), key)
        put(connection, self.store.key, [sent], at=arrival.at)


def _callback(header: Mapping[str, Any], caller: Caller) -> ServiceAddress:
    """Return the service that is answered: a client's own, never somebody else's, never an address of the Internet."""
    code = "err.sender_uri.invalid"
    uri = header.get("sender_uri")
    if not isinstance(uri, str):
        raise RequestRefused(
            400, code, "header.sender_uri names your service that takes the answer, as xroad:…/SERVICE"
        )
    try:
        found = ServiceAddress.from_uri(uri)
    except BadAddress as error:
        raise RequestRefused(400, code, f"header.sender_uri: {error}") from error
    if str(found.client) != caller.client:
        raise RequestRefused(400, code, "header.sender_uri names a service of your own subsystem, the one that asks")
    return found


def _there(arrival: Arrival) -> ServiceAddress:
    if arrival.callback is None:
        raise AssertionError("only what is answered by a message has a place for it")
    return arrival.callback


def _ended(own: list[str], in_force: list[str], asked: int) -> Document:
    """Write what became of codes; of those that are not the client's own, nothing is said."""
    told: Document = {
        "timestamp": answers.timestamp(),
        "status": "succ" if in_force else "rjct",
        "subscription_status": [{"code": code, "status": ENDED} for code in own],
    }
    if not in_force:
        told["status_reason_code"] = "rjct.event.already_unsubscribed" if own else "rjct.subscription_code.invalid"
    if len(own) < asked:
        told["status_reason_message"] = f"{asked - len(own)} of {asked} codes name no subscription of yours"
    return told


def _counts(results: list[Document]) -> dict[str, object]:
    rejected = sum(each["status"] == str(Status.REJECTED) for each in results)
    return {"events": len(results), "rejected_events": rejected}
