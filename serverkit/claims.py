"""What only one process may do at a time: a claim lasts until it is released or its process ends, however it ends.

It refuses to know what is claimed. `serverkit.database` gives claims; on PostgreSQL an advisory lock stands for a file.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol

_OWNER_ONLY = 0o600


class Claim(Protocol):
    """Something that this process alone may do."""

    def release(self) -> None:
        """Let others do it."""
        ...

    def held(self) -> bool:
        """Tell whether it still is this process's: a claim of a server is lost with the connection."""
        ...


class Claimed(Exception):  # noqa: N818 - becomes a DatabaseUnusable
    """Another process does it."""


class FileClaim:
    """A lock on a file, which the kernel gives back when the process ends.

    Args:
        path: of a file that is for this; what its owner notes in it stays.

    Raises:
        Claimed: another process has it.
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise Claimed(str(path)) from error

    def release(self) -> None:
        """Let others do it."""
        os.close(self._handle)

    def held(self) -> bool:
        """Only the end of the process takes it away."""
        return True
