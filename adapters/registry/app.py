"""The HTTP application of one registry: ``POST …/registry/sync/search`` and ``GET …/health``.

It refuses callers that no security server named, bodies beyond a limit, and to send anything that breaks the contract.
One request is one log line; personal values are in none, because neither queries nor records are logged.
"""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from aiohttp import web

import contracts
from adapters.errors import (
    AdapterError,
    MessageRejected,
    RecordError,
    RequestRefused,
    SearchRejected,
    SourceError,
    SourceTimeoutError,
)
from adapters.registry import messages
from adapters.registry.context import RequestContext, read_purpose
from adapters.registry.search import Registry
from serverkit.http import new_application
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

_log = structlog.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_QUEUED_PER_THREAD: Final = 16  # beyond this a caller waits longer than it would by asking again
_XROAD_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,99}")
_UNAVAILABLE: Final = "err.service.unavailable"
_UNAUTHORIZED: Final = "err.request.unauthorized"
_CLIENT: Final = web.RequestKey("client", str)
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What the application bears."""

    body_bytes: int
    items: int
    request_seconds: int
    threads: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body, and what the log line says of them."""

    status: int
    body: Mapping[str, Any]
    facts: Mapping[str, object]


class RegistryApp:
    """Serves one registry."""

    def __init__(self, registry: Registry, *, sender_id: str, require_client: bool, limits: AppLimits) -> None:
        self._registry = registry
        self._sender_id = sender_id
        self._require_client = require_client
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="registry")
        self._waiting = 0

    def application(self, base_path: str) -> web.Application:
        """Make the aiohttp application."""
        app = new_application(middlewares=[_dci_errors])
        app.router.add_post(f"{base_path}/registry/sync/search", self._search)
        app.router.add_get(f"{base_path}/health", self._health)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._registry.source.close()

    async def _health(self, _request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                await self._in_thread(self._registry.source.check)
        except (AdapterError, TimeoutError) as error:
            _log.warning("registry_unhealthy", problem=str(error) or "timeout")
            return web.json_response({"status": "unavailable"}, status=503)
        return web.json_response({"status": "ok"})

    async def _search(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                answer = await self._answer(request)
        except RequestRefused as error:
            answer = Answer(error.status, messages.error_body(error.code, error.message), {"code": error.code})
        except TimeoutError:
            text = f"no answer within {self._limits.request_seconds} s: ask again later"
            answer = Answer(504, messages.error_body("err.request.timeout", text), {"code": "err.request.timeout"})
        except (RecordError, SourceError, contracts.ContractViolation) as error:
            answer = _failure(error)
        _log_line(request, answer, started)
        return _response(answer)

    async def _answer(self, request: web.Request) -> Answer:
        client = _client(request, required=self._require_client)
        header, message = messages.read_document(await self._body(request))
        asked = messages.correlation(header)
        try:
            checked = messages.read_message(header, message, receiver=self._sender_id, max_items=self._limits.items)
        except MessageRejected as rejection:
            body = messages.rejected_answer(asked, rejection, sender_id=self._sender_id)
            contracts.validate("dci/sync-search-response", messages.VERSION, body)
            return Answer(200, body, {"code": rejection.reason})
        results = await self._in_thread(self._results, checked, client)
        body = messages.answer(checked, results, sender_id=self._sender_id)
        contracts.validate("dci/sync-search-response", messages.VERSION, body)
        records = sum(len(each["data"]["reg_records"]) for each in results if "data" in each)
        rejected = sorted({each["status_reason_code"] for each in results if "data" not in each})
        return Answer(200, body, {"items": len(results), "records": records, "rejected": rejected})

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json":
            raise RequestRefused(415, "err.request.bad", "send Content-Type: application/json")
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._limits.body_bytes:
                raise RequestRefused(413, "err.request.bad", f"send at most {self._limits.body_bytes} bytes")
        return bytes(body)

    def _results(self, message: messages.Message, client: ClientId | None) -> list[dict[str, Any]]:
        """Run the searches of one message one after another, in a thread."""
        seen: set[str] = set()
        results: list[dict[str, Any]] = []
        for place, item in enumerate(message.items, start=1):
            reference = messages.reference_of(item, place)
            try:
                results.append(self._result(message, client, item, seen))
            except SearchRejected as rejection:
                results.append(messages.rejected_result(reference, rejection))
            seen.add(reference)
        return results

    def _result(
        self, message: messages.Message, client: ClientId | None, item: object, seen: set[str]
    ) -> dict[str, Any]:
        checked = messages.read_item(item)
        if checked["reference_id"] in seen:
            raise SearchRejected("rjct.reference_id.duplicate", "give each search of a message its own reference_id")
        criteria = checked["search_criteria"]
        context = RequestContext(
            client=client,
            sender_id=message.sender_id,
            message_id=message.message_id,
            transaction_id=message.transaction_id,
            reference_id=checked["reference_id"],
            locale=checked.get("locale"),
            consent=read_purpose(criteria.get("consent")),
            authorize=read_purpose(criteria.get("authorize")),
        )
        return self._registry.search(criteria, context)

    async def _in_thread(self, work: Callable[..., _R], *args: object) -> _R:
        """Run blocking work in the registry's own threads; refuse rather than queue without end."""
        if self._waiting >= self._limits.threads * _QUEUED_PER_THREAD:
            raise RequestRefused(429, "err.request.too_many_requests", "the registry is busy: ask again in a second")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1


def _log_line(request: web.Request, answer: Answer, started: float) -> None:
    """What the caller chose freely (message, transaction, purpose) stays out: a card number may stand in any of it."""
    xroad_id = request.headers.get("X-Road-Id", "")
    _log.info(
        "registry_search",
        status=answer.status,
        client=request.get(_CLIENT, ""),
        xroad_id=xroad_id if _XROAD_ID.fullmatch(xroad_id) else "",
        milliseconds=round((time.monotonic() - started) * 1000, 1),
        **answer.facts,
    )


def _client(request: web.Request, *, required: bool) -> ClientId | None:
    """Return who asks, as the institution's own security server says after it verified the signature."""
    named = request.headers.getall("X-Road-Client", [])
    if not named and not required:
        return None
    if len(named) != 1:
        raise RequestRefused(401, _UNAUTHORIZED, "one X-Road-Client header is needed: ask through the security server")
    try:
        client = ClientId.parse(named[0])
    except XRoadError as error:
        raise RequestRefused(401, _UNAUTHORIZED, "X-Road-Client is not a client identifier") from error
    request[_CLIENT] = str(client)
    return client


def _failure(error: RecordError | SourceError | contracts.ContractViolation) -> Answer:
    """Tell the caller an id and the staff, in the log, what it stands for; neither gets a value."""
    error_id = str(uuid.uuid4())
    _log.error("registry_answer_withheld", error_id=error_id, problem=str(error), kind=type(error).__name__)
    if isinstance(error, SourceTimeoutError):
        status, code, text = 504, "err.request.timeout", "the registry took too long: narrow the search or ask later"
    elif isinstance(error, SourceError):
        status, code, text = 503, _UNAVAILABLE, "the registry does not answer: ask again later"
    else:
        status, code, text = 500, _UNAVAILABLE, "the registry holds data that cannot be given in the standard"
    body = messages.error_body(code, f"{text}; tell the registry's staff the id {error_id}")
    return Answer(status, body, {"code": code, "error_id": error_id})


def _response(answer: Answer) -> web.Response:
    body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(status=answer.status, body=body, content_type="application/json", charset="utf-8")


@web.middleware
async def _dci_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Give aiohttp's own refusals (no such path, wrong method) DCI's body."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        code = "err.request.not_found" if error.status == web.HTTPNotFound.status_code else "err.request.bad"
        answer = Answer(error.status, messages.error_body(code, f"POST to …/registry/sync/search; {error.reason}"), {})
        response = _response(answer)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
