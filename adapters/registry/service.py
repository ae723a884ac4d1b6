"""One service of an adapter: reads a message by its operation, runs its searches, writes the answer.

It refuses to know HTTP, tokens and signatures: it gets who asks and a document, and gives a document back. What it
does stands in the ledger that it is handed, whether it succeeds or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import contracts
from adapters.accesslog import AccessStore, ItemStatus, Outcome, Transaction
from adapters.errors import MessageRejected, SearchRejected
from adapters.registry import answers, messages
from adapters.registry.callers import Caller
from adapters.registry.ledger import Draft, Ledger
from adapters.registry.messages import Message
from adapters.registry.operations import LISTED, OPERATIONS, Kind, Operation
from adapters.registry.search import Answered, Registry
from adapters.registry.status import History, status_of
from adapters.release import RequestContext, read_purpose
from adapters.source import Filter

Document = dict[str, Any]
_DUPLICATE: Final = "rjct.message_id.duplicate"
_ONCE: Final = "give each message its own message_id; ask txn/status what became of one"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and what the log line says of it."""

    document: Document
    facts: Mapping[str, object]
    status: int = 200


class Service:
    """Answers the operations of one service."""

    def __init__(
        self,
        code: str,
        registry: Registry,
        store: AccessStore,
        *,
        sender_id: str,
        max_items: int,
        max_events: int = 0,
        yes_when: Filter | None = None,
    ) -> None:
        self.code = code
        self.registry = registry
        self._store = store
        self.sender_id = sender_id
        self.max_items = max_items
        self.max_events = max(max_items, max_events)  # of one notification: a chunk of a first load is one
        self._yes_when = yes_when
        self.history: History | None = None  # of what is answered later, where there is any
        self._answering: set[tuple[str, str]] = set()

    async def check(self) -> None:
        """Raise :class:`SourceError` unless the source has all that is declared."""
        await self.registry.source.check()

    async def close(self) -> None:
        """Close the source."""
        await self.registry.source.close()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What DCI has for a registry of this type."""
        return OPERATIONS[self.registry.reg_type]

    async def answer(self, operation: Operation, document: Mapping[str, Any], caller: Caller, ledger: Ledger) -> Reply:
        """Answer one request.

        Raises:
            RequestRefused: it is no message of this operation, or nothing is declared for the caller.
            RecordError, SourceError, ContractViolation: nothing can be answered.
        """
        asked = messages.correlation(document["header"])
        try:
            message = messages.read_message(
                document,
                operation,
                receiver=self.sender_id,
                max_items=self.max_items,
                at=datetime.now(UTC),
                remembered=self._store.remembered,
            )
            reply = await self._once(operation, message, caller, ledger)
        except MessageRejected as rejection:
            rejected = answers.rejected_answer(asked, operation, rejection, sender_id=self.sender_id)
            reply = Reply(rejected, {"code": rejection.reason})
        contracts.validate(operation.answer, asked.version, reply.document)
        return reply

    async def _once(self, operation: Operation, message: Message, caller: Caller, ledger: Ledger) -> Reply:
        """Answer each message once: a copy of one that was overheard is not its sender's."""
        if operation.kind is Kind.STATUS:
            return await self._status(operation, message, caller)
        name = (caller.client, message.asked.message_id)
        if name in self._answering:
            raise MessageRejected(_DUPLICATE, _ONCE)
        self._answering.add(name)  # before anything is awaited: copies come at the same moment
        ledger.message = name
        if await self._store.knows_message(self.code, *name):
            raise MessageRejected(_DUPLICATE, _ONCE)
        return await self._searches(operation, message, caller, ledger)

    async def answer_later(
        self, operation: Operation, message: Message, caller: Caller, ledger: Ledger, correlation_id: str
    ) -> Document:
        """Answer a message that was acknowledged; whoever keeps it answers each once.

        Raises:
            RequestRefused, RecordError, SourceError, ContractViolation: as :meth:`answer`.
        """
        reply = await self._searches(operation, message, caller, ledger, correlation_id)
        return reply.document

    def answered(self, ledger: Ledger) -> None:
        """Note that a message is written down, or never will be: from now on the store knows, or it may come again."""
        if ledger.message is not None:
            self._answering.discard(ledger.message)

    async def _status(self, operation: Operation, message: Message, caller: Caller) -> Reply:
        found = await self.status(caller.client, message.body[operation.part])
        told = answers.status_answer(message, operation, found, sender_id=self.sender_id)
        return Reply(told, {"txn_type": found["txn_type"]})

    async def status(self, client: str, asked: Mapping[str, Any]) -> Document:
        """Return what became of a client's own earlier messages; raises :class:`RequestRefused`."""
        return await status_of(self._store, self.code, client, asked, self.history)

    async def _searches(
        self,
        operation: Operation,
        message: Message,
        caller: Caller,
        ledger: Ledger,
        correlation_id: str | None = None,
    ) -> Reply:
        if operation.kind in LISTED:
            outcomes = await self._each(message, operation, caller, ledger)
        else:
            outcomes = [await self._only(message, operation, caller, ledger)]
        results = [result for result, _release in outcomes]
        releases = [release for _result, release in outcomes if release is not None]
        document = answers.answer(
            message, operation, results, sender_id=self.sender_id, releases=releases, correlation_id=correlation_id
        )
        told = document["message"]
        ledger.transaction = Transaction(
            at=datetime.now(UTC),
            service=self.code,
            client=caller.client,
            message_id=message.asked.message_id,
            transaction_id=message.transaction_id,
            correlation_id=told["correlation_id"],
            items=tuple(map(_item_status, results)),
        )
        rejected = sorted({each["status_reason_code"] for each in results if "status_reason_code" in each})
        records = sum(len(each["data"]["reg_records"]) for each in results if "data" in each)
        return Reply(document, {"items": len(results), "records": records, "rejected": rejected})

    async def _each(
        self, message: Message, operation: Operation, caller: Caller, ledger: Ledger
    ) -> list[tuple[Document, Document | None]]:
        """Run the searches of a message one after another; each succeeds or is rejected alone."""
        seen: set[str] = set()
        outcomes: list[tuple[Document, Document | None]] = []
        for place, item in enumerate(message.body[operation.part], start=1):
            reference, draft = messages.reference_of(item, place), ledger.draft()
            try:
                checked = messages.read_item(item, message.asked.version)
                if reference in seen:
                    raise SearchRejected(  # noqa: TRY301  # answered below like any other
                        "rjct.reference_id.duplicate", "give each search of a message its own reference_id"
                    )
                outcomes.append(await self._search(operation, checked, caller, draft))
            except SearchRejected as rejection:
                _refuse(draft, rejection)
                locale = item.get("locale") if isinstance(item, dict) else None
                outcomes.append((answers.rejected_result(reference, rejection, locale), None))
            seen.add(reference)
        return outcomes

    async def _only(
        self, message: Message, operation: Operation, caller: Caller, ledger: Ledger
    ) -> tuple[Document, Document | None]:
        """Run the only search of a message; it has no reference of its own, so the message's identifier is it."""
        reference, draft = message.asked.message_id, ledger.draft()
        try:
            item = messages.only_item(
                message.body[operation.part], reference, answers.timestamp(), message.asked.version
            )
            return await self._search(operation, item, caller, draft)
        except SearchRejected as rejection:
            _refuse(draft, rejection)
            if operation.kind is Kind.YES_NO:  # a rejected result would have to say yes or no (DCI requires it)
                raise MessageRejected(
                    answers.TOO_MANY_ERRORS, f"{rejection.reason}: {rejection.message}"
                ) from rejection
            return answers.rejected_result(reference, rejection), None

    async def _search(
        self, operation: Operation, item: Mapping[str, Any], caller: Caller, draft: Draft
    ) -> tuple[Document, Document]:
        criteria, reference = item["search_criteria"], item["reference_id"]
        context = RequestContext(
            client=caller.client,
            locale=item.get("locale"),
            consent=read_purpose(criteria.get("consent")),
            authorize=read_purpose(criteria.get("authorize")),
        )
        found = await self.registry.search(
            criteria,
            context,
            draft,
            status_field=operation.status_field,
            narrowed=self._yes_when if operation.kind is Kind.YES_NO else None,
        )
        if operation.kind is Kind.YES_NO:
            told = _head(reference) | {operation.status_field: "yes" if found.found else "no"}
            return told, found.told(reference, [operation.status_field])
        return self._result(operation, reference, found, context), found.told(reference)

    def _result(self, operation: Operation, reference: str, found: Answered, context: RequestContext) -> Document:
        records = _inside(found.records, operation.record_part) if operation.record_part else list(found.records)
        result = _head(reference) | {
            "data": {
                "version": found.version,
                "reg_type": self.registry.reg_type,
                "reg_record_type": self.registry.record_type,
                "reg_records": records,
            },
            "pagination": {
                "page_size": found.page.size,
                "page_number": found.page.number,
                "total_count": found.total,
            },
        }
        return result if context.locale is None else result | {"locale": context.locale}


def _head(reference: str) -> Document:
    return {"reference_id": reference, "timestamp": answers.timestamp(), "status": "succ"}


def _inside(records: Sequence[Document], part: str) -> list[Document]:
    """Return one part of each record, where an operation gives only that."""
    return [each for record in records for each in record.get(part, ())]


def _refuse(draft: Draft, rejection: SearchRejected) -> None:
    draft.outcome, draft.reason = Outcome.REFUSED, rejection.reason


def _item_status(result: Document) -> ItemStatus:
    return ItemStatus(
        reference_id=result["reference_id"],
        timestamp=result["timestamp"],
        status=result["status"],
        reason=result.get("status_reason_code"),
        records=len(result["data"]["reg_records"]) if "data" in result else None,
    )
