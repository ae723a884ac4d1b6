"""The message log as the pipelines have it: what is appended will be time-stamped in time, or nothing new begins.

It refuses to know how either is done. Both pipelines append through it; nothing else stands between them and the log.
"""

from securityserver.messagelog import Direction, MessageLog, Record
from securityserver.timestamping.keeper import TimestampKeeper


class StampedLog:
    """The log of a node, with its time-stamping.

    Args:
        log: the message log.
        keeper: the time-stamping.
        immediately: each message is stamped before it moves on.
    """

    def __init__(self, log: MessageLog, keeper: TimestampKeeper, *, immediately: bool) -> None:
        self._log, self._keeper, self._immediately = log, keeper, immediately

    async def append(self, record: Record, *, fresh: bool = False) -> int:
        """Make a record durable, and give its number; `fresh` as `MessageLog.append` has it.

        Raises:
            TimestamperFailed: nobody has stamped for too long; no new exchange begins (`LoggingFailed.…`).
            TimestampingFailed: the message should be stamped before it moves on, and is not (`LoggingFailed.…`).
            LoggingFailed, InvalidMessage: as `MessageLog.append`.
        """
        # An exchange that has begun comes to its end: its answer is evidence too. Immediate stamps fail by themselves.
        if record.direction is Direction.REQUEST and not self._immediately:
            self._keeper.budget.require()
        number = await self._log.append(record, fresh=fresh)
        if self._immediately:
            await self._keeper.stamp_now(number)
        return number
