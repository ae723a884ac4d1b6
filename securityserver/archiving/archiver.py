"""One run of the archiver: whatever waits goes into archives, and leaves the database when its time is over.

It refuses to know schedules, tables and kinds of stores. The node's loop and ``spean archive run`` run it; when it
dies at any point, the next run goes on with the archive that was planned, under the same records.

Each archive takes these steps, and only the ledger's are remembered:

1. plan: its records are fixed (ledger)        5. name: name and digest are fixed (ledger)
2. write: a ZIP file in the work directory     6. put: into the store, whole or not at all
3. verify: chain, containers, their number     7. read back: the store's bytes are those that were put
4. encrypt: for the group's recipients         8. verified (ledger); from now on its records may be removed
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from securityserver.archiving.bundle import ArchiveWriter, Containers
from securityserver.archiving.errors import ArchiveRefused, ArchivingFailed
from securityserver.archiving.ledger import Archive, Ledger
from securityserver.archiving.removal import Remover
from securityserver.archiving.settings import ArchiveSettings
from securityserver.archiving.stores import Store
from securityserver.archiving.verification import verify_file
from serverkit.logs import get_logger
from xroad.archivenames import archive_name
from xroad.identifiers import ClientId
from xroad.linkinginfo import LinkingInfo

log = get_logger("archive")

_OWNER_ONLY: Final = 0o700
_PLAIN: Final = "archive.zip"
_ENCRYPTED: Final = "archive.zip.gpg"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did."""

    archives: int
    records: int
    removed: int


class Archiver:
    """Archives the message log of one node.

    Args:
        settings: where to, how grouped, for how long.
        ledger: of the node's database.
        remover: of the node's database.
        store: where archives go.
        containers: gives, for one archive, what it holds of records.
        work: a directory of its own, for the archive in the making.
        now: gives the time.
    """

    def __init__(
        self,
        settings: ArchiveSettings,
        ledger: Ledger,
        remover: Remover,
        store: Store,
        containers: Callable[[], Containers],
        work: Path,
        now: Callable[[], datetime],
    ) -> None:
        self._settings, self._ledger, self._remover = settings, ledger, remover
        self._store, self._containers, self._work, self._now = store, containers, work, now

    async def run(self) -> Run:
        """Archive all that waits, and remove what was archived long ago.

        Raises:
            ArchivingFailed: it could not go on; what is archived stays so.
        """
        self._work.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        with self._ledger.alone():
            self._sweep()
            archives = [await self._finish(archive) async for archive in self._planned()]
            removed = await self._remove()
        return Run(len(archives), sum(archive.records for archive in archives), removed)

    async def _planned(self) -> AsyncIterator[Archive]:
        """Give what an earlier run left, then what is new; each is finished before the next is planned."""
        for archive in await asyncio.to_thread(self._ledger.unfinished):
            yield archive
        for group in await asyncio.to_thread(self._ledger.groups, self._settings.grouping):
            while planned := await asyncio.to_thread(self._plan, group):
                yield planned

    def _plan(self, group: ClientId | None) -> Archive | None:
        settings = self._settings
        return self._ledger.plan(
            group, max_records=settings.max_records, max_bytes=settings.max_file_bytes, at=self._now()
        )

    async def _finish(self, archive: Archive) -> Archive:
        plain, ready = self._work / _PLAIN, self._work / _ENCRYPTED
        try:
            info, name = await self._write(archive, plain)
            await self._check(archive, info, plain)
            source = await self._encrypt(archive, plain, ready)
            await self._name(archive, name, info)
            await self._store.put(name, source)
            await self._read_back(name, source)
            await asyncio.to_thread(self._ledger.verified, archive, self._now())
        finally:
            self._sweep()
        log.info("archive_written", file=name, records=archive.records)
        return archive

    async def _write(self, archive: Archive, target: Path) -> tuple[LinkingInfo, str]:
        previous = await asyncio.to_thread(self._ledger.before, archive)
        pages = self._ledger.members(archive)
        with target.open("xb") as file:
            writer = ArchiveWriter(file, previous, self._containers())
            while page := await asyncio.to_thread(next, pages, None):
                await asyncio.to_thread(writer.add, page)
            info, first, last = await asyncio.to_thread(writer.finish)
        encrypted = self._settings.openpgp is not None
        return info, archive_name(archive.group, first, last, info.last, encrypted=encrypted)

    async def _check(self, archive: Archive, info: LinkingInfo, file: Path) -> None:
        try:
            verified = await asyncio.to_thread(verify_file, file)
        except ArchiveRefused as error:
            raise ArchivingFailed(f"An archive came out wrong; its records stay in the database: {error}") from error
        if (verified.containers, verified.last) != (archive.records, info.last):
            raise ArchivingFailed(
                f"Of {archive.records} records that were to be archived {verified.containers} are there; run "
                "'spean log check'."
            )

    async def _encrypt(self, archive: Archive, plain: Path, ready: Path) -> Path:
        if self._settings.openpgp is None:
            return plain
        from securityserver.archiving.openpgp import encrypt  # noqa: PLC0415 - an extra: only who uses it installs it

        await encrypt(plain, ready, self._settings.openpgp.home, self._settings.openpgp.of(archive.group))
        return ready

    async def _name(self, archive: Archive, name: str, info: LinkingInfo) -> None:
        # An earlier run may have died after it put the same records under another name; such as before an upgrade.
        if archive.file_name and archive.file_name != name:
            await self._store.remove(archive.file_name)
        await asyncio.to_thread(self._ledger.built, archive, name, info.last)

    async def _read_back(self, name: str, source: Path) -> None:
        expected = await asyncio.to_thread(_digest, source)
        found = hashlib.sha512()
        async for chunk in self._store.read(name):
            found.update(chunk)
        if not hmac.compare_digest(found.digest(), expected):
            raise ArchivingFailed(f"{name}: the store gives back other bytes than it got; look at its disk.")

    async def _remove(self) -> int:
        return await self._remover.remove(self._now() - self._settings.retention)

    def _sweep(self) -> None:
        """Leave no archive in the making behind, least of all one that is not encrypted yet."""
        for name in (_PLAIN, _ENCRYPTED):
            (self._work / name).unlink(missing_ok=True)


def _digest(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha512").digest()
