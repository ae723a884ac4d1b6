"""Loads the configuration to trust: a folder or ZIP as `GET /verificationconf` gives it, or a node's stored one.

It refuses to trust anything else: no system store, no network, no default.
An expired configuration is loaded like any other: documents are judged at the time of their time-stamps, and whoever
names it says by that that it is the right one.
"""

import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from spean.errors import UsageError
from xroad.errors import XRoadError
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import INSTANCE_FILE, load_directory

MAX_FILES: Final = 2000  # a configuration has four files for each federated instance
MAX_BYTES: Final = 256 * 1024 * 1024  # the largest national configuration has a few MiB
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

Files = Mapping[str, bytes]


def read_files(place: Path) -> Files:
    """Read the files of a configuration, with names relative to the file `instance-identifier`.

    Raises:
        UsageError: there is none, there are several, or it is too large.
    """
    files = dict(_from_folder(place) if place.is_dir() else _from_zip(place))
    roots = sorted({name.removesuffix(INSTANCE_FILE) for name in files if PurePosixPath(name).name == INSTANCE_FILE})
    if len(roots) != 1:
        found = "none" if not roots else f"{len(roots)} of them"
        raise UsageError(
            f"--conf {place}: a verification configuration has one file {INSTANCE_FILE}; there is {found}. Download "
            "it from the security server: /verificationconf."
        )
    return {name.removeprefix(roots[0]): content for name, content in files.items() if name.startswith(roots[0])}


def load(files: Files) -> TrustSnapshot:
    """Build what is trusted.

    Raises:
        UsageError: the files are not a configuration.
    """
    try:
        return load_directory(files, _LONG_AGO, require_private=False)
    except XRoadError as error:
        raise UsageError(f"--conf: {error.detail}") from error


def _from_folder(place: Path) -> Iterator[tuple[str, bytes]]:
    budget = MAX_BYTES
    for count, path in enumerate(_walk(place)):
        budget -= path.stat().st_size
        _check(place, count, budget)
        yield path.relative_to(place).as_posix(), path.read_bytes()


def _walk(place: Path) -> Iterator[Path]:
    """Give the regular files below a folder, links not followed."""
    for folder, _, names in os.walk(place):
        for name in sorted(names):
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _from_zip(place: Path) -> Iterator[tuple[str, bytes]]:
    budget = MAX_BYTES
    try:
        with zipfile.ZipFile(place) as archive:
            for count, info in enumerate(archive.infolist()):
                budget -= info.file_size
                _check(place, count, budget)
                if not info.is_dir():
                    yield info.filename, archive.read(info)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageError(f"--conf {place}: it is neither a folder nor a readable ZIP.") from error


def _check(place: Path, count: int, budget: int) -> None:
    if count >= MAX_FILES or budget < 0:
        raise UsageError(f"--conf {place}: it has more files or bytes than a configuration has.")
