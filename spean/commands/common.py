"""What several commands do alike: tell foreign errors as sentences, write PINs and results, serve until stopped.

It refuses to know any one command. The command modules are made of these and of one call into the package that does the
work.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spean.errors import CommandError

NEW_PIN_BYTES: Final = 16  # 128 bits: nobody types it, so that it need not be short
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644

Serve = Callable[[asyncio.Event], Awaitable[None]]


@contextmanager
def told(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors whose text is safe and says what to do into the command's failure."""
    try:
        yield
    except kinds as problem:
        raise CommandError(str(problem)) from problem
    except ExceptionGroup as group:
        first = _only(group, (*kinds, OSError))
        if isinstance(first, OSError) and not isinstance(first, kinds):
            raise first from group  # the command line words it
        raise CommandError(str(first)) from group


def _only(group: ExceptionGroup[Exception], kinds: tuple[type[Exception], ...]) -> Exception:
    """Give the first error of a server's tasks when all of them are of the kinds; raise the group otherwise."""
    known, others = group.split(kinds)
    if known is None or others is not None:
        raise group
    problem: Exception = known
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def write_new(path: Path, data: bytes, *, mode: int = PUBLIC) -> None:
    """Write a file that must not exist yet: a key, PIN or request that someone made is never overwritten.

    Raises:
        CommandError: there is such a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as problem:
        raise CommandError(f"{path} exists already. Remove it, or choose another name.") from problem
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def make_pin_file(path: Path) -> None:
    """Write a new random PIN into a file that only its owner can read; leave an existing file as it is."""
    if not path.exists():
        write_new(path, f"{secrets.token_urlsafe(NEW_PIN_BYTES)}\n".encode(), mode=PRIVATE)


def serve_until_stopped(serve: Serve) -> None:
    """Run a server; SIGTERM and Ctrl-C set its stop event, and it ends when its exchanges in flight have ended."""
    asyncio.run(_serve(serve))


async def _serve(serve: Serve) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(stop)
