"""The queue for many machines: a stream of NATS JetStream says which messages wait, and any process may send one.

It refuses to put records, sealed or not, into the stream: what stands there is the identifier of a message, and the
table stays the truth. A stream that was lost is fed again from it; what is in the stream and over in the table is
passed over.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from adapters.errors import AccessLogError, EventsError
from adapters.events.store import EventsStore
from adapters.outbox import rows
from adapters.outbox.config import Limits
from adapters.outbox.delivery import Delivery, Lane
from adapters.outbox.embedded import AGAIN_SECONDS, idle_seconds
from adapters.outbox.holding import Hold
from adapters.outbox.rows import Batch
from adapters.outbox.stream import TROUBLE, Stream, Taken
from adapters.outbox.waking import Waker, now

DEPTH: Final = 4  # messages in the stream for each shard: senders are never idle, and the table keeps the rest
HOLD_SECONDS: Final = 0.5  # a pause up to this is waited for; a longer one is the stream's affair
LOST_SECONDS: Final = 2.0  # so long after it was handed over, a message is in the stream or was in it
BEAT_SECONDS: Final = 0.3  # of the time after which the stream would give a message to another: part of it

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Way:
    """What this process knows of a receiver, for all its shards."""

    receiver: str
    lane: Lane = field(default_factory=Lane)
    one: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for others: one in trouble, or of which nothing is known yet, is asked by one message at a time."""
        if self.lane.answers:
            yield
            return
        async with self.one:
            yield


class NatsQueue:
    """Feeds the stream from the table, and sends what comes out of it.

    Args:
        store: with the outbox.
        delivery: what makes an attempt.
        waker: says when something was put.
        limits: of each receiver.
        stream: of this adapter.
    """

    def __init__(
        self,
        store: EventsStore,
        delivery: Delivery,
        waker: Waker,
        limits: Callable[[str], Limits],
        stream: Stream,
    ) -> None:
        self._store, self._delivery, self._waker, self._limits = store, delivery, waker, limits
        self._stream = stream

    async def open(self) -> None:
        """Connect when something is to be sent first: without NATS an adapter starts, and writes what is to be told."""

    async def close(self) -> None:
        """Let go of the connection."""
        await self._stream.close()

    async def work(self, receiver: str) -> None:
        """Feed what goes to a receiver, and send what comes, until cancelled."""
        way = _Way(receiver)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed(receiver))
            for shard in range(self._stream.shards):
                tasks.create_task(self._send(way, shard))

    async def _feed(self, receiver: str) -> None:
        hold = Hold(self._store, receiver)
        try:
            while True:
                try:
                    await self._feed_held(receiver, hold)
                except (EventsError, *TROUBLE) as error:
                    _log.warning("outbox_queue_waits", receiver=receiver, problem=type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS if not await hold.held() else 1.0)
        finally:
            await hold.release()

    async def _feed_held(self, receiver: str, hold: Hold) -> None:
        """Feed for as long as the receiver is this process's; what an earlier one began is ended first."""
        if not await hold.held():
            return
        for message_id, since, person in await self._store.read(lambda each: rows.handed_over(each, receiver)):
            await self._publish(receiver, message_id, since, person)
        while await hold.held():
            room = await self._room(receiver)
            ticket = self._waker.ticket()
            fed = room > 0
            while fed and room > 0:
                fed = await self._feed_one(receiver)
                room -= 1
            await self._waker.wait(ticket, await idle_seconds(self._store, receiver, now()))

    async def _room(self, receiver: str) -> int:
        """Return how many more messages may be in the stream; what it has lost is taken back before."""
        found = await self._stream.depth(receiver)
        if found == 0:
            lost = now() - int(LOST_SECONDS * 1000)
            await self._store.write(lambda each: rows.take_back(each, receiver, before=lost))
        return DEPTH * self._stream.shards - found

    async def _feed_one(self, receiver: str) -> bool:
        at, limits, shards = now(), self._limits(receiver), self._stream.shards
        if not await self._store.read(lambda each: rows.anything(each, receiver, now=at)):
            return False

        def hand_over(connection: Connection) -> Batch | None:
            batch = rows.take(connection, self._store.key, receiver, limits=limits, now=at, shards=shards)
            return None if batch is None else rows.hand_over(connection, batch, now=at)

        batch = await self._store.write(hand_over)
        if batch is not None and batch.queued is not None:
            await self._publish(receiver, batch.message_id, batch.queued, batch.person)
        return batch is not None

    async def _publish(self, receiver: str, message_id: str, since: int, person: bytes | None) -> None:
        """Put a message into the stream, once however often it is tried."""
        payload = json.dumps({"message": message_id, "since": since}).encode()
        shard = rows.shard(person, self._stream.shards)
        await self._stream.publish(receiver, shard, payload, key=f"{message_id}:{since}")

    async def _send(self, way: _Way, shard: int) -> None:
        while True:
            try:
                taken = await self._stream.take(way.receiver, shard)
                if taken is not None:
                    await self._handle(way, taken)
            except TROUBLE as error:
                _log.warning("outbox_queue_away", receiver=way.receiver, problem=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _handle(self, way: _Way, taken: Taken) -> None:
        started, pause = time.monotonic(), None
        async with asyncio.TaskGroup() as tasks:  # the stream gives nobody else a message that is being sent
            beating = tasks.create_task(self._beat(taken))
            async with way.turn():
                alone = way.lane.rest()
                if alone <= 0:
                    pause = await self._delivered(way.receiver, taken.payload, way.lane)
            beating.cancel()
        if alone > 0:  # another shard has heard that: nothing was tried, and the message stays in the stream
            await taken.later(alone)
            return
        spacing = self._stream.shards / self._limits(way.receiver).per_second
        rest = max(pause, spacing - (time.monotonic() - started)) if pause is not None else 0.0
        if rest > HOLD_SECONDS:
            # Nothing of this shard goes to any process until then; when it comes again it is over, and is passed over.
            await taken.later(rest)
            return
        await asyncio.sleep(max(0.0, rest))
        await taken.done()
        self._waker.ring()  # what waited behind it may go

    async def _delivered(self, receiver: str, payload: bytes, lane: Lane) -> float | None:
        """Make an attempt, and return how long the receiver is left alone; None when there is nothing to send."""
        try:
            told = json.loads(payload)
            message_id, since = str(told["message"]), int(told["since"])
        except (ValueError, KeyError, TypeError):
            return None
        try:
            batch = await self._store.write(
                lambda each: rows.queued(each, self._store.key, receiver, message_id, since, now=now())
            )
            pause = None if batch is None else await self._delivery.deliver(batch, lane)
        except (EventsError, AccessLogError) as error:
            _log.warning("outbox_waits", receiver=receiver, problem=str(error))
            pause = AGAIN_SECONDS
        if pause:
            lane.left_alone = max(lane.left_alone, time.monotonic() + pause)
        return pause

    async def _beat(self, taken: Taken) -> None:
        while True:
            await asyncio.sleep(self._stream.ack_seconds * BEAT_SECONDS)
            try:
                await taken.working()
            except TROUBLE:
                return  # it may come to another process: that one finds it over, or the receiver knows it
