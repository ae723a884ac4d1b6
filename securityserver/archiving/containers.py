"""Makes what an archive holds of a record: its container, and beside it the body when it is encrypted in the log.

It refuses to know ZIP files, stores and private keys: a running node cannot read what it has logged. The archiver asks
for one record after the other; large bodies pass through in pieces.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from sqlalchemy import Select, select

from securityserver.archiving.errors import ArchivingFailed, database_trouble
from securityserver.archiving.sealed import header_line
from securityserver.messagelog import BodyForm, MessageLogReader, StoredRecord
from securityserver.messagelog.leaf import FIELDS
from securityserver.messagelog.tables import BODY_CHUNK, KEY, RECORD
from serverkit.database import Database
from xroad.asic.builder import Parts, begin
from xroad.asic.container import BatchStamp
from xroad.errors import XRoadError
from xroad.xades import SignatureData

Sink = Callable[[bytes], object]

_ATTACHMENT: Final = "attachment1"
_SEALED_COLUMNS: Final = [RECORD.c[name] for name in (*FIELDS, "body", "body_id")]


class LoggedContainers:
    """The containers of one node's message log.

    Args:
        database: the node's.
        reader: reads the same database.
    """

    def __init__(self, database: Database, reader: MessageLogReader) -> None:
        self._database, self._reader = database, reader

    async def write(self, record_id: int, sink: Sink) -> None:
        """Write a record's container into a sink.

        Raises:
            ArchivingFailed: the record is not there, damaged, or its body does not open.
        """
        try:
            await self._write(record_id, sink)
        except XRoadError as error:
            raise ArchivingFailed(f"Record {record_id} cannot be archived: {error}") from error

    async def sealed(self, record_id: int) -> AsyncIterator[bytes]:
        """Give what lies beside a record's container: nothing, or a line of JSON and the encrypted body.

        Raises:
            ArchivingFailed: the database refused.
        """
        rows = await self._rows(select(*_SEALED_COLUMNS).where(RECORD.c.id == record_id))
        if not rows or rows[0]["body_form"] != BodyForm.ENCRYPTED or not rows[0]["body_size"]:
            return
        row = rows[0]
        keys = await self._rows(select(KEY.c.wrapped).where(KEY.c.id == row["body_key_id"]))
        if not keys:
            raise ArchivingFailed(f"Record {record_id} has lost its body's key; restore a backup.")
        yield header_line(row, keys[0]["wrapped"])
        if row["body_id"] is None:
            yield bytes(row["body"])
            return
        async for chunk in self._chunks(row["body_id"]):
            yield chunk

    async def _write(self, record_id: int, sink: Sink) -> None:
        record = await self._reader.get(record_id)
        if record is None:
            raise ArchivingFailed(f"Record {record_id} is gone from the message log; run 'spean log check'.")
        attached = record.body_size > 0 and record.body_form is BodyForm.PLAIN
        writer, first = begin(await self._parts(record, int(attached)))
        sink(first)
        if attached:
            sink(writer.begin(_ATTACHMENT))
            async for chunk in self._reader.read_body(record_id):
                sink(writer.chunk(chunk))
            sink(writer.end())
        sink(writer.finish())

    async def _parts(self, record: StoredRecord, attachments: int) -> Parts:
        stamp = await self._reader.timestamp_of(record)
        if stamp is None:
            raise ArchivingFailed(f"Record {record.id} has lost its time-stamp; run 'spean log check'.")
        kept: BatchStamp | bytes = stamp.token
        if stamp.hash_chain_result is not None and record.timestamp_hash_chain is not None:
            kept = BatchStamp(stamp.token, stamp.hash_chain_result, record.timestamp_hash_chain)
        signature = SignatureData(record.signature, record.hash_chain_result, record.hash_chain)
        return Parts(record.head, signature, kept, attachments, record.at)

    async def _chunks(self, body_id: int) -> AsyncIterator[bytes]:
        chunk, position = BODY_CHUNK.c, 0
        while rows := await self._rows(
            select(chunk.data).where(chunk.body_id == body_id, chunk.position == position).limit(1)
        ):
            yield bytes(rows[0]["data"])
            position += 1

    async def _rows(self, query: Select[*tuple[object, ...]]) -> list[Any]:
        return await asyncio.to_thread(self._read, query)

    def _read(self, query: Select[*tuple[object, ...]]) -> list[Any]:
        with database_trouble(), self._database.reading() as connection:
            return list(connection.execute(query).mappings().all())
