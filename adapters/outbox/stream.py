"""One stream of NATS JetStream: makes it, puts messages in once, and gives each to one taker at a time.

It refuses to know what the messages are. Which servers there are and how many of them hold a message is configured;
a server that is away is no matter while the others are a majority.
"""

import asyncio
import hashlib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NoStreamResponseError, NotFoundError

from adapters.errors import ConfigError
from adapters.outbox.cancelling import cancellable
from adapters.outbox.config import NatsConfig
from adapters.outbox.queuehealth import REFUSED, QueueHealth

TROUBLE: Final = (NatsError, TimeoutError, OSError, ConfigError)  # the last: the file of the password is away
ACK_SECONDS: Final = 10.0  # who took a message and is not heard of for so long has died
DUPLICATE_SECONDS: Final = 120.0  # so long the stream knows what was put in
_FETCH_SECONDS: Final = 2.0  # a question that went down with a server is asked again
_CALL_SECONDS: Final = 3.0
_RECONNECT_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 5.0  # the driver itself would try for ever, with the password that it was given first
_FOREVER: Final = -1


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken out and is this process's until it says otherwise."""

    _message: Msg

    @property
    def payload(self) -> bytes:
        """What was put in."""
        return self._message.data

    @cancellable
    async def done(self) -> None:
        """It is over."""
        await self._message.ack()

    @cancellable
    async def later(self, seconds: float) -> None:
        """Give it again after a while, and nothing of its shard before."""
        await self._message.nak(delay=seconds)

    @cancellable
    async def working(self) -> None:
        """It is still being worked on."""
        await self._message.in_progress()


class Stream:
    """The stream of one adapter; it connects at the first use, and again by itself.

    Args:
        config: where it is.
        file: what messages call the adapter file.
        ack_seconds: see :data:`ACK_SECONDS`.
    """

    def __init__(self, config: NatsConfig, *, file: str, ack_seconds: float = ACK_SECONDS) -> None:
        self._config, self._file, self.ack_seconds = config, file, ack_seconds
        self.health = QueueHealth()
        self._tls = _tls(config, file)
        self._lock = asyncio.Lock()
        self._client: Client | None = None
        self._takers: dict[tuple[str, int], JetStreamContext.PullSubscription] = {}

    @property
    def shards(self) -> int:
        """How many messages to one receiver may be under way at once."""
        return self._config.shards

    @cancellable
    async def publish(self, receiver: str, shard: int, payload: bytes, *, key: str) -> None:
        """Put a message in, durable at a majority of its servers on return; the same key twice is one message."""
        jetstream = await self._jetstream()
        subject = f"{self._subject(receiver)}.{shard}"
        try:
            await jetstream.publish(subject, payload, timeout=_CALL_SECONDS, headers={"Nats-Msg-Id": key})
        except NoStreamResponseError:
            await self._make(jetstream)
            raise

    @cancellable
    async def depth(self, receiver: str) -> int:
        """Return how many messages are there for a receiver, with those that are under way."""
        jetstream = await self._jetstream()
        try:
            info = await jetstream.stream_info(self._config.stream, subjects_filter=f"{self._subject(receiver)}.*")
        except NotFoundError:
            await self._make(jetstream)
            return 0
        return sum((info.state.subjects or {}).values())

    @cancellable
    async def take(self, receiver: str, shard: int) -> Taken | None:
        """Return the next message of a shard when there is one, and nobody has the one before it."""
        taker = self._takers.get((receiver, shard)) or await self._taker(receiver, shard)
        try:
            return await _taken(taker)
        except TROUBLE:
            await self._forget(receiver, shard)
            raise

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.close()

    async def _forget(self, receiver: str, shard: int) -> None:
        """Ask anew next time: the consumer may be gone, as the stream may be."""
        taker = self._takers.pop((receiver, shard), None)
        if taker is not None:
            with suppress(*TROUBLE):
                await taker.unsubscribe()

    async def _taker(self, receiver: str, shard: int) -> JetStreamContext.PullSubscription:
        jetstream = await self._jetstream()
        subject = self._subject(receiver)
        durable = f"{subject.rpartition('.')[2]}-{shard}"
        config = ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_seconds,
            max_ack_pending=1,  # the order of a shard, and its receiver's rate, whoever takes
            max_deliver=_FOREVER,
        )
        found = await jetstream.pull_subscribe(
            f"{subject}.{shard}", durable=durable, stream=self._config.stream, config=config
        )
        self._takers[receiver, shard] = found
        return found

    def _subject(self, receiver: str) -> str:
        """Name a receiver in a subject, which may not hold all that an address may; with other shards, another."""
        token = hashlib.sha256(receiver.encode()).hexdigest()[:16]
        return f"{self._config.stream}.{token}-{self.shards}"

    async def _jetstream(self) -> JetStreamContext:
        async with self._lock:
            if self._client is not None and self.health.now is REFUSED:
                await self._client.close()  # the password's file is read again
            if self._client is None or self._client.is_closed:
                self._takers.clear()
                self._client = await self._connected()
                await self._made(self._client)
            return self._client.jetstream(timeout=_CALL_SECONDS)

    async def _made(self, client: Client) -> None:
        try:
            await self._make(client.jetstream(timeout=_CALL_SECONDS))
        except TROUBLE as error:
            self.health.failed(error)
            raise
        self.health.works()

    async def _connected(self) -> Client:
        client = Client()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._connect(client)
        except BaseException:
            await client.close()
            raise
        return client

    async def _connect(self, client: Client) -> None:
        config = self._config
        secret: dict[str, Any] = {}
        if config.user is not None and config.password is not None:
            secret = {"user": config.user, "password": config.password.read()}
        await client.connect(
            servers=list(config.servers),
            name="spean outbox",
            connect_timeout=2,
            reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type]  # it only sleeps so long
            max_reconnect_attempts=_FOREVER,
            error_cb=self._heard,
            reconnected_cb=self._again,
            tls=self._tls,
            **secret,
        )

    async def _heard(self, error: Exception) -> None:
        """The caller of an operation meets only that time is up."""
        self.health.failed(error)

    async def _again(self) -> None:
        self.health.works()

    async def _make(self, jetstream: JetStreamContext) -> None:
        """Make the stream, also one that somebody removed: nothing is lost then, because the table has all."""
        config = self._config
        try:
            await jetstream.stream_info(config.stream)
        except NotFoundError:
            await jetstream.add_stream(
                StreamConfig(
                    name=config.stream,
                    subjects=[f"{config.stream}.>"],
                    retention=RetentionPolicy.WORK_QUEUE,
                    storage=StorageType.FILE,
                    num_replicas=config.replicas,
                    duplicate_window=DUPLICATE_SECONDS,
                )
            )


async def _taken(taker: JetStreamContext.PullSubscription) -> Taken | None:
    try:
        [message] = await taker.fetch(1, timeout=_FETCH_SECONDS)
    except NatsTimeoutError:
        await taker.consumer_info()  # where there is no consumer any more, silence is no sign of peace
        return None
    return Taken(message)


def _tls(config: NatsConfig, file: str) -> ssl.SSLContext | None:
    if not any(each.startswith("tls:") for each in config.servers):
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(file, "events.queue.ca_file", f"cannot be used: {type(error).__name__}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
