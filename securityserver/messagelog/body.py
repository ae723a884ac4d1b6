"""A message's body: in memory while it is small, in an unnamed temporary file above a limit, never both.

It refuses to know what the bytes mean, and the message log.
Pipelines collect a body while it comes in, and read it as often as they need once it is complete.
"""

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Self

from xroad.errors import LoggingFailed

# A body of at most this stays in memory and in its record's own row.
INLINE_LIMIT = 256 * 1024
# What goes to and from the disk at a time: large enough that a hop to a thread costs little, small beside 64 MiB.
CHUNK_SIZE = 1024 * 1024
_PREFIX = "body-"


class SpoolUnusable(Exception):  # noqa: N818 - says what the administrator meets
    """The spool directory cannot be used; the message says what to do."""


class BodyTooLarge(ValueError):  # noqa: N818 - the pipeline that set the limit knows whose fault it is
    """More came in than the caller allowed."""


class SpooledFile:
    """An open file without a name, which the kernel removes with its last handle, however the process ends.

    Args:
        directory: where the disk space is.
    """

    def __init__(self, directory: Path) -> None:
        # The context manager is `BodySpool`, which closes it.
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory, prefix=_PREFIX, buffering=0)  # noqa: SIM115
        # A cancelled exchange closes its file while a thread may still write: without the lock the number of the
        # handle could already be another exchange's file.
        self._lock = Lock()
        self._hash = hashlib.sha512()

    def append(self, data: bytes) -> None:
        """Write at the end; blocks.

        Raises:
            LoggingFailed: the disk refused.
        """
        view = memoryview(data)
        with self._lock:
            self._hash.update(view)
            try:
                while view:
                    view = view[self._file.write(view) :]
            except OSError as error:
                raise LoggingFailed(
                    f"A large body could not be kept on disk ({error.strerror}); make room in the spool directory."
                ) from error

    def read_at(self, position: int) -> bytes:
        """Read at most one chunk; blocks."""
        with self._lock:
            return os.pread(self._file.fileno(), CHUNK_SIZE, position)

    def digest(self) -> bytes:
        """Give the SHA-512 digest of all that was appended."""
        return self._hash.digest()

    def duplicate(self) -> int:
        """Give a handle of its own, which the caller closes.

        Raises:
            LoggingFailed: the process has too many open files.
        """
        with self._lock:
            try:
                return os.dup(self._file.fileno())
            except OSError as error:
                raise LoggingFailed(f"A spooled body cannot be opened ({error.strerror}).") from error

    def close(self) -> None:
        """Free the disk space."""
        with self._lock:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Body:
    """A complete body.

    Args:
        size: in bytes.
        digest: SHA-512, 64 bytes.
        inline: all of it, when it is small.
        spooled: where it is, when it is large; valid until the spool that made it is closed.
    """

    size: int
    digest: bytes
    inline: bytes | None
    spooled: SpooledFile | None = field(default=None, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Take a small body that is in memory already."""
        if len(data) > INLINE_LIMIT:
            raise ValueError(f"a body above {INLINE_LIMIT} bytes must be collected in a spool")
        return cls(len(data), hashlib.sha512(data).digest(), data)

    async def open_reader(self) -> AsyncIterator[bytes]:
        """Give the content in chunks of at most 1 MiB; several readers may run at once."""
        if self.spooled is None:
            if self.inline:
                yield self.inline
            return
        position = 0
        while position < self.size:
            chunk = await asyncio.to_thread(self.spooled.read_at, position)
            if not chunk:
                raise LoggingFailed("A spooled body is shorter than what came in; look for disk errors.")
            position += len(chunk)
            yield chunk

    async def read(self) -> bytes:
        """Give all of a small body."""
        if self.inline is None:
            raise ValueError("a large body is read in chunks")
        return self.inline


EMPTY_BODY = Body.of(b"")


class BodySpool:
    """Collects one body; as a context manager it frees it at the end of the exchange.

    Args:
        directory: for large bodies.
        inline_limit: bytes that may stay in memory.
        max_size: bytes that may come, or `None`.
    """

    def __init__(self, directory: Path, inline_limit: int, max_size: int | None) -> None:
        self._directory, self._inline_limit, self._max_size = directory, inline_limit, max_size
        self._file: SpooledFile | None = None
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._size = 0

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BodyTooLarge: more than `max_size` came.
            LoggingFailed: the disk refused.
        """
        self._size += len(chunk)
        if self._max_size is not None and self._size > self._max_size:
            raise BodyTooLarge(f"the body is larger than {self._max_size} bytes")
        self._waiting.append(chunk)
        self._waiting_size += len(chunk)
        if self._waiting_size > (self._inline_limit if self._file is None else CHUNK_SIZE):
            await self._flush()

    async def finish(self) -> Body:
        """Give the complete body.

        Raises:
            LoggingFailed: the disk refused.
        """
        if self._file is None:
            data = b"".join(self._waiting)
            return Body(len(data), hashlib.sha512(data).digest(), data)
        await self._flush()
        return Body(self._size, self._file.digest(), None, self._file)

    async def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_size = 0
        if self._file is None:
            self._file = _new_file(self._directory)
        await asyncio.to_thread(self._file.append, data)

    def close(self) -> None:
        """Free memory and disk space."""
        self._waiting.clear()
        if self._file is not None:
            self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _new_file(directory: Path) -> SpooledFile:
    try:
        return SpooledFile(directory)
    except OSError as error:
        raise LoggingFailed(
            f"A large body could not be kept on disk ({error.strerror}); look at the spool directory."
        ) from error


class SpoolDirectory:
    """One node's directory for large bodies on their way through; `open` it once per process.

    Args:
        path: the directory.
        inline_limit: bytes of a body that may stay in memory.
        lock: handle that keeps other processes out.
    """

    def __init__(self, path: Path, inline_limit: int, lock: int) -> None:
        self._path, self._inline_limit, self._lock = path, inline_limit, lock

    @classmethod
    def open(cls, path: Path, *, inline_limit: int = INLINE_LIMIT) -> Self:
        """Create the directory, keep others out, and remove what a crash on an old file system left behind.

        Raises:
            SpoolUnusable: it cannot be created, or another process uses it.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise SpoolUnusable(f"{path}: cannot be used ({error.strerror}); give a directory to write in.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise SpoolUnusable(f"{path}: another process works here; stop it first.") from error
        for left in path.glob(f"{_PREFIX}*"):
            left.unlink(missing_ok=True)
        return cls(path, min(inline_limit, INLINE_LIMIT), lock)

    def collect(self, *, max_size: int | None = None) -> BodySpool:
        """Begin to collect a body."""
        return BodySpool(self._path, self._inline_limit, max_size)

    def close(self) -> None:
        """Let other processes in."""
        os.close(self._lock)
