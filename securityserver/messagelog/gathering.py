"""Gathers the rows that an event loop wants written, and hands them to the writer batch by batch.

It refuses to know what the writer does with them. `MessageLog.append` adds; the next batch goes to the writer when the
loop has told the last one, or a moment later, so that a busy loop makes few large commits; who comes alone waits for
nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from securityserver.messagelog.pending import Pending
from securityserver.messagelog.writer import MAX_BATCH
from xroad.errors import LoggingFailed

# One who comes alone does not wait for others: exchanges that follow each other have nobody to share a commit with.
_ALONE: Final = 1
# So many make a commit cheap enough: to wait for more would have all exchanges in step, and the other server idle.
_ENOUGH: Final = 8
# Who had company before waits so long for it again: a commit of five costs hardly more than one of two, and at each the
# two threads wait for each other.
COMPANY_SECONDS: Final = 0.002


class Gathering:
    """The rows of one event loop that the writer does not have yet; each of its methods runs in that loop.

    Args:
        submit: gives a batch to the writer; raises `LoggingFailed` when the writer has ended.
    """

    def __init__(self, submit: Callable[[Sequence[Pending]], None]) -> None:
        self._submit = submit
        self._waiting: list[Pending] = []
        self._under_way = False
        self._last = _ALONE
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, pending: Pending) -> None:
        """Take a row: the writer gets it now, with this turn of the loop, or with others after the last batch."""
        self._waiting.append(pending)
        if self._under_way:
            if self._timer is not None and len(self._waiting) >= _ENOUGH:
                self._hand_over()
            return
        self._under_way = True
        if self._last == _ALONE:
            self._hand_over()
        else:
            pending.outcome.get_loop().call_soon(self._hand_over)

    def hand_over_all(self) -> None:
        """Give the writer all that waits; it is about to end."""
        while self._waiting:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._under_way = bool(batch)
        if not batch:
            return
        self._last = len(batch)
        try:
            self._submit(batch)
        except LoggingFailed as error:
            self._refuse([*batch, *self._waiting], error)
            return
        # All of a batch are told at once: with the first, the next can be on its way before the others do their work.
        outcome = batch[0].outcome
        if outcome.done():
            self._go_on(outcome)
        else:
            outcome.add_done_callback(self._go_on)

    def _go_on(self, outcome: asyncio.Future[int]) -> None:
        loop = outcome.get_loop()
        if len(self._waiting) >= _ENOUGH:
            self._hand_over()
        elif self._last == _ALONE:
            loop.call_soon(self._hand_over)
        else:
            self._timer = loop.call_later(COMPANY_SECONDS, self._hand_over)

    def _refuse(self, rows: Sequence[Pending], error: LoggingFailed) -> None:
        self._waiting, self._under_way = [], False
        for pending in rows:
            if not pending.outcome.done():
                pending.outcome.set_exception(error)
