"""Keeps the message log time-stamped: in rounds within the instance's interval, or at once for who waits for it.

It refuses to know messages and HTTP: the store says what waits, the authorities stamp, the budget counts. It runs
beside the exchanges; the stamped log calls it when a message must not move on without its time-stamp.

A round stamps all that waits, in batches: one record gets a plain time-stamp, several are bound by a hash chain under
one. After a failure the same records are tried again, sooner than the next round would come; nothing is ever dropped.
Then the head of the log's Merkle tree is signed, and gets a time-stamp of its own: whoever holds it can prove later
that no record up to it was changed, removed or put in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Never

from pki.clock import Clock
from securityserver.messagelog.timestamps import Backlog, NewTimestamp, TimestampStore, Unstamped
from securityserver.timestamping.authorities import Authorities, Stamp
from securityserver.timestamping.budget import LOGGING_FAILED, Budget
from securityserver.timestamping.settings import Timestamping
from serverkit.logs import get_logger
from xroad import logstamps
from xroad.errors import TimestampingFailed, XRoadError

log = get_logger("timestamping")

# A record that comes right after a round began waits for the next one and for the authority's answer, and must still
# have its time-stamp within the interval.
SHARE_OF_INTERVAL: Final = 0.8

SignHead = Callable[[datetime], Awaitable[object]]


class TimestampKeeper:
    """The time-stamping of one node.

    Args:
        store: the log's time-stamps.
        authorities: who stamps.
        budget: how long failures are acceptable.
        interval: gives the instance's time-stamping interval in seconds.
        clock: time and waiting.
        settings: pace and sizes.
        sign_head: signs the head of the log's tree when it has grown, and keeps it in the log.
    """

    def __init__(
        self,
        store: TimestampStore,
        authorities: Authorities,
        budget: Budget,
        interval: Callable[[], float],
        clock: Clock,
        settings: Timestamping,
        sign_head: SignHead | None = None,
    ) -> None:
        self.authorities, self.budget, self.settings = authorities, budget, settings
        self.backlog = Backlog(0, None)
        self.stamped = 0
        self._store, self._interval, self._sign_head = store, interval, sign_head
        self._clock = clock
        self._retry = settings.retry_seconds
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        # Records whose messages wait here, and what became of them: None when they got their stamp.
        self._wanted: dict[int, asyncio.Future[XRoadError | None]] = {}

    @property
    def left(self) -> timedelta:
        """How long exchanges go on if nobody stamps from now on; zero when they have stopped.

        Where each message must have its stamp before it moves on, they stop with the first failure.
        """
        if self.settings.immediately and self.budget.failing_since is not None:
            return timedelta()
        return self.budget.left

    async def run(self) -> Never:
        """Stamp in rounds until cancelled."""
        while True:
            begun = self._clock.now()
            pause = SHARE_OF_INTERVAL * self._interval() if await self.round() else self._next_retry()
            await self._pause(pause - (self._clock.now() - begun).total_seconds())

    def wake(self) -> None:
        """Begin the next round now: the global configuration may name other authorities."""
        self._wake.set()

    async def round(self) -> bool:
        """Stamp all that waits, and the tree's head; False when it failed, which is logged and counted."""
        async with self._turn:
            try:
                while await self._batch() == self.settings.records_per_request:
                    pass
            except XRoadError as error:
                await self._failed(error)
                return False
            await self._succeeded()
            await self._stamp_head()
            return True

    async def stamp_now(self, record_id: int) -> None:
        """Have one record stamped, together with whatever else waits by then.

        Raises:
            TimestampingFailed: nobody stamped it; it is in the log and will be stamped later.
        """
        outcome = self._wanted[record_id] = asyncio.get_running_loop().create_future()
        try:
            async with self._turn:
                # Who had its turn before may have settled this record too. An empty batch: another node stamped it.
                while not outcome.done() and await self._batch_or_tell():
                    pass
        finally:
            del self._wanted[record_id]
        failure = outcome.result() if outcome.done() else None
        if failure is not None:
            raise TimestampingFailed(
                f"The message could not be time-stamped, so it did not move on: {failure.detail}"
            ).prefixed(LOGGING_FAILED) from failure

    async def _batch_or_tell(self) -> int:
        """Stamp a batch; when it fails tell all who wait, for none of them would fare better by trying again."""
        try:
            return await self._batch()
        except XRoadError as error:
            await self._failed(error)
            self._tell(self._wanted, error)
            return 0

    def _tell(self, records: Iterable[int], outcome: XRoadError | None) -> None:
        for each in records:
            wanted = self._wanted.get(each)
            if wanted is not None and not wanted.done():
                wanted.set_result(outcome)

    async def _batch(self) -> int:
        """Stamp the oldest records that wait, at most as many as one time-stamp may cover; give how many."""
        records = await self._store.unstamped(self.settings.records_per_request)
        if not records:
            return 0
        stampable = await self._stampable(records)
        stamp = await self.authorities.stamp(stampable.data)
        await self._keep(stamp, stampable, records)
        self.stamped += len(records)
        self._tell((each.id for each in records), None)
        if self.budget.failing_since is not None:
            await self._succeeded()
        log.info("records_stamped", records=len(records), authority=stamp.authority, time=stamp.at.isoformat())
        return len(records)

    async def _keep(self, stamp: Stamp, stampable: logstamps.Stampable, records: Sequence[Unstamped]) -> None:
        kept = NewTimestamp(stamp.at, stamp.authority, stamp.token, stampable.hash_chain_result)
        await self._store.keep(kept, records, stampable.hash_chains)

    async def _stampable(self, records: Sequence[Unstamped]) -> logstamps.Stampable:
        if len(records) == 1:
            return logstamps.alone(await self._store.signature(records[0]))
        # Chains of 10,000 records take a third of a second: exchanges go on meanwhile.
        return await asyncio.to_thread(logstamps.together, [each.signature_hash for each in records])

    async def _stamp_head(self) -> None:
        """Sign and stamp the tree's head; without it the next round's head covers the same records."""
        try:
            if self._sign_head is not None:
                await self._sign_head(self._clock.now())
            head = await self._store.unstamped_head()
            if head is not None:
                number, signature = head
                stamp = await self.authorities.stamp(signature)
                await self._store.keep_head(NewTimestamp(stamp.at, stamp.authority, stamp.token, None), number)
        except XRoadError as error:
            log.warning("tree_head_not_stamped", code=error.full_code, detail=error.detail)

    async def _succeeded(self) -> None:
        self._retry = self.settings.retry_seconds
        lasted = self.budget.succeeded()
        if lasted is not None:
            log.info("timestamping_recovered", failed_seconds=round(lasted.total_seconds()))
        await self._count()

    async def _failed(self, error: XRoadError) -> None:
        await self._count()
        due = self.backlog.oldest and self.backlog.oldest + timedelta(seconds=self._interval())
        self.budget.failed(error.detail, due)
        left = self.left
        since = self.budget.failing_since
        log.error(
            "timestamping_failed",
            reason=error.detail,
            failing_since=since.isoformat() if since else None,
            budget_left_seconds=round(left.total_seconds()),
            exchanges_stopped=not left,
            records_waiting=self.backlog.records,
        )

    async def _count(self) -> None:
        try:
            self.backlog = await self._store.backlog()
        except XRoadError as error:
            log.warning("timestamping_backlog_unknown", detail=error.detail)

    def _next_retry(self) -> float:
        pause = min(self._retry, SHARE_OF_INTERVAL * self._interval())
        self._retry *= 2
        return pause

    async def _pause(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            sleeping = group.create_task(self._clock.sleep(max(seconds, 0.0)))
            waking = group.create_task(self._wake.wait())
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
            sleeping.cancel()
            waking.cancel()
        self._wake.clear()
