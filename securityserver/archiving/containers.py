"""Makes what an archive holds of a record: its container, and beside it the body when it is encrypted in the log.

It refuses to know ZIP files, stores and private keys: a running node cannot read what it has logged. Records are read
some at a time, and large bodies pass through in pieces; all of it blocks, and runs beside the event loop.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Final

from sqlalchemy import RowMapping, Select, select

from securityserver.archiving.errors import ArchivingFailed, database_trouble
from securityserver.archiving.ledger import Member
from securityserver.archiving.sealed import header_line
from securityserver.messagelog import BodyForm
from securityserver.messagelog.reader import BodySource, verified
from securityserver.messagelog.records import milliseconds, moment, stored_timestamp
from securityserver.messagelog.tables import BODY_CHUNK, KEY, RECORD, TIMESTAMP
from serverkit.database import Database
from xroad.asic.builder import Parts, begin
from xroad.asic.container import BatchStamp
from xroad.errors import XRoadError
from xroad.xades import SignatureData

Sink = Callable[[bytes], object]
Columns = dict[str, Any]

_ATTACHMENT: Final = "attachment1"
# Each may have a body of 256 KiB in its row.
_PAGE: Final = 32


class LoggedContainers:
    """The containers of one node's message log, for one archive: what its records share is read once.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stamps: dict[int, RowMapping] = {}
        self._keys: dict[int, str] = {}

    def read(self, members: Sequence[Member]) -> Iterator["LoggedContents"]:
        """Give what an archive holds of records, in their order.

        Raises:
            ArchivingFailed: a record is gone, or the database refused.
        """
        for start in range(0, len(members), _PAGE):
            page = members[start : start + _PAGE]
            rows = self._page(page)
            for member in page:
                if member.id not in rows:
                    raise ArchivingFailed(f"Record {member.id} is gone from the message log; run 'spean log check'.")
                yield LoggedContents(self, rows[member.id])

    def stamp(self, row: Columns) -> BatchStamp | bytes:
        """Give a record's time-stamp as its container has it.

        Raises:
            ArchivingFailed: it is gone, or the database refused.
        """
        number = row["timestamp_id"]
        if number not in self._stamps:
            found = self.rows(select(TIMESTAMP).where(TIMESTAMP.c.id == number))
            if not found:
                raise ArchivingFailed(f"Record {row['id']} has lost its time-stamp; run 'spean log check'.")
            # Records come in the order in which they were stamped: those of other stamps are over.
            self._stamps = {number: found[0]}
        stamp = stored_timestamp(self._stamps[number])
        if stamp.hash_chain_result is not None and row["timestamp_hash_chain"] is not None:
            return BatchStamp(stamp.token, stamp.hash_chain_result, row["timestamp_hash_chain"])
        return stamp.token

    def wrapped_key(self, row: Columns) -> str:
        """Give the key of a record's body, wrapped.

        Raises:
            ArchivingFailed: it is gone, or the database refused.
        """
        number = row["body_key_id"]
        if number not in self._keys:
            found = self.rows(select(KEY.c.wrapped).where(KEY.c.id == number))
            if not found:
                raise ArchivingFailed(f"Record {row['id']} has lost its body's key; restore a backup.")
            self._keys[number] = found[0]["wrapped"]
        return self._keys[number]

    def chunk(self, body_id: int, position: int) -> bytes:
        """Give a piece of a large body as it is stored; empty behind the last."""
        column = BODY_CHUNK.c
        found = self.rows(select(column.data).where(column.body_id == body_id, column.position == position).limit(1))
        return bytes(found[0]["data"]) if found else b""

    def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """Ask the database.

        Raises:
            ArchivingFailed: it refused.
        """
        with database_trouble(), self._database.reading() as connection:
            return connection.execute(query).mappings().all()

    def _page(self, members: Sequence[Member]) -> dict[int, Columns]:
        times = [milliseconds(member.at) for member in members]
        # With the time, for PostgreSQL keeps a partition a day and would look into each of them.
        wanted = (RECORD.c.id.in_([member.id for member in members]), RECORD.c.time.between(min(times), max(times)))
        return {row["id"]: dict(row) for row in self.rows(select(RECORD).where(*wanted))}


class LoggedContents:
    """What an archive holds of one record.

    Args:
        log: where the rest of it is.
        row: the record's, with all columns.
    """

    def __init__(self, log: LoggedContainers, row: Columns) -> None:
        self._log, self._row = log, row

    def write(self, sink: Sink) -> None:
        """Write the container.

        Raises:
            ArchivingFailed: it is damaged, or the database refused.
        """
        try:
            self._write(sink)
        except XRoadError as error:
            raise ArchivingFailed(f"Record {self._row['id']} cannot be archived: {error}") from error

    def sealed(self) -> Iterator[bytes]:
        """Give what lies beside the container: nothing, or a line of JSON and the encrypted body.

        Raises:
            ArchivingFailed: the database refused.
        """
        row = self._row
        if row["body_form"] != BodyForm.ENCRYPTED or not row["body_size"]:
            return
        yield header_line(row, self._log.wrapped_key(row))
        for position in count():
            piece = self._stored(position)
            if not piece:
                return
            yield piece

    def _write(self, sink: Sink) -> None:
        row = self._row
        attached = row["body_size"] > 0 and row["body_form"] == BodyForm.PLAIN
        signature = SignatureData(row["signature"], row["hash_chain_result"], row["hash_chain"])
        parts = Parts(row["head"], signature, self._log.stamp(row), int(attached), moment(row["time"]))
        writer, first = begin(parts)
        sink(first)
        if attached:
            sink(writer.begin(_ATTACHMENT))
            for piece in verified(row["id"], BodySource(row["body_size"], row["body_digest"], self._stored)):
                sink(writer.chunk(piece))
            sink(writer.end())
        sink(writer.finish())

    def _stored(self, position: int) -> bytes:
        if self._row["body_id"] is not None:
            return self._log.chunk(self._row["body_id"], position)
        return b"" if position else bytes(self._row["body"] or b"")
