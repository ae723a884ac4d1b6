"""What the database knows of archives: which records wait, which archive holds which, and how far each has come.

It refuses to know files: an archive is planned here before a byte of it is written, and kept to until it is read back.
The archiver asks and tells; every method is one transaction, and blocks.

An archive is *planned* when its records are fixed (no name yet), *built* when its name and digest are, and *verified*
when its copy in the store has been read back. A process that dies leaves at most one archive that is not verified, and
the next run goes on with exactly its records: no record can be missed, and none can be in two archives.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, insert, select, update

from securityserver.archiving.errors import ArchivingFailed, database_trouble
from securityserver.archiving.settings import Grouping
from securityserver.messagelog.records import BodyForm, milliseconds
from securityserver.messagelog.tables import ARCHIVE, RECORD
from serverkit.database import Database, DatabaseUnusable
from xroad.identifiers import ClientId
from xroad.linkinginfo import START, Link

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# SQLite takes 32,766 values a statement; this keeps the log's writer waiting for milliseconds only.
_SLICE = 500
# What a container has beside its body: head, signature with certificates and OCSP response, time-stamp.
_CONTAINER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was planned.

    Args:
        id: its number; the archives of a group are linked in the order of their numbers.
        group: whose messages, or `None` without grouping.
        first_id: its first record.
        last_id: its last record.
        records: how many.
        file_name: empty until it is built.
        digest: last digest of its chain (hexadecimal), empty until it is built.
    """

    id: int
    group: ClientId | None
    first_id: int
    last_id: int
    records: int
    file_name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Member:
    """A record that is to be in an archive; `sealed` when its body is encrypted, if it has one."""

    id: int
    query_id: str
    response: bool
    at: datetime
    sealed: bool


class Ledger:
    """The archives of one node.

    Args:
        database: the node's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that archives this log, wherever the others run; a claim ends with its process.

        Raises:
            ArchivingFailed: another process does it now.
        """
        try:
            claim = self._database.claim("archive")
        except DatabaseUnusable as error:
            raise ArchivingFailed(
                "Another process archives this server's messages now; try again when it is done."
            ) from error
        try:
            yield
        finally:
            claim.release()

    def unfinished(self) -> list[Archive]:
        """Give the archives that an earlier run planned and did not verify, oldest first."""
        return [_archive(row) for row in self._rows(_archives().where(ARCHIVE.c.verified == 0).order_by(ARCHIVE.c.id))]

    def groups(self, grouping: Grouping) -> list[ClientId | None]:
        """Give the groups that have records waiting."""
        found = {grouping.of(client) for client in self._waiting_clients()}
        return sorted(found, key=str)

    def plan(self, group: ClientId | None, *, max_records: int, max_bytes: int, at: datetime) -> Archive | None:
        """Fix the records of the next archive of a group, or give `None` when none waits.

        Args:
            group: as `groups` gave it.
            max_records: at most so many.
            max_bytes: stop after the record that goes beyond this, as X-Road does.
            at: now.
        """
        size = (RECORD.c.body_size + _CONTAINER_BYTES).label("size")
        waiting = select(RECORD.c.id, RECORD.c.time, size).where(*_waiting(), *_of_group(group)).order_by(RECORD.c.id)
        with database_trouble(), self._database.transaction() as connection:
            rows = connection.execute(waiting.limit(max_records)).all()
            chosen = rows[: _fitting([row.size for row in rows], max_bytes)]
            return _planned(connection, group, [(row.id, row.time) for row in chosen], at) if chosen else None

    def members(self, archive: Archive) -> Iterator[list[Member]]:
        """Give an archive's records in its order, some at a time."""
        after = archive.first_id - 1
        columns = (RECORD.c.id, RECORD.c.query_id, RECORD.c.response, RECORD.c.time, RECORD.c.body_form)
        while True:
            wanted = (RECORD.c.id > after, RECORD.c.id <= archive.last_id, RECORD.c.archive_id == archive.id)
            rows = self._rows(select(*columns).where(*wanted).order_by(RECORD.c.id).limit(_SLICE))
            if not rows:
                return
            yield [_member(row) for row in rows]
            after = rows[-1]["id"]

    def before(self, archive: Archive) -> Link:
        """Give the end of the group's chain that an archive continues."""
        same = (ARCHIVE.c.group_name == _name(archive.group), ARCHIVE.c.verified == 1, ARCHIVE.c.id < archive.id)
        rows = self._rows(_archives().where(*same).order_by(ARCHIVE.c.id.desc()).limit(1))
        return Link(rows[0]["digest"].hex(), rows[0]["file_name"]) if rows else START

    def built(self, archive: Archive, file_name: str, digest: str) -> None:
        """Fix an archive's name and digest, before it is put into the store."""
        self._update(archive, file_name=file_name, digest=bytes.fromhex(digest))

    def verified(self, archive: Archive, at: datetime) -> None:
        """Note that an archive is in the store and has been read back."""
        self._update(archive, verified=1, time=milliseconds(at))

    def oldest_waiting(self) -> datetime | None:
        """Give the time of the first record that is in no verified archive, time-stamped or not."""
        waiting = select(RECORD.c.id, RECORD.c.time).where(RECORD.c.archive_id.is_(None)).order_by(RECORD.c.id).limit(1)
        first = select(func.min(ARCHIVE.c.first_id)).where(ARCHIVE.c.verified == 0).scalar_subquery()
        planned = select(RECORD.c.id, RECORD.c.time).where(RECORD.c.id == first)
        rows = [*self._rows(waiting), *self._rows(planned)]
        return min((_EPOCH + timedelta(milliseconds=row["time"]) for row in rows), default=None)

    def last_success(self) -> datetime | None:
        """Give when an archive was last verified."""
        rows = self._rows(select(func.max(ARCHIVE.c.time).label("time")).where(ARCHIVE.c.verified == 1))
        return None if rows[0]["time"] is None else _EPOCH + timedelta(milliseconds=rows[0]["time"])

    def _waiting_clients(self) -> list[ClientId]:
        """Give the own side of each waiting record: the client that asks, or the one that answers."""
        asking = [RECORD.c[name] for name in _CLIENT]
        answering = [RECORD.c[f"service_{name}"].label(name) for name in _CLIENT]
        consumers = select(*asking).where(*_waiting(), RECORD.c.client_side == 1).distinct()
        producers = select(*answering).where(*_waiting(), RECORD.c.client_side == 0).distinct()
        return [
            ClientId(row["instance"], row["member_class"], row["member_code"], row["subsystem_code"])
            for query in (consumers, producers)
            for row in self._rows(query)
        ]

    def _update(self, archive: Archive, **values: object) -> None:
        statement = update(ARCHIVE).where(ARCHIVE.c.id == archive.id, ARCHIVE.c.verified == 0).values(**values)
        with database_trouble(), self._database.transaction() as connection:
            changed = connection.execute(statement).rowcount
        if changed != 1:
            raise ArchivingFailed("Another process archives this server's messages too; let only one do it.")

    def _rows(self, query: Select[*tuple[object, ...]]) -> Sequence[RowMapping]:
        with database_trouble(), self._database.reading() as connection:
            return connection.execute(query).mappings().all()


_CLIENT = ("instance", "member_class", "member_code", "subsystem_code")


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return RECORD.c.archive_id.is_(None), RECORD.c.timestamp_id.is_not(None)


def _of_group(group: ClientId | None) -> tuple[ColumnElement[bool], ...]:
    if group is None:
        return ()
    values = (group.instance, group.member_class, group.member_code, group.subsystem_code)
    wanted = dict(zip(_CLIENT, values, strict=True))
    if group.subsystem_code is None:
        del wanted["subsystem_code"]
    consumer = RECORD.c.client_side == 1
    producer = RECORD.c.client_side == 0
    for name, value in wanted.items():
        consumer &= RECORD.c[name] == value
        producer &= RECORD.c[f"service_{name}"] == value
    return (consumer | producer,)


def _fitting(sizes: Sequence[int], max_bytes: int) -> int:
    """Give how many records go into one archive: up to and with the one that goes beyond the limit."""
    return next((count for count, total in enumerate(accumulate(sizes), start=1) if total > max_bytes), len(sizes))


def _planned(
    connection: Connection, group: ClientId | None, records: Sequence[tuple[int, int]], at: datetime
) -> Archive:
    values = {
        "file_name": "",
        "group_name": _name(group),
        "first_id": records[0][0],
        "last_id": records[-1][0],
        "records": len(records),
        "digest": b"",
        "time": milliseconds(at),
        "verified": 0,
    }
    number = connection.execute(insert(ARCHIVE).values(values).returning(ARCHIVE.c.id)).scalar_one()
    for start in range(0, len(records), _SLICE):
        ids, times = zip(*records[start : start + _SLICE], strict=True)
        # With the time, for PostgreSQL keeps a partition a day and would look into each of them.
        some = (RECORD.c.id.in_(ids), RECORD.c.time.between(min(times), max(times)))
        connection.execute(update(RECORD).where(*some).values(archive_id=number))
    return Archive(number, group, records[0][0], records[-1][0], len(records), "", "")


def _archives() -> Select[*tuple[object, ...]]:
    return select(*ARCHIVE.columns)


def _archive(row: RowMapping) -> Archive:
    return Archive(
        row["id"],
        ClientId.parse(row["group_name"]) if row["group_name"] else None,
        row["first_id"],
        row["last_id"],
        row["records"],
        row["file_name"],
        row["digest"].hex(),
    )


def _member(row: RowMapping) -> Member:
    at = _EPOCH + timedelta(milliseconds=row["time"])
    return Member(row["id"], row["query_id"], bool(row["response"]), at, row["body_form"] == BodyForm.ENCRYPTED)


def _name(group: ClientId | None) -> str:
    return "" if group is None else str(group)
