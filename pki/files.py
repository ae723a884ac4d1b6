"""Files that hold secrets: private, and whole or not there at all.

It knows nothing of what the files contain. Tokens and the authority's state are written and checked through it.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pki.errors import TokenPermissions

_TEMPORARY: Final = ".new-"
_LOCK: Final = ".lock"
_GROUP_AND_OTHERS: Final = 0o077
_OWNER_ONLY_FILE: Final = 0o600
_OWNER_ONLY_DIRECTORY: Final = 0o700


def make_private_directory(path: Path) -> None:
    """Make the directory, with its parents, open to its owner only.

    Raises:
        FileExistsError: it exists and is not empty.
    """
    path.mkdir(mode=_OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise FileExistsError(f"The directory {path} is not empty: choose a new one.")
    path.chmod(_OWNER_ONLY_DIRECTORY)


def require_private(path: Path) -> None:
    """Refuse a file or directory that another user could read or replace.

    Raises:
        TokenPermissions: it is open to others, or belongs to someone else.
        OSError: it is not there.
    """
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise TokenPermissions(
            f"{path} belongs to user {status.st_uid}, and this process runs as user {os.geteuid()}: run as the owner."
        )
    if status.st_mode & _GROUP_AND_OTHERS:
        mode, others = ("700" if path.is_dir() else "600"), status.st_mode & 0o777
        raise TokenPermissions(
            f"{path} is open to other users of this machine (mode {others:04o}): run chmod {mode} {path}"
        )


def write_atomically(path: Path, data: bytes) -> None:
    """Write the file so that a crash leaves the old content or the new, never a part.

    Raises:
        OSError: the disk refused.
    """
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY_FILE), "wb") as file:  # noqa: PTH123  by descriptor: the mode is set before the first byte
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def sweep(directory: Path) -> None:
    """Remove what a process that was killed while writing left behind; hold the lock while calling."""
    for left in directory.glob(f"{_TEMPORARY}*"):
        left.unlink()


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: one writer at a time, across processes."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, _OWNER_ONLY_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
