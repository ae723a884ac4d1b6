"""A source that is a folder: the newest file that fits and is whole is what is searched.

It refuses files that may still be being copied, and symbolic links; a new file that cannot be read changes nothing
but the log.
The rows stand in an index (:mod:`adapters.source.fileindex`), which the SQL source reads.
"""

import threading
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from adapters.errors import ConfigError, SourceError
from adapters.source.connection import FilesConnection
from adapters.source.definition import SourceDefinition
from adapters.source.fileindex import FileReport, FileStamp, IndexPlace, build, stored
from adapters.source.filesdefinition import FilesDefinition
from adapters.source.filters import Query
from adapters.source.protocol import Found, Placed
from adapters.source.sql import SqlSource
from adapters.source.tablefiles import FileProblem

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
LOOK_SECONDS: Final = 1.0  # how often a search looks whether there is a new file
_UNFINISHED: Final = ("~$", ".")  # what spreadsheets and copying programs put in front of a name


class FilesSource:
    """A folder and the definition by which its files are read."""

    definition: FilesDefinition

    def __init__(self, definition: SourceDefinition, connection: FilesConnection, *, connections: int = 4) -> None:
        """Look at nothing yet."""
        if not isinstance(definition, FilesDefinition):
            raise ConfigError(definition.file, "kind", "is not files, but its connection is a folder")
        self.definition = definition
        self._folder, self._connections = connection.folder, connections
        self._place = IndexPlace(connection.index, definition.name)
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._stamp: FileStamp | None = None
        self._index: SqlSource | None = None
        self._refused: dict[FileStamp, str] = {}
        self.report: FileReport | None = None

    @property
    def bad_rows_file(self) -> Path:
        """Where the bad rows of the file that is searched are listed."""
        return self._place.report

    def find(self, query: Query) -> Found:
        """Search the newest whole file."""
        return self._newest().find(query)

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """Read in the index of the newest whole file, as :meth:`SqlSource.read`."""
        return self._newest().read(work)

    def batches(self) -> Iterator[list[Placed]]:
        """Read all records of the newest whole file."""
        return self._newest().batches()

    def count(self) -> int | None:
        """Count the records of the newest whole file."""
        return self._newest().count()

    def check(self) -> None:
        """Raise :class:`SourceError` unless the newest file can be read as declared."""
        self._newest().check()
        newest = next(self._candidates(), None)
        if newest in self._refused:
            raise SourceError(f"source {self.definition.name}: the newest file {newest.name} {self._refused[newest]}")

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()

    def _newest(self) -> SqlSource:
        """Return the index; while one thread reads a new file, the others search the one before."""
        index = self._index
        if self._lock.acquire(blocking=index is None):
            try:
                if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                    self._look()
                    self._looked_at = time.monotonic()
                index = self._index
            finally:
                self._lock.release()
        if index is None:
            raise SourceError(f"source {self.definition.name}: {self._why_none()}")
        return index

    def _why_none(self) -> str:
        refused = next((f"{stamp.name} {why}" for stamp, why in reversed(self._refused.items())), None)
        layout = self.definition.layout
        whole = f"that is whole: not empty, no link, and unchanged for {layout.settle_seconds} seconds"
        return refused or f"the folder has no file {layout.pattern} {whole}"

    def _look(self) -> None:
        for stamp in self._candidates():
            if stamp == self._stamp:
                return
            if stamp not in self._refused and self._take(stamp):
                return

    def _candidates(self) -> Iterator[FileStamp]:
        """Yield the files that may be read, newest first."""
        try:
            paths = [each for each in self._folder.iterdir() if self._fits(each)]
            stamps = [FileStamp.of(each) for each in paths]
        except OSError as error:
            raise SourceError(f"source {self.definition.name}: the folder: {error.strerror}") from error
        yield from sorted(stamps, key=lambda each: (each.modified_ns, each.name), reverse=True)

    def _fits(self, path: Path) -> bool:
        """Tell whether a file is to be read.

        A link could lead to a file that whoever dropped it may not read. The time of the last change counts too, since
        a copying program may give the file an old date before its bytes are all there.
        """
        layout = self.definition.layout
        if path.name.startswith(_UNFINISHED) or not fnmatchcase(path.name.lower(), layout.pattern.lower()):
            return False
        if path.is_symlink() or not path.is_file():
            return False
        found = path.stat()
        return found.st_size > 0 and time.time() - max(found.st_ctime, found.st_mtime) >= layout.settle_seconds

    def _take(self, stamp: FileStamp) -> bool:
        before = stored(self.definition, self._place) if self._stamp is None else None
        if before is not None and before[0] == stamp:
            self._use(stamp, before[1])
            return True
        try:
            report = build(self.definition, self._place, self._folder / stamp.name, stamp)
        except FileProblem as problem:
            self._refused[stamp] = str(problem)
            _log.warning("source_file_refused", source=self.definition.name, file=stamp.name, reason=str(problem))
            return False
        except OSError as error:
            raise SourceError(f"source {self.definition.name}: {stamp.name}: {error.strerror}") from error
        self._use(stamp, report)
        _log.info(
            "source_file_read",
            source=self.definition.name,
            file=report.file,
            rows=report.rows,
            bad_rows=report.bad_rows,
            bad_rows_file=str(self._place.report) if report.bad_rows else None,
        )
        return True

    def _use(self, stamp: FileStamp, report: FileReport) -> None:
        """Searches that run keep the connections to the index before, whose file lives until they end."""
        before = self._index
        url = f"sqlite:///{self._place.database.resolve()}"
        self._index = SqlSource(self.definition.sql, url, connections=self._connections)
        self._stamp, self.report = stamp, report
        if before is not None:
            before.close()
