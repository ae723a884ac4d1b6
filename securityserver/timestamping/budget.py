"""How long exchanges may go on while no authority stamps: the acceptable failure period, and what is left of it.

It refuses to know why stamping fails. The keeper tells it of failures and successes; the stamped log asks it before
each new exchange, health and metrics whenever they are asked.
"""

from datetime import datetime, timedelta

from pki.clock import Clock
from xroad.errors import TimestamperFailed

# X-Road's own prefix of whatever goes wrong while a message is being logged.
LOGGING_FAILED = "LoggingFailed"


class Budget:
    """The acceptable failure period of one node.

    Args:
        period: how long it is.
        clock: the time.
    """

    def __init__(self, period: timedelta, clock: Clock) -> None:
        self.period = period
        self._clock = clock
        self.failing_since: datetime | None = None
        self.last_failure = ""

    def failed(self, reason: str, oldest: datetime | None) -> None:
        """Take note of a failure.

        Args:
            reason: for people.
            oldest: by when the oldest record that waits should have had its stamp. It begins the period when it is
                earlier than this failure: a restart must not renew the budget.
        """
        since = self.failing_since or self._clock.now()
        self.failing_since = since if oldest is None else min(since, oldest)
        self.last_failure = reason

    def succeeded(self) -> timedelta | None:
        """Take note that stamping works; give how long it did not, None if it did all along."""
        since, self.failing_since, self.last_failure = self.failing_since, None, ""
        return None if since is None else self._clock.now() - since

    @property
    def left(self) -> timedelta:
        """What is left of the period: all of it while stamping works, never below zero."""
        if self.failing_since is None:
            return self.period
        return max(self.ends_at(self.failing_since) - self._clock.now(), timedelta())

    def ends_at(self, failing_since: datetime) -> datetime:
        """Tell when exchanges stop if stamping has been failing since then."""
        return failing_since + self.period

    def require(self) -> None:
        """Let a new exchange pass.

        Raises:
            TimestamperFailed: the period is over (`LoggingFailed.TimestamperFailed`, as the reference).
        """
        if self.left:
            return
        raise TimestamperFailed(
            "No time-stamping authority has answered this security server for longer than is acceptable, so it takes "
            "no new exchanges: its administrator must see why, in its log and /healthz."
        ).prefixed(LOGGING_FAILED)
