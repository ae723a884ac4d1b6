"""A thread that does nothing but commit: what an event loop has made ready goes to the disk, and the loop hears of it.

It refuses to know rows. `Writer.commit` gives it one call at a time.
The two threads wait for each other's interpreter at each step that both have: here it is one before the commit and one
after it. The commit itself, SQLite's work and the wait for the disk, needs no interpreter.
"""

import asyncio
import contextlib
import queue
from collections.abc import Callable, Sequence
from threading import Thread
from typing import NamedTuple

Call = Callable[[], Sequence[int]]
Done = Callable[[Sequence[int] | Exception], None]


class _Job(NamedTuple):
    call: Call
    done: Done
    loop: asyncio.AbstractEventLoop


class Committer:
    """The thread."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = Thread(target=self._run, name="message-log-commits", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def commit(self, call: Call, done: Done, loop: asyncio.AbstractEventLoop) -> None:
        """Have something called.

        Args:
            call: commits, and gives the numbers of the rows.
            done: gets them, or what was raised instead.
            loop: where `done` is called; the thread calls it itself when that has been closed.
        """
        self._jobs.put(_Job(call, done, loop))

    def stop(self) -> None:
        """End when all has been called; blocks."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            result: Sequence[int] | Exception
            try:
                result = job.call()
            except Exception as error:  # noqa: BLE001 - whoever gave it decides what it means
                result = error
            try:
                job.loop.call_soon_threadsafe(job.done, result)
            except RuntimeError:
                # The loop is closed, and nobody waits there; what the commit holds is let go all the same.
                with contextlib.suppress(RuntimeError):
                    job.done(result)
