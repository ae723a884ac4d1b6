"""Removes records whose time in the database is over: only such as are in an archive that was read back.

It refuses to know archives' files, and what the Merkle tree keeps: the message log removes its own rows, and notes in
the tree which archive each went to. The archiver calls it at the end of each run.
"""

import asyncio
from datetime import datetime

from sqlalchemy import Connection, func, select

from securityserver.archiving.errors import database_trouble
from securityserver.messagelog.records import milliseconds
from securityserver.messagelog.removal import remove
from securityserver.messagelog.tables import ARCHIVE, RECORD
from serverkit.database import Database

# The log's writer waits while a transaction runs.
_SLICE = 200


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
        removed = 0
        for archive in await asyncio.to_thread(self._due, before):
            while slice_removed := await asyncio.to_thread(self._remove_some, archive):
                removed += slice_removed
        return removed

    def _due(self, before: datetime) -> list[int]:
        first = select(func.min(RECORD.c.id)).scalar_subquery()
        over = (ARCHIVE.c.verified == 1, ARCHIVE.c.time < milliseconds(before), ARCHIVE.c.last_id >= first)
        with database_trouble(), self._database.reading() as connection:
            return list(connection.execute(select(ARCHIVE.c.id).where(*over).order_by(ARCHIVE.c.id)).scalars())

    def _remove_some(self, archive: int) -> int:
        with database_trouble(), self._database.transaction() as connection:
            numbers = _some_of(connection, archive)
            return remove(connection, numbers, archive) if numbers else 0


def _some_of(connection: Connection, archive: int) -> list[int]:
    # The archive's own bounds: without them the whole log would be looked through.
    bounds = select(ARCHIVE.c.first_id, ARCHIVE.c.last_id).where(ARCHIVE.c.id == archive, ARCHIVE.c.verified == 1)
    first, last = connection.execute(bounds).one()
    within = (RECORD.c.archive_id == archive, RECORD.c.id.between(first, last))
    return list(connection.execute(select(RECORD.c.id).where(*within).order_by(RECORD.c.id).limit(_SLICE)).scalars())
