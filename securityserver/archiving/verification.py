"""Reads archives as if each were hostile, walks the chain through them, and opens every container.

It refuses to know keys and trust: whether a container's signature is true is for `spean verify`. The archiver calls it
before it puts an archive into the store, `spean archive verify` for whoever has the files.
"""

import hashlib
import hmac
import mmap
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from securityserver.archiving.bundle import SEALED
from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.sealed import check
from xroad.asic.container import read
from xroad.errors import XRoadError
from xroad.linkinginfo import LINKING_INFO, MAX_BYTES, START, Link, LinkingError, parse, verify

CONTAINER: Final = ".asice"
_CHUNK: Final = 1024 * 1024
# Containers are compressed already, so that an archive hardly shrinks them: more is a compression bomb.
_RATIO: Final = 100
_SMALL: Final = 64 * 1024 * 1024
_MANY: Final = 200_000  # entries; an archive of ours has at most two for each of 10,000 records
_ENCRYPTED: Final = 0x1
_UNREADABLE: Final = (
    BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class VerifiedArchive:
    """An archive whose chain holds and whose containers all open.

    Args:
        file: where it is.
        previous: the archive before, or `START`.
        last: the digest that the next archive begins with.
        containers: how many there are.
        sealed: how many of their bodies lie beside them, encrypted.
    """

    file: Path
    previous: Link
    last: str
    containers: int
    sealed: int


def verify_file(file: Path) -> VerifiedArchive:
    """Verify one archive; what it continues is for `verify_chain`.

    Raises:
        ArchiveRefused: it is damaged, changed, encrypted or no archive.
    """
    with _refused(file), ZipFile(file) as archive:
        entries = _entries(archive)
        names = [name for name in entries if name.endswith(CONTAINER)]
        sealed = [name for name in entries if name.endswith(SEALED)]
        info = parse(_content(archive, entries, LINKING_INFO))
        last = verify(info, ((name, _checked(archive, entries[name])) for name in names))
        for name in sealed:
            _check_sealed(archive, entries[name])
        return VerifiedArchive(file, info.previous, last.digest, len(names), len(sealed))


def verify_chain(archives: Iterable[VerifiedArchive], after: str | None = None) -> Iterator[VerifiedArchive]:
    """Verify that archives continue one another in the order given; the chains of several groups may follow each other.

    Args:
        archives: each verified by itself; each chain from its beginning.
        after: last digest of the archive before the first, when that is not the first of all.

    Raises:
        ArchiveRefused: an archive is missing, comes twice, or stands in another place.
    """
    before, seen = after or START.digest, set[str]()
    for number, archive in enumerate(archives):
        begins = archive.previous == START and number > 0  # the chain of another group: its line of output says so
        if not begins and not hmac.compare_digest(archive.previous.digest, before):
            raise ArchiveRefused(_out_of_place(archive))
        if archive.last in seen:
            raise ArchiveRefused(f"{archive.file}: this archive was given twice")
        seen.add(archive.last)
        before = archive.last
        yield archive


def in_link_order(archives: Iterable[VerifiedArchive], after: str | None = None) -> list[VerifiedArchive]:
    """Sort archives so that each follows the one that it continues; those that continue none of them come last.

    File names do not tell the order: two archives may be of the same second.
    """
    followers: dict[str, list[VerifiedArchive]] = {}
    for archive in sorted(archives, key=lambda archive: archive.file, reverse=True):
        followers.setdefault(archive.previous.digest, []).append(archive)
    ordered, waiting = [], followers.pop(after or START.digest, [])
    while waiting:
        ordered.append(waiting.pop())
        waiting += followers.pop(ordered[-1].last, [])
    return [*ordered, *(archive for left in followers.values() for archive in left)]


def _out_of_place(archive: VerifiedArchive) -> str:
    if archive.previous == START:
        return f"{archive.file}: it is the first of its chain, and so does not continue the digest that was given"
    return (
        f"{archive.file}: it continues {archive.previous.file_name} (digest {archive.previous.digest[:16]}…), which is "
        "not the archive before it here: one is missing, changed, or they are in another order; to begin with this, "
        "give the digest before it with --after"
    )


def _entries(archive: ZipFile) -> dict[str, ZipInfo]:
    found = archive.infolist()
    if len(found) > _MANY:
        raise LinkingError("it has more files than any archive")
    if archive.comment or min((info.header_offset for info in found), default=0):
        raise LinkingError("it has data beside its files")  # another reader could see another archive in it
    entries = {info.filename: info for info in found}
    if len(entries) != len(found):
        raise LinkingError("it has two files of one name")
    for info in found:
        _check_entry(info, entries)
    if LINKING_INFO not in entries:
        raise LinkingError("linkinginfo is missing")
    return entries


def _check_entry(info: ZipInfo, entries: dict[str, ZipInfo]) -> None:
    name = info.filename
    known = name == LINKING_INFO or name.endswith(CONTAINER)
    if not known and not (name.endswith(SEALED) and name.removesuffix(SEALED) in entries):
        raise LinkingError(f"{name}: no archive has such a file")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise LinkingError(f"{name}: it is packed as no archive is")
    if info.file_size > max(_SMALL, _RATIO * info.compress_size):
        raise LinkingError(f"{name}: it grows more than {_RATIO} times when it is unpacked")


def _content(archive: ZipFile, entries: dict[str, ZipInfo], name: str) -> bytes:
    if entries[name].file_size > MAX_BYTES:
        raise LinkingError(f"{name}: it is too large")
    return archive.read(entries[name])


def _checked(archive: ZipFile, info: ZipInfo) -> bytes:
    """Open a container and give its digest."""
    if info.file_size <= _CHUNK:
        data = archive.read(info)
        _open(info.filename, data)
        return hashlib.sha512(data).digest()
    digest = hashlib.sha512()
    with tempfile.TemporaryFile() as copy:
        _drain(archive, info, digest, copy)
        copy.flush()
        # A container may be larger than memory: mapped, it reads like the bytes that it is.
        with mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            _open(info.filename, cast("bytes", mapped))
    return digest.digest()


def _drain(archive: ZipFile, info: ZipInfo, digest: "hashlib._Hash", copy: BinaryIO) -> None:
    with archive.open(info) as entry:
        while chunk := entry.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)


def _check_sealed(archive: ZipFile, info: ZipInfo) -> None:
    with archive.open(info) as entry:
        try:
            check(cast("BinaryIO", entry))
        except ArchiveRefused as error:
            raise LinkingError(f"{info.filename}: {error}") from error


def _open(name: str, data: bytes) -> None:
    try:
        surplus = read(data).surplus
    except XRoadError as error:
        raise LinkingError(f"{name}: {error.full_code}: {error.detail}") from error
    if surplus:
        raise LinkingError(f"{name}: no container has a file {surplus[0]}")


@contextmanager
def _refused(file: Path) -> Iterator[None]:
    try:
        yield
    except LinkingError as error:
        raise ArchiveRefused(f"{file}: {error}") from error
    except _UNREADABLE as error:
        raise ArchiveRefused(f"{file}: {_reason(file, error)}") from error


def _reason(file: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    if file.suffix in {".gpg", ".pgp"}:
        return "it is encrypted; decrypt it first: gpg --output ARCHIVE.zip --decrypt ARCHIVE.zip.gpg"
    return f"it is damaged, or no archive ({error})"
