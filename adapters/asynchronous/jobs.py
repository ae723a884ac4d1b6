"""Searches that were acknowledged: each is run later, as it would be at once, and its answer put into the outbox.

It refuses to lose one: a job is done in the transaction that writes its answer, and before that it is run again, after
whatever ended the process. What may be given is decided when it is answered, and recorded before the answer leaves.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, func, select, update

import contracts
from adapters.accesslog import AccessStore, ItemStatus, Outcome, Transaction
from adapters.asynchronous.documents import Pen, callback_path, outgoing
from adapters.errors import AdapterError, MessageRejected, RequestRefused
from adapters.events import EventsKey, EventsStore, ServiceAddress
from adapters.events.store import milliseconds
from adapters.events.tables import JOB
from adapters.outbox import put
from adapters.registry import answers
from adapters.registry.callers import Caller
from adapters.registry.ledger import Circumstances, Ledger
from adapters.registry.messages import Correlation, Message, reference_of
from adapters.registry.operations import LATER_SEARCH
from adapters.registry.service import Service

WAITING: Final = "waiting"
DONE: Final = "done"
FAILED: Final = "failed"
MOST_WAITING: Final = 1000  # of one client: more would be answered too late to be of use
_AT_ONCE: Final = 4  # jobs that run side by side; each runs one query after another
_SECONDS: Final = 120.0  # for one job: a hundred slow searches
_ATTEMPTS: Final = 8
_FIRST_WAIT: Final = timedelta(seconds=2)  # doubled each time: eight attempts take some four minutes
_LOOK_EVERY: Final = 5.0  # seconds, besides being woken
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A search as it came."""

    number: int
    correlation: str
    service: str
    client: str
    via: str
    user: str
    xroad_id: str
    callback: ServiceAddress
    attempts: int
    message: Message


def store_job(
    connection: Connection,
    key: EventsKey,
    message: Message,
    *,
    service: str,
    caller: Caller,
    callback: ServiceAddress,
    xroad_id: str,
    correlation: str,
    at: datetime,
) -> None:
    """Write a search down, in the transaction that remembers its message; raises :class:`RequestRefused` (429)."""
    count = select(func.count()).where(JOB.c.client == caller.client, JOB.c.state == WAITING)
    if connection.execute(count).scalar_one() >= MOST_WAITING:
        raise RequestRefused(429, "err.request.too_many_requests", f"{MOST_WAITING} searches of yours wait: ask later")
    asked = message.asked
    told = {
        "asked": [asked.message_id, asked.sender_id, asked.version],
        "transaction_id": message.transaction_id,
        "body": dict(message.body),
        "via": caller.via,
        "user": caller.user,
        "xroad_id": xroad_id,
    }
    connection.execute(
        JOB.insert(),
        {
            "correlation": correlation,
            "service": service,
            "client": caller.client,
            "callback": str(callback),
            "operation": LATER_SEARCH.path,
            "sealed": key.seal(told),
            "created": milliseconds(at),
            "due": milliseconds(at),
            "state": WAITING,
        },
    )


class Jobs:
    """Runs the jobs of one adapter."""

    def __init__(self, store: EventsStore, access: AccessStore, services: Sequence[Service], pen: Pen) -> None:
        self._store = store
        self._access = access
        self._services = {each.code: each for each in services}
        self._pen = pen
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look at once: a job was written."""
        self._wake.set()

    async def run(self) -> None:
        """Run jobs until cancelled; what runs then is run again at the next start."""
        while True:
            self._wake.clear()
            try:
                ran = await self.run_due(datetime.now(UTC))
            except AdapterError as error:
                _log.error("registry_jobs_wait", problem=str(error))
                ran = 0
            if not ran:
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY):
                await self._wake.wait()
        except TimeoutError:
            return

    async def run_due(self, at: datetime) -> int:
        """Run what is due, and return how many there were; raises :class:`EventsError`."""
        found = await self._store.read(lambda connection: self._due(connection, at))
        async with asyncio.TaskGroup() as group:
            for each in found:
                group.create_task(self._run(each))
        return len(found)

    def _due(self, connection: Connection, at: datetime) -> list[Job]:
        table = JOB.c
        rows = connection.execute(
            select(JOB)
            .where(table.state == WAITING, table.due <= milliseconds(at), table.service.in_(self._services))
            .order_by(table.due, table.id)
            .limit(_AT_ONCE)
        )
        return [_read(row, self._store.key) for row in rows]

    async def _run(self, job: Job) -> None:
        """Run one: 1 search, 2 record, 3 answer and be done, in one transaction."""
        told = Circumstances(
            datetime.now(UTC), job.service, LATER_SEARCH.path, job.client, job.via, job.xroad_id, job.user
        )
        ledger = Ledger(told)
        state = DONE
        try:
            async with asyncio.timeout(_SECONDS):
                document = await self._answer(job, ledger)
        except RequestRefused as error:
            ledger.abandon(Outcome.REFUSED, error.code)
            state, document = FAILED, self._rejected(job, ledger, error.message)
        except (AdapterError, contracts.ContractViolation, TimeoutError) as error:
            if job.attempts + 1 < _ATTEMPTS:
                await self._later(job, error)
                return
            ledger.abandon(Outcome.FAILED, "err.service.unavailable")
            text = f"the registry could not answer in {_ATTEMPTS} attempts: ask again"
            state, document = FAILED, self._rejected(job, ledger, text)
        try:
            await self._record(job, ledger)
            await self._finish(job, document, state)
        except AdapterError as error:
            await self._later(job, error)

    async def _answer(self, job: Job, ledger: Ledger) -> dict[str, Any]:
        service = self._services[job.service]
        caller = Caller(job.client, job.via, job.user)
        try:
            return await service.answer_later(LATER_SEARCH, job.message, caller, ledger, job.correlation)
        except MessageRejected as rejection:
            return self._rejected(job, ledger, rejection.message)

    def _rejected(self, job: Job, ledger: Ledger, text: str) -> dict[str, Any]:
        """Reject each search: an answer without a message could not be joined to what was asked."""
        items = job.message.body[LATER_SEARCH.part]
        results: list[dict[str, Any]] = [
            {
                "reference_id": reference_of(item, place),
                "timestamp": answers.timestamp(),
                "status": "rjct",
                "status_reason_message": text,
            }
            for place, item in enumerate(items, start=1)
        ]
        sender, correlation = self._services[job.service].sender_id, job.correlation
        ledger.transaction = _transaction(job, results)
        return answers.answer(job.message, LATER_SEARCH, results, sender_id=sender, correlation_id=correlation)

    async def _record(self, job: Job, ledger: Ledger) -> None:
        """Record before the answer can leave; a job that is run again was written down as a message before."""
        known = await self._access.knows_message(job.service, job.client, job.message.asked.message_id)
        await self._access.append(ledger.entries(), None if known else ledger.transaction)

    async def _finish(self, job: Job, document: Mapping[str, Any], state: str) -> None:
        header, body = document["header"], document["message"]
        head = {name: value for name, value in header.items() if name.startswith("status") or name.endswith("_count")}
        if "meta" in header:
            head["meta"] = header["meta"]
        answer = self._pen.answer(LATER_SEARCH.answer_action, job.service, job.message.asked.sender_id, body, head)
        contracts.validate(LATER_SEARCH.answer, job.message.asked.version, answer)
        sent = outgoing(answer, job.service, job.callback, callback_path(LATER_SEARCH), f"on-search:{job.correlation}")
        await self._store.write(lambda connection: self._done(connection, job, state, sent))
        _log.info("registry_job", service=job.service, client=job.client, state=state, attempts=job.attempts + 1)

    def _done(self, connection: Connection, job: Job, state: str, sent: Any) -> None:  # noqa: ANN401  # an Outgoing
        """Whoever finds it done already, another process on the same tables, answers nothing."""
        statement = update(JOB).where(JOB.c.id == job.number, JOB.c.state == WAITING)
        if connection.execute(statement.values(state=state, attempts=job.attempts + 1)).rowcount:
            put(connection, self._store.key, [sent], at=datetime.now(UTC))

    async def _later(self, job: Job, error: Exception) -> None:
        _log.warning(
            "registry_job_waits", service=job.service, attempts=job.attempts + 1, kind=type(error).__name__,
            problem=str(error) or "timeout",
        )  # fmt: skip
        due = datetime.now(UTC) + _FIRST_WAIT * 2**job.attempts
        statement = update(JOB).where(JOB.c.id == job.number, JOB.c.state == WAITING)
        values = {"attempts": job.attempts + 1, "due": milliseconds(due)}
        await self._store.write(lambda connection: connection.execute(statement.values(**values)))


def waiting(connection: Connection) -> int:
    """Return how many jobs wait."""
    return int(connection.execute(select(func.count()).where(JOB.c.state == WAITING)).scalar_one())


def forget(connection: Connection, at: datetime, remembered: timedelta) -> None:
    """Delete jobs that are done, as long ago as messages are remembered."""
    connection.execute(JOB.delete().where(JOB.c.state != WAITING, JOB.c.created < milliseconds(at - remembered)))


def _read(row: Row[Any], key: EventsKey) -> Job:
    told = key.unseal(row.sealed)
    return Job(
        number=row.id,
        correlation=row.correlation,
        service=row.service,
        client=row.client,
        via=told["via"],
        user=told["user"],
        xroad_id=told["xroad_id"],
        callback=ServiceAddress.parse(row.callback),
        attempts=row.attempts,
        message=Message(Correlation(*told["asked"]), told["transaction_id"], told["body"]),
    )


def _transaction(job: Job, results: Sequence[Mapping[str, Any]]) -> Transaction:
    items = tuple(ItemStatus(each["reference_id"], each["timestamp"], each["status"], None, None) for each in results)
    return Transaction(
        at=datetime.now(UTC),
        service=job.service,
        client=job.client,
        message_id=job.message.asked.message_id,
        transaction_id=job.message.transaction_id,
        correlation_id=job.correlation,
        items=items,
    )
