"""Removes records whose time in the database is over: only such as are in an archive that was read back.

It refuses to know archives' files, and what the Merkle tree keeps: the message log removes its own rows, and notes in
the tree which archive each went to. The archiver calls it at the end of each run.

On PostgreSQL a day is dropped whole, by one statement, when all its records may go. Only what keeps a day from that for
so long that it will not come any more leaves row by row.
"""

import asyncio
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from securityserver.archiving.errors import database_trouble
from securityserver.messagelog import partitions
from securityserver.messagelog.records import DAY_MILLISECONDS, day_of, milliseconds
from securityserver.messagelog.removal import NotArchived, drop_day, remove
from securityserver.messagelog.tables import ARCHIVE, RECORD
from serverkit.database import Database

# The log's writer waits while a transaction runs.
_SLICE: Final = 200
# Archives of one day are read back at different times, the last soon after the day's end: a day may wait so long for
# its last one before its other records go without it.
_DAYS_FOR_THE_LAST: Final = 2


class Remover:
    """Removes records of one node's log.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, before: datetime) -> int:
        """Remove the records of all archives that were verified before a time, and tell how many there were.

        Raises:
            ArchivingFailed: the database refused.
        """
        removed = await self._drop_days(milliseconds(before)) if self._database.is_postgresql else 0
        for archive in await asyncio.to_thread(self._due, before):
            while slice_removed := await asyncio.to_thread(self._remove_some, archive, self._row_by_row(before)):
                removed += slice_removed
        return removed

    async def _drop_days(self, before: int) -> int:
        dropped = 0
        for day in await asyncio.to_thread(self._days):
            if day < day_of(before):
                dropped += await asyncio.to_thread(self._drop, day, before)
        return dropped

    def _days(self) -> list[int]:
        with database_trouble(), self._database.reading() as connection:
            return partitions.days(connection)

    def _drop(self, day: int, before: int) -> int:
        try:
            with database_trouble(), self._database.transaction() as connection:
                return drop_day(connection, day, before)
        except NotArchived:
            return 0  # its time comes, or the rows that may go do so by themselves

    def _row_by_row(self, before: datetime) -> int:
        """Give the time before which records leave by themselves."""
        if not self._database.is_postgresql:
            return milliseconds(before)
        return (day_of(milliseconds(before)) - _DAYS_FOR_THE_LAST) * DAY_MILLISECONDS

    def _due(self, before: datetime) -> list[int]:
        first = select(func.min(RECORD.c.id)).scalar_subquery()
        over = (ARCHIVE.c.verified == 1, ARCHIVE.c.time < milliseconds(before), ARCHIVE.c.last_id >= first)
        with database_trouble(), self._database.reading() as connection:
            return list(connection.execute(select(ARCHIVE.c.id).where(*over).order_by(ARCHIVE.c.id)).scalars())

    def _remove_some(self, archive: int, before: int) -> int:
        with database_trouble(), self._database.transaction() as connection:
            numbers = _some_of(connection, archive, before)
            return remove(connection, numbers, archive) if numbers else 0


def _some_of(connection: Connection, archive: int, before: int) -> list[int]:
    # The archive's own bounds: without them the whole log would be looked through.
    bounds = select(ARCHIVE.c.first_id, ARCHIVE.c.last_id).where(ARCHIVE.c.id == archive, ARCHIVE.c.verified == 1)
    first, last = connection.execute(bounds).one()
    within = (RECORD.c.archive_id == archive, RECORD.c.id.between(first, last), RECORD.c.time < before)
    return list(connection.execute(select(RECORD.c.id).where(*within).order_by(RECORD.c.id).limit(_SLICE)).scalars())
