"""Signed documents out of the message log: the records of one client and message id, each as an ASiC-E container.

It refuses to know HTTP and who may ask. ``downloads`` streams what this module makes; large bodies pass through in
pieces.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from securityserver.messagelog import (
    BodyUnavailable,
    Direction,
    MessageLogReader,
    StoredRecord,
    StoredTimestamp,
)
from xroad import asic
from xroad.asic import BatchStamp, Parts
from xroad.errors import InternalError
from xroad.identifiers import ClientId
from xroad.xades import SignatureData

BODY: Final = "attachment1"
MOST: Final = 500  # documents of one message id, which clients should use once


@dataclass(frozen=True, slots=True)
class Document:
    """A record with its time-stamp: all that a container needs, bodies excepted."""

    record: StoredRecord
    stamp: StoredTimestamp

    @property
    def file_name(self) -> str:
        """The container's name, as X-Road's download service has it."""
        record = self.record
        return asic.file_name(record.query_id, response=record.direction is Direction.RESPONSE, number=record.id)


@dataclass(frozen=True, slots=True)
class Documents:
    """Makes containers of what a message log holds."""

    reader: MessageLogReader

    async def find(self, client: ClientId, query_id: str, direction: Direction | None) -> Sequence[StoredRecord]:
        """Give the records of a client, oldest first: what it asked here, and what it was asked as a provider.

        Raises:
            InternalError: there are too many.
            DatabaseError: the database refused.
        """
        # Only the client's own: whoever knows another's message id must get nothing, and hide nothing by using it too.
        found = await self.reader.find(query_id=query_id, owner=client, limit=MOST + 1)
        if len(found) > MOST:  # half of the evidence must not look like all of it
            raise InternalError(f"More than {MOST} messages have this id: take their documents out of the archives.")
        return [record for record in reversed(found) if direction in {None, record.direction}]

    async def stamped(self, record: StoredRecord) -> Document | None:
        """Give the document of a record, or None while it has no time-stamp; the record is read anew.

        Raises:
            DatabaseError: the database refused.
        """
        now = await self.reader.get(record.id)
        stamp = None if now is None else await self.reader.timestamp_of(now)
        return None if now is None or stamp is None else Document(now, stamp)

    async def container(self, document: Document) -> AsyncIterator[bytes]:
        """Give a document's container in pieces; a body that cannot be opened here is left out, and verifies so.

        Raises:
            DatabaseError: the database refused, or the body is not what was logged: the container is not whole.
        """
        body = self.reader.read_body(document.record.id)
        first = await _first(document.record, body)
        writer, start = asic.begin(_parts(document, attachments=0 if first is None else 1))
        yield start
        if first is not None:
            yield writer.begin(BODY)
            yield writer.chunk(first)
            async for chunk in body:
                yield writer.chunk(chunk)
            yield writer.end()
        yield writer.finish()

    async def archive(self, documents: Sequence[Document]) -> AsyncIterator[bytes]:
        """Give a ZIP of documents' containers in pieces.

        Raises:
            DatabaseError: as `container`.
        """
        writer = asic.ZipWriter(documents[-1].record.at, comment=b"")
        for document in documents:
            yield writer.begin(document.file_name)
            async for piece in self.container(document):
                yield writer.chunk(piece)
            yield writer.end()
        yield writer.finish()


async def _first(record: StoredRecord, body: AsyncIterator[bytes]) -> bytes | None:
    """Give the first chunk of a body, or None when there is none, none was logged, or none can be opened."""
    if not record.body_size:
        return None
    try:
        return await anext(body)
    except BodyUnavailable:
        return None


def _parts(document: Document, *, attachments: int) -> Parts:
    record, stamp = document.record, document.stamp
    kept: BatchStamp | bytes = stamp.token
    if stamp.hash_chain_result is not None and record.timestamp_hash_chain is not None:
        kept = BatchStamp(stamp.token, stamp.hash_chain_result, record.timestamp_hash_chain)
    signature = SignatureData(record.signature, record.hash_chain_result, record.hash_chain)
    return Parts(record.head, signature, kept, attachments, record.at)
