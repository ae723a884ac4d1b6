"""Judges many containers: in this process when they are few, in one process for each processor when they are many.

It refuses to print: findings come out in the order of the places.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from spean.verifying import trusting
from spean.verifying.extraction import extract
from spean.verifying.finding import Finding, found, unreadable
from spean.verifying.places import Opener, Place, Unreadable
from xroad.asic import judge
from xroad.verdicts import VerdictCache

FEW: Final = 32  # below, starting processes costs more than it saves
_CHUNK: Final = 16


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all containers of one call.

    Args:
        files: the configuration to trust.
        now: the time of day, aware UTC.
        unstamped_at: the time to judge containers without a time-stamp at, or None.
        target: the folder to extract what holds into, or None.
    """

    files: trusting.Files
    now: datetime
    unstamped_at: datetime | None
    target: Path | None


class Worker:
    """Judges containers one after another; remembers verdicts on certificates."""

    def __init__(self, task: Task) -> None:
        self._task, self._cache = task, VerdictCache()
        self._trust, self._opener = trusting.load(task.files), Opener()

    def examine(self, place: Place) -> Finding:
        """Read and judge one container, and extract it if that is asked for and it holds."""
        try:
            data = self._opener.read(place)
        except Unreadable as problem:
            return unreadable(place.label, str(problem))
        task = self._task
        verdict = judge(data, self._trust, task.now, unstamped_at=task.unstamped_at, cache=self._cache)
        if task.target is not None and verdict.verified is not None and verdict.container is not None:
            extract(verdict.container, place.name, task.target)
        return found(place.label, verdict, self._trust)


_workers: list[Worker] = []  # one in each process of the pool, made by its initializer


def _start(task: Task) -> None:
    _workers[:] = [Worker(task)]


def _examine(place: Place) -> Finding:
    return _workers[0].examine(place)


def examine_all(places: Sequence[Place], task: Task, *, processes: int | None = None) -> Iterator[Finding]:
    """Judge containers, in parallel when they are many, and give the findings in their order.

    Raises:
        UsageError: the configuration is none.
        OSError: the folder to extract into cannot be written.
    """
    worker = Worker(task)  # tells a bad configuration before any process is started
    processes = processes or min(os.cpu_count() or 1, len(places))
    if len(places) < FEW or processes == 1:
        yield from map(worker.examine, places)
        return
    context = multiprocessing.get_context("spawn")  # a clean process: nothing of this one's state or locks
    with ProcessPoolExecutor(processes, context, _start, (task,)) as pool:
        yield from pool.map(_examine, places, chunksize=_CHUNK)
