"""Finds and reads what the message log holds.

It refuses to write anything, so that any process may look while a node runs.
Auditors, the evidence builder and the pages come through here; never the path of an exchange.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.records import StoredRecord, milliseconds, searchable, stored
from securityserver.messagelog.tables import BODY_CHUNK, MESSAGE_RECORD, RECORD
from serverkit.database import Database
from xroad.errors import DatabaseError

# A body can be large, so a record is read without it.
_COLUMNS = [column for column in RECORD.columns if column.name != "body"]
_PAGE = 100
MAX_FOUND = 1000  # an answer that a person reads, and that memory holds


class MessageLogReader:
    """Reads the log of a node.

    Args:
        database: the node's; another process may be writing to it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self,
        *,
        query_id: str | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = _PAGE,
    ) -> list[StoredRecord]:
        """Give the records that fit all that is given, newest first.

        Args:
            query_id: `X-Road-Id`.
            request_id: `x-road-request-id`.
            since: not before this time.
            until: before this time.
            limit: at most so many, and never more than `MAX_FOUND`.

        Raises:
            DatabaseError: the database refused.
        """
        conditions: list[ColumnElement[bool]] = [RECORD.c.discriminator == MESSAGE_RECORD]
        if query_id is not None:
            conditions.append(RECORD.c.query_id == searchable(query_id))
        if request_id is not None:
            conditions.append(RECORD.c.request_id == searchable(request_id))
        if since is not None:
            conditions.append(RECORD.c.time >= milliseconds(since))
        if until is not None:
            conditions.append(RECORD.c.time < milliseconds(until))
        query = select(*_COLUMNS).where(*conditions).order_by(RECORD.c.id.desc()).limit(min(limit, MAX_FOUND))
        return await asyncio.to_thread(self._records, query)

    async def get(self, record_id: int) -> StoredRecord | None:
        """Give one record.

        Raises:
            DatabaseError: the database refused.
        """
        found = await asyncio.to_thread(self._records, select(*_COLUMNS).where(RECORD.c.id == record_id))
        return found[0] if found else None

    async def iterate(self, *, after_id: int = 0) -> AsyncIterator[StoredRecord]:
        """Give all records with greater numbers, oldest first, a page at a time.

        Raises:
            DatabaseError: the database refused.
        """
        while True:
            query = select(*_COLUMNS).where(RECORD.c.id > after_id).order_by(RECORD.c.id).limit(_PAGE)
            page = await asyncio.to_thread(self._records, query)
            for record in page:
                yield record
                after_id = record.id
            if len(page) < _PAGE:
                return

    async def read_body(self, record_id: int) -> AsyncIterator[bytes]:
        """Give a record's body in chunks; the last one comes only if size and digest are those that were logged.

        Raises:
            KeyError: there is no such record.
            DatabaseError: the database refused, or the body is not what was logged.
        """
        inline, body_id, size, digest = await asyncio.to_thread(self._body, record_id)
        seen, check, position = 0, hashlib.sha512(), 0
        while True:
            chunk = inline if body_id is None else await asyncio.to_thread(self._chunk, body_id, position)
            check.update(chunk)
            seen += len(chunk)
            position += 1
            complete = body_id is None or not chunk or seen >= size
            if complete and not (seen == size and hmac.compare_digest(check.digest(), digest)):
                raise DatabaseError(f"The body of record {record_id} is not what was logged; restore a backup.")
            if chunk:
                yield chunk
            if complete:
                return

    def _records(self, query: Select[*tuple[object, ...]]) -> list[StoredRecord]:
        return [stored(row) for row in self._rows(query)]

    def _body(self, record_id: int) -> tuple[bytes, int | None, int, bytes]:
        table = RECORD.c
        query = select(table.body, table.body_id, table.body_size, table.body_digest).where(table.id == record_id)
        for row in self._rows(query):
            return row["body"] or b"", row["body_id"], row["body_size"], row["body_digest"]
        raise KeyError(record_id)

    def _chunk(self, body_id: int, position: int) -> bytes:
        chunk = BODY_CHUNK.c
        rows = self._rows(select(chunk.data).where(chunk.body_id == body_id, chunk.position == position))
        return bytes(rows[0]["data"]) if rows else b""

    def _rows(self, query: Select[*tuple[object, ...]]) -> Sequence[RowMapping]:
        try:
            with self._database.reading() as connection:
                return connection.execute(query).mappings().all()
        except SQLAlchemyError as error:
            raise DatabaseError("The message log cannot be read; look at the disk of the server's database.") from error
