"""What waits for the log's writer, and how those who wait are told: a future in their own event loop.

It refuses to write. Appenders make what is here, the writer's thread settles it, and each loop learns of its own.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from securityserver.messagelog.records import Row
from securityserver.messagelog.store import Refusal, StoreRefused
from xroad.errors import InvalidMessage, LoggingFailed, XRoadError

T = TypeVar("T")

CLOSED: Final = "The message log is closed; start the server again."


class Sealer(Protocol):
    """Encrypts a large body chunk by chunk, in their order."""

    def seal(self, number: int, chunk: bytes) -> bytes:
        """Give the chunk as it is stored."""
        ...

    def stored_digest(self) -> bytes:
        """Give SHA-256 over all that was stored."""
        ...


@dataclass(slots=True, eq=False)
class Pending:
    """A row on its way.

    Args:
        row: in the order of `records.COLUMNS`.
        outcome: gets the record's number, or why there is none.
        size: of the body, in bytes.
        handle: of a large body's file, owned by this object; `None` when the body is in the row.
        sealer: encrypts a large body; `None` when it is kept plain.
        fresh: this server made up the message's id for this exchange.
    """

    row: Row
    outcome: asyncio.Future[int]
    size: int
    handle: int | None = None
    sealer: Sealer | None = None
    fresh: bool = False
    position: int = 0

    def close(self) -> None:
        """Close the body's handle."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


@dataclass(slots=True, eq=False)
class TreeWish:
    """Somebody wants to know the tree, with all its nodes stored.

    Args:
        outcome: gets size and root.
    """

    outcome: asyncio.Future[tuple[int, bytes]]


Outcome = tuple[Pending, int | XRoadError]


def tell(outcomes: Iterable[Outcome]) -> None:
    """Wake those who wait for rows, each in its own event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for pending, outcome in outcomes:
        by_loop.setdefault(pending.outcome.get_loop(), []).append((pending, outcome))
    for loop, settled in by_loop.items():
        _wake(loop, partial(tell_here, settled))


def grant(wish: TreeWish, answer: tuple[int, bytes] | LoggingFailed) -> None:
    """Wake who waits for the tree."""
    future = wish.outcome
    call = partial(_refuse, future, answer) if isinstance(answer, LoggingFailed) else partial(_give, future, answer)
    _wake(future.get_loop(), call)


def failure_of(error: StoreRefused) -> XRoadError:
    """Give what an appender is told of a row that was not written."""
    failure: XRoadError
    if error.refusal is Refusal.DUPLICATE:
        failure = InvalidMessage(
            "A message with this request id is in the message log already; send each message under a new id.",
            code_suffix="DuplicateRecord",
        )
    else:
        failure = LoggingFailed(
            f"The message could not be made durable ({error}); look at the disk of the server's database."
        )
    failure.__cause__ = error
    return failure


def _wake(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    # A loop that is closed has nobody left who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def tell_here(outcomes: Iterable[Outcome]) -> None:
    """Wake those who wait; runs in their event loop."""
    for pending, outcome in outcomes:
        # A cancelled exchange's record stays all the same, as the log may say more than was sent.
        if isinstance(outcome, int):
            _give(pending.outcome, outcome)
        else:
            _refuse(pending.outcome, outcome)


def _give(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _refuse(future: asyncio.Future[T], error: XRoadError) -> None:
    if not future.done():
        future.set_exception(error)
