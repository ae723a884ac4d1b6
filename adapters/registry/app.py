"""The HTTP application of one adapter: DCI's synchronous paths below each service, and what is public beside them.

It refuses callers that nobody vouches for, bodies beyond a limit, and to let an answer leave before it is recorded.
One request is one log line; personal values are in none, because neither queries nor records are logged.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import structlog
from aiohttp import web

import contracts
from adapters.accesslog import AccessStore, Outcome
from adapters.errors import (
    AccessLogError,
    AdapterError,
    EventsError,
    RecordError,
    RequestRefused,
    SourceError,
    SourceTimeoutError,
)
from adapters.registry import answers, messages, signing
from adapters.registry.bodies import read_body
from adapters.registry.callers import Caller, Callers
from adapters.registry.keyfiles import SigningKey
from adapters.registry.ledger import Circumstances, Ledger
from adapters.registry.monitoring import Monitor, Seen, xroad_id
from adapters.registry.openapi import add_documents
from adapters.registry.operations import Kind, Operation
from adapters.registry.public import Public
from adapters.registry.service import Reply, Service
from serverkit.http import new_application

_log = structlog.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_QUEUED: Final = 16  # per query that runs at once: beyond this a caller waits longer than it would by asking again
_LARGE_BYTES: Final = 64 * 1024  # some milliseconds to read: a search is far below, a chunk of a first load far above
_READ_AT_ONCE: Final = 2  # large ones: parsed, each takes some ten times its size of memory
_JSON: Final = "application/json"
COMPARE: Final = "/registry/sync/digests"  # ours: DCI has no path by which a subscriber compares
_TIMEOUT: Final = "err.request.timeout"
_UNAVAILABLE: Final = "err.service.unavailable"
_Failure = RecordError | SourceError | AccessLogError | EventsError | contracts.ContractViolation


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What the application bears."""

    body_bytes: int
    event_bytes: int
    request_seconds: int
    concurrent_queries: int

    def of(self, operation: Operation) -> int:
        """Return how large a message may be: events of others come many in one."""
        return max(self.body_bytes, self.event_bytes) if operation.kind is Kind.NOTIFY else self.body_bytes


@dataclass(frozen=True, slots=True)
class Signatures:
    """With which key answers are signed, and whose signatures are known."""

    key: SigningKey | None
    senders: signing.Senders


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body, and what the log line says of them."""

    status: int
    body: Mapping[str, Any]
    facts: Mapping[str, object]


class Acknowledging(Protocol):
    """Takes the messages of one service that need a database of events."""

    async def answer(self, operation: Operation, document: Mapping[str, Any], caller: Caller, xroad_id: str) -> Reply:
        """Answer one message; raises :class:`RequestRefused` and :class:`EventsError`."""


class Comparing(Protocol):
    """Lets the subscribers of one service compare what they have with what they should have."""

    async def answer(self, document: Mapping[str, Any], caller: Caller, xroad_id: str) -> Mapping[str, Any]:
        """Answer one request; raises :class:`RequestRefused` and errors of source, events and access record."""


class RegistryApp:
    """Serves the services of one adapter."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        callers: Callers,
        store: AccessStore,
        signatures: Signatures,
        monitor: Monitor,
        public: Public,
        limits: AppLimits,
        desks: Mapping[str, Acknowledging] | None = None,
        comparing: Mapping[str, Comparing] | None = None,
    ) -> None:
        self._services = services
        self._desks = desks or {}
        self._comparing = comparing or {}
        self._callers = callers
        self._store = store
        self._signatures = signatures
        self._monitor = monitor
        self._public = public
        self._limits = limits
        self._busy = 0
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = new_application(middlewares=[_dci_errors])
        for service in self._services:
            self._monitor.watch(service.code)
            for operation in self._operations(service):
                app.router.add_post(f"/{service.code}{operation.path}", partial(self._handle, service, operation))
            if service.code in self._comparing:
                app.router.add_post(f"/{service.code}{COMPARE}", partial(self._compare, service))
            app.router.add_get(f"/{service.code}/health", partial(self._health, (service,)))
            self._public.add_routes(app.router, service)
        app.router.add_get("/health", partial(self._health, self._services))
        add_documents(app.router, self._services, with_events=bool(self._desks))
        return app

    def _operations(self, service: Service) -> list[Operation]:
        """Without a database of events, nothing can be acknowledged."""
        return [each for each in service.operations if not each.needs_events or service.code in self._desks]

    async def _health(self, services: Sequence[Service], _request: web.Request) -> web.Response:
        well = [await self._is_well(each) for each in services]
        if all(well):
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "unavailable"}, status=503)

    async def _is_well(self, service: Service) -> bool:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await service.check()
        except (AdapterError, TimeoutError) as error:
            _log.warning("registry_unhealthy", service=service.code, problem=str(error) or "timeout")
            self._monitor.source_answers(service.code, well=False)
            return False
        self._monitor.source_answers(service.code, well=True)
        return True

    async def _handle(self, service: Service, operation: Operation, request: web.Request) -> web.Response:
        """Answer one request: 1 who asks, 2 what, 3 answer, 4 record, 5 sign, 6 tell."""
        seen = Seen(service.code, operation.path, xroad_id(request))
        try:
            caller = self._callers.caller(request, self._public.audience(service))
        except RequestRefused as error:
            answer = _refusal(error)
        else:
            seen.client, seen.via = caller.client, caller.via
            answer = await self._answered(service, operation, request, caller)
        self._monitor.answered(seen, answer.status, answer.facts)
        return _response(answer)

    async def _compare(self, service: Service, request: web.Request) -> web.Response:
        """Answer one request of a comparison, on a path of ours: 1 who asks, 2 what, 3 answer and record, 4 tell."""
        seen = Seen(service.code, COMPARE, xroad_id(request))
        try:
            caller = self._callers.caller(request, self._public.audience(service))
            seen.client, seen.via = caller.client, caller.via
            async with asyncio.timeout(self._limits.request_seconds):
                document = messages.read_object(await read_body(request, _JSON, self._limits.body_bytes))
                told = await self._comparing[service.code].answer(document, caller, xroad_id(request))
            answer = Answer(200, told, {"records": len(told.get("events", ()))})
        except RequestRefused as error:
            answer = _refusal(error)
        except TimeoutError:
            answer = Answer(504, answers.error_body(_TIMEOUT, "no answer in time: ask again later"), {"code": _TIMEOUT})
        except (SourceError, EventsError, AccessLogError) as error:
            answer = _failure(error)
        self._monitor.answered(seen, answer.status, answer.facts)
        return _response(answer)

    async def _answered(self, service: Service, operation: Operation, request: web.Request, caller: Caller) -> Answer:
        told = Circumstances(
            datetime.now(UTC), service.code, operation.path, caller.client, caller.via, xroad_id(request), caller.user
        )
        ledger = Ledger(told)
        try:
            answer = await self._attempt(service, operation, request, caller, ledger)
            if not operation.needs_events:  # those are recorded when they are answered
                await self._store.append(ledger.entries(), ledger.transaction)
        except AccessLogError as error:
            return _failure(error)
        finally:
            service.answered(ledger)
        if self._signatures.key is not None and "header" in answer.body:
            return Answer(answer.status, signing.sign(answer.body, self._signatures.key), answer.facts)
        return answer

    async def _attempt(
        self, service: Service, operation: Operation, request: web.Request, caller: Caller, ledger: Ledger
    ) -> Answer:
        """Answer, or refuse in DCI's words; what is refused was given to nobody."""
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                answer = await self._answer(service, operation, request, caller, ledger)
        except RequestRefused as error:
            ledger.abandon(Outcome.REFUSED, error.code)
            return _refusal(error)
        except TimeoutError:
            ledger.abandon(Outcome.FAILED, _TIMEOUT)
            text = f"no answer within {self._limits.request_seconds} s: ask again later"
            return Answer(504, answers.error_body(_TIMEOUT, text), {"code": _TIMEOUT})
        except (RecordError, SourceError, AccessLogError, EventsError, contracts.ContractViolation) as error:
            ledger.abandon(Outcome.FAILED, _UNAVAILABLE)
            if isinstance(error, SourceError):
                self._monitor.source_answers(service.code, well=False)
            return _failure(error)
        if not operation.needs_events:
            self._monitor.source_answers(service.code, well=True)
        return answer

    async def _answer(
        self, service: Service, operation: Operation, request: web.Request, caller: Caller, ledger: Ledger
    ) -> Answer:
        if self._busy >= self._limits.concurrent_queries * _QUEUED:
            raise RequestRefused(429, "err.request.too_many_requests", "the registry is busy: ask again in a second")
        self._busy += 1
        try:
            body = await read_body(request, _JSON, self._limits.of(operation))
            document = await self._read(body)
            signing.verify(document, caller.client, self._signatures.senders)
            reply = await self._reply(service, operation, document, caller, ledger)
        finally:
            self._busy -= 1
        return Answer(reply.status, reply.document, reply.facts)

    async def _read(self, body: bytes) -> Mapping[str, Any]:
        """Read a message; a large one beside the event loop, which others wait for meanwhile."""
        if len(body) < _LARGE_BYTES:
            return messages.read_document(body)
        async with self._reading:
            return await asyncio.to_thread(messages.read_document, body)

    async def _reply(
        self, service: Service, operation: Operation, document: Mapping[str, Any], caller: Caller, ledger: Ledger
    ) -> Reply:
        if operation.needs_events:
            return await self._desks[service.code].answer(operation, document, caller, ledger.xroad_id)
        return await service.answer(operation, document, caller, ledger)


def _refusal(error: RequestRefused) -> Answer:
    return Answer(error.status, answers.error_body(error.code, error.message), {"code": error.code})


def _failure(error: _Failure) -> Answer:
    """Tell the caller an id and the staff, in the log, what it stands for; neither gets a value."""
    error_id = str(uuid.uuid4())
    _log.error("registry_answer_withheld", error_id=error_id, problem=str(error), kind=type(error).__name__)
    if isinstance(error, SourceTimeoutError):
        status, code, text = 504, _TIMEOUT, "the registry took too long: narrow the search or ask later"
    elif isinstance(error, SourceError):
        status, code, text = 503, _UNAVAILABLE, "the registry does not answer: ask again later"
    elif isinstance(error, EventsError):
        status, code, text = 503, _UNAVAILABLE, "the registry cannot write down what it takes: send it again later"
    elif isinstance(error, AccessLogError):
        status, code, text = 503, _UNAVAILABLE, "the registry cannot record who asks, so it answers nobody: ask later"
    else:
        status, code, text = 500, _UNAVAILABLE, "the registry holds data that cannot be given in the standard"
    body = answers.error_body(code, f"{text}; tell the registry's staff the id {error_id}")
    return Answer(status, body, {"code": code, "error_id": error_id})


def _response(answer: Answer) -> web.Response:
    body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(status=answer.status, body=body, content_type=_JSON, charset="utf-8")


@web.middleware
async def _dci_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Give aiohttp's own refusals (no such path, wrong method) DCI's body."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        code = "err.request.not_found" if error.status == web.HTTPNotFound.status_code else "err.request.bad"
        text = f"POST to …/SERVICE/registry/sync/search; {error.reason}"
        response = _response(Answer(error.status, answers.error_body(code, text), {}))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
