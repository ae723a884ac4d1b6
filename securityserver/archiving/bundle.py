"""Writes one archive file: a ZIP of containers, and the chain that links them.

It refuses to know where containers come from and where the file goes. Given the same records it writes the same bytes,
as X-Road does (UG-SS 11.1.6), so that an archive that was interrupted can be written again under the same name.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Final, Protocol
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from securityserver.archiving.ledger import Member
from xroad.asic.builder import file_name
from xroad.linkinginfo import LINKING_INFO, Chain, Link, LinkingInfo, build

Sink = Callable[[bytes], object]
# Beside a container, its encrypted body. X-Road's verifier looks at names that end in ".asice" only.
SEALED: Final = ".body"
_OWNER_READS: Final = 0o600 << 16
_FIRST_YEAR: Final = 1980  # of ZIP's calendar


class Contents(Protocol):
    """What an archive holds of one record."""

    def write(self, sink: Sink) -> None:
        """Write the record's container into a sink."""
        ...

    def sealed(self) -> Iterator[bytes]:
        """Give the record's encrypted body when the container lacks it, else nothing."""
        ...


class Containers(Protocol):
    """Gives what an archive holds."""

    def read(self, members: Sequence[Member]) -> Iterator[Contents]:
        """Give what it holds of each of some records, in their order."""
        ...


class ArchiveWriter:
    """Writes an archive; each call blocks.

    Args:
        target: an empty file.
        previous: the archive before.
        containers: gives what it holds.
    """

    def __init__(self, target: BinaryIO, previous: Link, containers: Containers) -> None:
        self._archive = ZipFile(target, "w", ZIP_STORED)
        self._chain = Chain(previous)
        self._containers = containers
        self._times: list[datetime] = []

    def add(self, members: Sequence[Member]) -> None:
        """Write the next records."""
        for member, contents in zip(members, self._containers.read(members), strict=True):
            name = file_name(member.query_id, response=member.response, number=member.id)
            self._chain.add(name, _write_container(self._archive, _entry(name, member.at), contents))
            if member.sealed:
                _write_sealed(self._archive, _entry(f"{name}{SEALED}", member.at), contents)
        times = [*self._times, *(member.at for member in members)]
        self._times = [min(times), max(times)]

    def finish(self) -> tuple[LinkingInfo, datetime, datetime]:
        """Complete the archive, and give its chain and the times of its earliest and latest record."""
        earliest, latest = self._times
        self._archive.writestr(_entry(LINKING_INFO, latest), build(self._chain.info()))
        self._archive.close()
        return self._chain.info(), earliest, latest


def _write_container(archive: ZipFile, entry: ZipInfo, contents: Contents) -> bytes:
    digest = hashlib.sha512()
    with archive.open(entry, "w", force_zip64=True) as file:

        def take(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        contents.write(take)
    return digest.digest()


def _write_sealed(archive: ZipFile, entry: ZipInfo, contents: Contents) -> None:
    pieces = contents.sealed()
    first = next(pieces, None)
    if first is None:
        return
    with archive.open(entry, "w", force_zip64=True) as file:
        file.write(first)
        for piece in pieces:
            file.write(piece)


def _entry(name: str, at: datetime) -> ZipInfo:
    moment = at.astimezone(UTC)
    entry = ZipInfo(name, (max(moment.year, _FIRST_YEAR), *moment.timetuple()[1:6]))
    entry.compress_type = ZIP_STORED  # containers are compressed already
    entry.external_attr = _OWNER_READS
    return entry
