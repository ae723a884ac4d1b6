"""Writes one archive file: a ZIP of containers, and the chain that links them.

It refuses to know where containers come from and where the file goes. Given the same records it writes the same bytes,
as X-Road does (UG-SS 11.1.6), so that an archive that was interrupted can be written again under the same name.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
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


class Containers(Protocol):
    """Gives what an archive holds of a record, by the record's number, in pieces."""

    async def write(self, record_id: int, sink: Sink) -> None:
        """Write the record's container into a sink."""
        ...

    def sealed(self, record_id: int) -> AsyncIterator[bytes]:
        """Give the record's encrypted body when the container lacks it, else nothing."""
        ...


async def write_archive(
    target: BinaryIO, previous: Link, members: AsyncIterator[Member], containers: Containers
) -> tuple[LinkingInfo, datetime, datetime]:
    """Write an archive.

    Args:
        target: an empty file.
        previous: the archive before.
        members: its records, at least one.
        containers: gives what it holds of them.

    Returns:
        its chain, and the times of its earliest and latest record.
    """
    chain = Chain(previous)
    earliest = latest = None
    with ZipFile(target, "w", ZIP_STORED) as archive:
        async for member in members:
            name = file_name(member.query_id, response=member.response, number=member.id)
            chain.add(name, await _write_container(archive, name, member, containers))
            if member.sealed:
                await _write_sealed(archive, f"{name}{SEALED}", member, containers)
            earliest, latest = min(earliest or member.at, member.at), max(latest or member.at, member.at)
        if earliest is None or latest is None:
            raise ValueError("an archive has at least one record")
        archive.writestr(_entry(LINKING_INFO, latest), build(chain.info()))
    return chain.info(), earliest, latest


async def _write_container(archive: ZipFile, name: str, member: Member, containers: Containers) -> bytes:
    digest = hashlib.sha512()
    with archive.open(_entry(name, member.at), "w", force_zip64=True) as entry:

        def take(data: bytes) -> None:
            digest.update(data)
            entry.write(data)

        await containers.write(member.id, take)
    return digest.digest()


async def _write_sealed(archive: ZipFile, name: str, member: Member, containers: Containers) -> None:
    pieces = containers.sealed(member.id)
    first = await anext(pieces, None)
    if first is None:
        return
    with archive.open(_entry(name, member.at), "w", force_zip64=True) as entry:
        entry.write(first)
        async for piece in pieces:
            entry.write(piece)


def _entry(name: str, at: datetime) -> ZipInfo:
    moment = at.astimezone(UTC)
    entry = ZipInfo(name, (max(moment.year, _FIRST_YEAR), *moment.timetuple()[1:6]))
    entry.compress_type = ZIP_STORED  # containers are compressed already
    entry.external_attr = _OWNER_READS
    return entry
