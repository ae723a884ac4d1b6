"""Takes the containers out of archives, and puts encrypted bodies into theirs with a private key.

It refuses to judge signatures: the containers that it writes are what `spean verify` takes, and X-Road's verifier.
``spean archive open`` calls it, with no node and no database at hand.
"""

import mmap
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast
from zipfile import ZipFile

from securityserver.archiving.bundle import SEALED
from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.sealed import opened
from securityserver.archiving.verification import CONTAINER, verify_file
from securityserver.messagelog.keys import BodyKeys
from xroad.asic.builder import Parts, begin
from xroad.asic.container import Container, read

_CHUNK: Final = 1024 * 1024
_BODY: Final = "attachment1"


def extract(archive: Path, target: Path, keys: BodyKeys | None) -> Iterator[tuple[str, bool]]:
    """Write an archive's containers into a directory, each whole or not at all.

    Args:
        archive: verified before anything is written.
        target: a directory; files in it are not replaced.
        keys: what opens bodies; without, containers come as they are.

    Yields:
        each container's name, and whether its encrypted body is in it now or stayed out.

    Raises:
        ArchiveRefused: the archive, or a body in it, is not what it must be, no key here opens it, or a file of a
            container's name is there already.
        OSError: the directory cannot be written.
    """
    verify_file(archive)
    target.mkdir(parents=True, exist_ok=True)
    with ZipFile(archive) as source:
        names = set(source.namelist())
        for name in source.namelist():
            if name.endswith(CONTAINER):
                sealed = f"{name}{SEALED}" in names
                _write(source, name, target / _flat(name), keys if sealed else None)
                yield name, not sealed or keys is not None


def _flat(name: str) -> str:
    # `linkinginfo` has no such name, so that this only keeps a future reader from trusting the wrong thing.
    if Path(name).name != name:
        raise ArchiveRefused(f"{name}: this name leads elsewhere")
    return name


def _write(source: ZipFile, name: str, file: Path, keys: BodyKeys | None) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as target:
            if keys is None:
                _copy(source, name, target)
            else:
                _complete(source, name, target, keys)
        _name(part, file)
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, file: Path) -> None:
    try:
        file.hardlink_to(part)
    except FileExistsError as error:
        raise ArchiveRefused(f"{file}: it is there already, and nothing is replaced; choose another folder") from error


def _copy(source: ZipFile, name: str, target: BinaryIO) -> None:
    with source.open(name) as entry:
        while chunk := entry.read(_CHUNK):
            target.write(chunk)


def _complete(source: ZipFile, name: str, target: BinaryIO, keys: BodyKeys) -> None:
    """Write a container anew, with its body."""
    with tempfile.TemporaryFile() as copy:
        _copy(source, name, copy)
        copy.flush()
        with mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            container = read(cast("bytes", mapped))
    moment = datetime(*source.getinfo(name).date_time, tzinfo=UTC)
    writer, first = begin(_parts(container, moment))
    target.write(first)
    target.write(writer.begin(_BODY))
    with source.open(f"{name}{SEALED}") as body:
        try:
            target.writelines(writer.chunk(chunk) for chunk in opened(cast("BinaryIO", body), keys))
        except ArchiveRefused as error:
            raise ArchiveRefused(f"{name}: its encrypted body does not open: {error}") from error
    target.write(writer.end())
    target.write(writer.finish())


def _parts(container: Container, at: datetime) -> Parts:
    # A time-stamp of this signature alone is in the signature already.
    return Parts(container.message, container.signature, container.batch_stamp, 1, at)
