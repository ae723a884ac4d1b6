"""Finds the containers that an auditor points to: files, folders of them, and ZIPs as `GET /asic` and archives are.

It refuses to judge, and to unpack anything to the disk.
What lies around a container is no evidence: each is judged by itself, whatever it came in.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spean.errors import UsageError

SUFFIX: Final = ".asice"
MAX_BYTES: Final = 4 * 1024 * 1024 * 1024  # where ZIP64 begins, which containers do not use
BOMB_BYTES: Final = 64 * 1024 * 1024
MAX_RATIO: Final = 20  # containers are packed already: packing them again gains little

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError)


class Unreadable(Exception):  # noqa: N818  # a state of a file, as the finding has it
    """A container cannot be read; says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container is: a file, or the file of this number in a ZIP."""

    path: Path
    number: int | None = None
    entry: str = ""

    @property
    def label(self) -> str:
        """The place as people are told it."""
        return str(self.path) if self.number is None else f"{self.path}/{self.entry}"

    @property
    def name(self) -> str:
        """The container's own name, without where it is."""
        return self.path.name if self.number is None else self.entry.rpartition("/")[2]


def expand(paths: Sequence[Path]) -> list[Place]:
    """Give every container that the paths stand for, in their order.

    Raises:
        UsageError: a folder has none.
    """
    return [place for path in paths for place in _places(path)]


def _places(path: Path) -> list[Place]:
    if path.is_dir():
        found = sorted(path.rglob(f"*{SUFFIX}"))
        if not found:
            raise UsageError(f"{path}: there is no signed document (*{SUFFIX}) in this folder.")
        return [Place(each) for each in found]
    # Whatever calls itself a container is judged as one.
    return [Place(path)] if path.suffix == SUFFIX else list(_in_zip(path)) or [Place(path)]


def _in_zip(path: Path) -> Iterator[Place]:
    if not path.is_file():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, *_ZIP_ERRORS):
        return
    if "mimetype" not in names:  # a container of another name
        yield from (Place(path, number, name) for number, name in enumerate(names) if name.endswith(SUFFIX))


class Opener:
    """Reads containers; of ZIPs the one read last stays open, for its directory may be long."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._archive: zipfile.ZipFile | None = None

    def read(self, place: Place) -> bytes:
        """Give a container's bytes.

        Raises:
            Unreadable: it cannot be read.
        """
        try:
            return _file(place.path) if place.number is None else self._entry(place.path, place.number)
        except OSError as error:
            raise Unreadable(f"{error.strerror or error}.") from error
        except _ZIP_ERRORS as error:
            raise Unreadable("The ZIP that it is in is damaged.") from error
        except MemoryError as error:
            raise Unreadable("It is larger than this machine's memory.") from error

    def _entry(self, path: Path, number: int) -> bytes:
        if self._archive is None or self._path != path:
            self.close()
            self._path, self._archive = path, zipfile.ZipFile(path)
        # By number: of two files with one name each is judged.
        info = self._archive.infolist()[number]
        _check_size(info.file_size)
        if info.file_size > max(BOMB_BYTES, MAX_RATIO * info.compress_size):
            raise Unreadable(f"It would grow to {info.file_size} bytes, which no container does.")
        with self._archive.open(info) as file:
            return file.read()

    def close(self) -> None:
        """Close what is open."""
        if self._archive is not None:
            self._archive.close()


def _file(path: Path) -> bytes:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # a pipe among the evidence would be waited for without end
        raise Unreadable("It is not a file.")
    _check_size(state.st_size)
    return path.read_bytes()


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable("It is larger than 4 GiB, which no container is.")
