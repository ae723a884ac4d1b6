"""Where archives go: a directory here; `s3` has the other kind.

It refuses to know what an archive is: files go in whole or not at all, and come back as bytes. The archiver puts, reads
back, and takes away what an interrupted run left.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from securityserver.archiving.errors import ArchivingFailed

_CHUNK: Final = 1024 * 1024
_OWNER_ONLY: Final = 0o600


class Store(Protocol):
    """A place for archives, each under a name of its own."""

    async def put(self, name: str, source: Path) -> None:
        """Store a file, durable on return; nobody ever sees a part of it under its name. It replaces an older one.

        Raises:
            ArchivingFailed: the store refused.
        """
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """Give a stored file in chunks.

        Raises:
            ArchivingFailed: it is not there, or the store refused.
        """
        ...

    async def remove(self, name: str) -> None:
        """Take a file away, if it is there.

        Raises:
            ArchivingFailed: the store refused.
        """
        ...


class DirectoryStore:
    """A directory, for example of a mounted network disk.

    Args:
        directory: made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, name: str, source: Path) -> None:
        """Copy under another name, sync, then rename: see `Store.put`."""
        await asyncio.to_thread(self._put, name, source)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `Store.read`."""
        with self._trouble(), (self._directory / name).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def remove(self, name: str) -> None:
        """See `Store.remove`."""
        await asyncio.to_thread(self._remove, name)

    def _put(self, name: str, source: Path) -> None:
        part = self._part(name)
        with self._trouble():
            self._directory.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            with source.open("rb") as content, _create(part) as copy:
                shutil.copyfileobj(content, copy, _CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
            part.replace(self._directory / name)
            self._sync()

    def _remove(self, name: str) -> None:
        with self._trouble():
            if self._directory.is_dir():
                self._part(name).unlink(missing_ok=True)
                (self._directory / name).unlink(missing_ok=True)
                self._sync()

    def _part(self, name: str) -> Path:
        return self._directory / f".{name}.part"

    def _sync(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArchivingFailed(
                f"{self._directory}: {error.strerror or 'input/output error'}; see that the archive directory is "
                "there, that this server's account may write to it, and that it has room."
            ) from error


def _create(part: Path) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb")
