"""One attempt to deliver one message, whatever queue it came from: recorded, built, sent, judged, written down.

It refuses to send what the access record does not have yet, and to decide when the next attempt is due otherwise than
by the table of verdicts. The queues call it; what it writes into the outbox is the truth about the message.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.accesslog import AccessStore
from adapters.events.canonical import written
from adapters.events.model import Document
from adapters.events.naming import BadAddress
from adapters.events.store import EventsStore, milliseconds, moment
from adapters.outbox import backoff, messages, rows
from adapters.outbox.config import RetryConfig
from adapters.outbox.rows import Batch
from adapters.outbox.transport import Transport
from adapters.outbox.verdicts import Fate, Verdict, judge
from adapters.outbox.watching import Watch

_SKEW: Final = timedelta(minutes=5)  # a clock that was set back between two attempts
_PROBLEM: Final = 255  # the column's
_NOWHERE: Final = Verdict(Fate.NEVER, "bad_address", "the receiver is no service of the bus: drop it, and put it anew")
_UNSOUND: Final = Verdict(
    Fate.NEVER, "unsound", "the message cannot be written or signed: correct the record, and drop it"
)
Sign = Callable[[Document], Document]


@dataclass(slots=True)
class Lane:
    """What one process knows of a receiver.

    Args:
        spacing: seconds between two messages, which is its rate.
        failures: how often it failed in a row.
        answers: whether it took the last message: only then may there be two under way.
        left_alone: until when nothing is begun, in the clock's seconds.
    """

    spacing: float = 0.0
    failures: int = 0
    answers: bool = False
    left_alone: float = 0.0
    _turn: float = 0.0

    def rest(self) -> float:
        """Return for how many seconds nothing may be begun."""
        return max(self.left_alone, self._turn) - time.monotonic()

    async def turn(self) -> None:
        """Wait for the next moment at which the receiver's rate lets a message go, and use it up."""
        now = time.monotonic()
        mine = max(now, self._turn)
        self._turn = mine + self.spacing
        if mine > now:
            await asyncio.sleep(mine - now)


class Delivery:
    """How messages of one adapter are delivered.

    Args:
        store: with the outbox.
        access: the access record.
        transport: the way out.
        sender_id: the own subsystem.
        sign: what signs messages; None where the adapter has no key, and they leave as they are.
        retry: when to try again.
        watch: what is seen from outside.
    """

    def __init__(
        self,
        store: EventsStore,
        access: AccessStore,
        transport: Transport,
        *,
        sender_id: str,
        sign: Sign | None,
        retry: RetryConfig,
        watch: Watch,
    ) -> None:
        self._store, self._access, self._transport = store, access, transport
        self._sender_id, self._sign, self._retry, self._watch = sender_id, sign, retry, watch

    async def deliver(self, batch: Batch, lane: Lane) -> float:
        """Make one attempt, and return for how many seconds its receiver is to be left alone.

        Raises:
            EventsError: the outbox cannot be written.
            AccessLogError: the access record cannot; nothing was sent.
        """
        started = time.monotonic()
        verdict = await self._attempt(batch, lane)
        fate = await self._written(batch, verdict)
        self._watch.attempted(batch, verdict, fate, seconds=time.monotonic() - started)
        lane.answers = verdict.fate in {Fate.DELIVERED, Fate.NEVER}
        if lane.answers:
            lane.failures = 0
            return 0.0
        lane.failures += 1
        return max(verdict.wait, backoff.wait(self._retry, lane.failures))

    async def _attempt(self, batch: Batch, lane: Lane) -> Verdict:
        at = datetime.now(UTC)
        try:
            body = self._signed(messages.document(batch, sender_id=self._sender_id, at=at))
        except BadAddress:
            return _NOWHERE
        except ValueError:  # a number beyond what JSON's canonical form can hold, for one
            return _UNSOUND
        await self._record(batch, at)
        await lane.turn()
        found = await self._transport.send(batch.receiver, batch.path, batch.message_id, body)
        return judge(found, at=datetime.now(UTC))

    def _signed(self, body: bytes) -> bytes:
        return body if self._sign is None else written(self._sign(json.loads(body)))

    async def _record(self, batch: Batch, at: datetime) -> None:
        """Write the access record before the first attempt, once, whenever this process or an earlier one ended."""
        entries = messages.access_entries(batch, at=at)
        if not entries:
            return
        since = moment(min(each.created for each in batch.rows)) - _SKEW
        if batch.fresh or not await self._access.has_exchange(batch.message_id, since=since):
            await self._access.append(entries, None)

    async def _written(self, batch: Batch, verdict: Verdict) -> rows.State:
        """Write down what becomes of the rows, and return it."""
        now = datetime.now(UTC)
        stamp, attempts = milliseconds(now), batch.attempts + 1
        if verdict.fate is Fate.DELIVERED:
            results = messages.results_by_row(batch, verdict.results)
            await self._store.write(lambda each: rows.sent(each, self._store.key, batch, results, now=stamp))
            return rows.State.SENT
        problem = f"{verdict.code}: {verdict.problem}"[:_PROBLEM]
        counted = verdict.fate is not Fate.AWAY
        if verdict.fate is Fate.NEVER or (counted and attempts >= self._retry.attempts):
            return await self._given_up(batch, problem, attempts, stamp)
        failures = attempts if counted else batch.attempts + 1
        pause = max(verdict.wait, backoff.wait(self._retry, failures))
        due = milliseconds(now + timedelta(seconds=pause))
        await self._store.write(lambda each: rows.later(each, batch, problem, due=due, counted=counted))
        return rows.State.WAITING

    async def _given_up(self, batch: Batch, problem: str, attempts: int, stamp: int) -> rows.State:
        """A message of several is not given up for the one event in it that may have spoiled it."""
        if len(batch.rows) > 1:
            last = min(attempts, self._retry.attempts - 1)
            await self._store.write(lambda each: rows.alone(each, batch, problem, due=stamp, attempts=last))
            return rows.State.WAITING
        await self._store.write(lambda each: rows.dead(each, batch.ids, problem, now=stamp, attempts=attempts))
        return rows.State.DEAD
