"""Finds and reads what the message log holds.

It refuses to write anything, so that any process may look while a node runs.
Auditors, the evidence builder and the pages come through here; never the path of an exchange.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count

from sqlalchemy import ColumnElement, RowMapping, Select, select
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.bodycipher import BodyDamaged, BodyOpener, context_of
from securityserver.messagelog.keys import BodyKeys, LogKeyUnusable
from securityserver.messagelog.leaf import values_of
from securityserver.messagelog.records import (
    BodyForm,
    StoredRecord,
    StoredTimestamp,
    milliseconds,
    searchable,
    stored,
    stored_timestamp,
)
from securityserver.messagelog.search import owned_by
from securityserver.messagelog.tables import BODY_CHUNK, KEY, MESSAGE_RECORD, RECORD, TIMESTAMP
from serverkit.database import Database
from xroad.errors import DatabaseError
from xroad.identifiers import ClientId

# A body can be large, so a record is read without it.
_COLUMNS = [column for column in RECORD.columns if column.name != "body"]
_PAGE = 100
MAX_FOUND = 1000  # an answer that a person reads, and that memory holds
MAX_BODY_IN_MEMORY = 64 * 1024 * 1024  # of one container: the same that the log's queue may hold


class BodyUnavailable(Exception):  # noqa: N818 - a state of the record, and no failure of the log
    """A body cannot be given; the record's other parts can."""


class BodyNotLogged(BodyUnavailable):
    """The subsystem's policy was to log no body."""


class BodyLocked(BodyUnavailable):
    """The body is encrypted for keys that the reader does not have."""


@dataclass(frozen=True, slots=True)
class BodySource:
    """A body that is about to be read.

    Args:
        size: in bytes.
        digest: SHA-512.
        chunk: gives the chunk at a position; empty behind the last.
    """

    size: int
    digest: bytes
    chunk: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class ContainerParts:
    """What a container of one record is made of.

    Args:
        record: the record.
        timestamp: over its signature, once there is one.
        body: all of it, or `None` when it cannot be given.
        body_unavailable: why it cannot, in a sentence.
    """

    record: StoredRecord
    timestamp: StoredTimestamp | None
    body: bytes | None
    body_unavailable: str | None


class MessageLogReader:
    """Reads the log of a node.

    Args:
        database: the node's; another process may be writing to it.
        keys: to open encrypted bodies with; without them all but those bodies can be read.
    """

    def __init__(self, database: Database, keys: BodyKeys | None = None) -> None:
        self._database = database
        self._keys = keys

    async def find(
        self,
        *,
        query_id: str | None = None,
        request_id: str | None = None,
        owner: ClientId | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = _PAGE,
    ) -> list[StoredRecord]:
        """Give the records that fit all that is given, newest first.

        Args:
            query_id: `X-Road-Id`.
            request_id: `x-road-request-id`.
            owner: the client here whose messages they are: asked by it as a consumer, or of it as a provider.
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
        if owner is not None:
            conditions.append(owned_by(owner))
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
            BodyNotLogged: the record has no body, as its subsystem's policy says.
            BodyLocked: it is encrypted, and none of this reader's keys opens it.
            DatabaseError: the database refused, or the body is not what was logged.
        """
        pieces = verified(record_id, await asyncio.to_thread(self._body, record_id))
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    async def timestamp_of(self, record: StoredRecord) -> StoredTimestamp | None:
        """Give the time-stamp over a record's signature, if it has one yet.

        Raises:
            DatabaseError: the database refused.
        """
        if record.timestamp_id is None:
            return None
        query = select(TIMESTAMP).where(TIMESTAMP.c.id == record.timestamp_id)
        rows = await asyncio.to_thread(self._rows, query)
        return stored_timestamp(rows[0]) if rows else None

    async def container_parts(self, record_id: int) -> ContainerParts:
        """Give all that a container of one record is made of.

        Raises:
            KeyError: there is no such record.
            DatabaseError: the database refused, the body is not what was logged, or it is too large for memory.
        """
        record = await self.get(record_id)
        if record is None:
            raise KeyError(record_id)
        if record.body_size > MAX_BODY_IN_MEMORY:
            raise DatabaseError(
                f"The body of record {record_id} has {record.body_size} bytes; containers hold up to "
                f"{MAX_BODY_IN_MEMORY}. Export its body by itself."
            )
        timestamp = await self.timestamp_of(record)
        try:
            chunks = [chunk async for chunk in self.read_body(record_id)]
        except BodyUnavailable as error:
            return ContainerParts(record, timestamp, None, str(error))
        return ContainerParts(record, timestamp, b"".join(chunks), None)

    def _records(self, query: Select[*tuple[object, ...]]) -> list[StoredRecord]:
        return [stored(row) for row in self._rows(query)]

    def _body(self, record_id: int) -> BodySource:
        rows = self._rows(select(RECORD).where(RECORD.c.id == record_id))
        if not rows:
            raise KeyError(record_id)
        row = rows[0]
        if row["body_form"] == BodyForm.NOT_LOGGED:
            raise BodyNotLogged(f"The body of record {record_id} was not logged, as its subsystem's policy says.")
        body_id, inline = row["body_id"], row["body"] or b""
        read = partial(self._chunk, body_id) if body_id is not None else partial(_whole, bytes(inline))
        if row["body_form"] != BodyForm.ENCRYPTED:
            return BodySource(row["body_size"], row["body_digest"], read)
        opener = BodyOpener(self._data_key(row), context_of(values_of(dict(row))), read(0))
        return BodySource(row["body_size"], row["body_digest"], partial(_opened, record_id, opener, read))

    def _data_key(self, row: RowMapping) -> bytes:
        found = self._rows(select(KEY.c.wrapped).where(KEY.c.id == row["body_key_id"]))
        try:
            key = None if self._keys is None or not found else self._keys.unwrap(found[0]["wrapped"])
        except LogKeyUnusable as error:
            raise DatabaseError(str(error)) from error
        if key is None:
            raise BodyLocked(
                f"The body of record {row['id']} is encrypted: give the log key and its PIN, or an auditor's key."
            )
        return key

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


def verified(record_id: int, body: BodySource) -> Iterator[bytes]:
    """Give a body in chunks; the last one comes only if size and digest are those that were logged. Blocks.

    Raises:
        DatabaseError: the body is not what was logged.
    """
    seen, check = 0, hashlib.sha512()
    for position in count():
        chunk = body.chunk(position)
        check.update(chunk)
        seen += len(chunk)
        complete = not chunk or seen >= body.size
        if complete and not (seen == body.size and hmac.compare_digest(check.digest(), body.digest)):
            raise DatabaseError(f"The body of record {record_id} is not what was logged; restore a backup.")
        if chunk:
            yield chunk
        if complete:
            return


def _whole(inline: bytes, position: int) -> bytes:
    return b"" if position else inline


def _opened(record_id: int, opener: BodyOpener, read: Callable[[int], bytes], position: int) -> bytes:
    stored_chunk = read(position)
    try:
        return opener.open(position, stored_chunk) if stored_chunk else b""
    except BodyDamaged as error:
        raise DatabaseError(f"The body of record {record_id} is not what was logged; restore a backup.") from error
