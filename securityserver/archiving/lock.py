"""Lets one archiver at a time work on a node's archives: the node's own loop or a command beside it.

It refuses to know what is done under the lock. The kernel gives it back when its holder dies, however it dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from securityserver.archiving.errors import ArchivingFailed

_OWNER_ONLY: Final = 0o700


@contextmanager
def only_one(work: Path) -> Iterator[None]:
    """Hold the lock of a work directory, which is made when it is not there.

    Raises:
        ArchivingFailed: another process holds it.
    """
    work.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise ArchivingFailed(
            "Another process archives this server's messages now; try again when it is done."
        ) from error
    try:
        yield
    finally:
        os.close(handle)
