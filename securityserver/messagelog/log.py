"""The message log as the pipelines see it: `append` returns when the record is on the disk.

It refuses to know what is exchanged and why.
No message leaves a security server before its record has been appended.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog import treeheads
from securityserver.messagelog.bodies import PLAIN, BodyKeeping
from securityserver.messagelog.gathering import Gathering
from securityserver.messagelog.intake import Intake
from securityserver.messagelog.opening import opened
from securityserver.messagelog.pending import Pending, TreeWish
from securityserver.messagelog.reader import MessageLogReader
from securityserver.messagelog.records import BODY_FORM, BodyForm, Record, Row, row_of
from securityserver.messagelog.treeheads import Sign, TreeHead, head_bytes
from securityserver.messagelog.writer import Writer
from serverkit.database import Database
from xroad.errors import DatabaseError


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much may wait.

    Args:
        pending: appends at once, the others wait for their turn; with bodies of 256 KiB in memory this is 64 MiB.
    """

    pending: int = 256


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """What the log did since it was opened.

    Args:
        appended: records that are durable.
        failed: records that were refused.
        commits: transactions, and so syncs of the disk, that the records took.
        waiting: records that are being appended now.
        last_failure: why the log cannot write, or `None` when the last record was written.
    """

    appended: int
    failed: int
    commits: int
    waiting: int
    last_failure: str | None


class MessageLog:
    """The log of one node; `open` it once per process.

    Args:
        database: the node's.
        writer: a running thread.
        limits: how much may wait.
        bodies: how bodies are kept.
        intake: where records are durable before the writer has them, if anywhere.
    """

    def __init__(
        self, database: Database, writer: Writer, limits: LogLimits, bodies: BodyKeeping, intake: Intake | None = None
    ) -> None:
        self.reader = MessageLogReader(database)
        self._database = database
        self._signed_size = 0
        self._bodies = bodies
        self._room = asyncio.Semaphore(limits.pending)
        self._writer = writer
        self._intake = intake
        self._gathering = Gathering(writer.submit if intake is None else intake.submit)
        self._give = writer.submit if intake is None else intake.give
        self._appending = 0

    @classmethod
    async def open(
        cls,
        database: Database,
        *,
        limits: LogLimits | None = None,
        bodies: BodyKeeping | None = None,
        intake: bool = False,
    ) -> Self:
        """Start the writer; what an earlier process left unfinished is removed in the background.

        Args:
            database: the node's.
            limits: how much may wait.
            bodies: how bodies are kept; plain when nothing is said.
            intake: make records durable in a file beside the database, where that is SQLite: who reads the database
                sees them a little later, and `settled` waits for that.

        Raises:
            DatabaseUnusable: another process writes this log, or the end of the log is gone.
        """
        loop = asyncio.get_running_loop() if intake and database.path is not None else None
        writer, taker = await asyncio.to_thread(opened, database, loop)
        writer.start()
        return cls(database, writer, limits or LogLimits(), bodies or PLAIN, taker)

    async def append(self, record: Record, *, fresh: bool = False) -> int:
        """Make a record durable, and give its number.

        When this is cancelled the record may be in the log or not: the log may say more than was sent, never less.

        Args:
            record: a message.
            fresh: this server made up the message's id for this exchange, so that the database need not be asked for
                another one. Never for an id that came from elsewhere.

        Raises:
            LoggingFailed: the record is not durable, so the message must not move on.
            InvalidMessage: there is a record with the same request id, direction and side (`DuplicateRecord`).
        """
        async with self._room:
            self._appending += 1
            try:
                return await self._append(record, fresh=fresh)
            finally:
                self._appending -= 1

    async def _append(self, record: Record, *, fresh: bool) -> int:
        row = row_of(record)
        sealer = await self._bodies.keep(record, row)
        outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        pending = Pending(row, outcome, record.body.size, _handle(record, row), sealer, fresh)
        if pending.handle is None:
            self._gathering.add(pending)
        else:
            self._give([pending])
        return await outcome

    async def settled(self) -> tuple[int, bytes]:
        """Wait until the database has all records that are durable now; give size and root of the tree over them.

        Raises:
            LoggingFailed: the tree cannot be written.
        """
        wish = TreeWish(asyncio.get_running_loop().create_future())
        self._writer.submit(wish)
        return await wish.outcome

    async def sign_head(self, sign: Sign, at: datetime) -> TreeHead | None:
        """Have the tree over all records that are durable now signed, and keep that; `None` when there is nothing new.

        Raises:
            LoggingFailed, DatabaseError: the tree or the head cannot be written.
        """
        size, root = await self.settled()
        if size == self._signed_size:
            return None
        signature, certificate = await sign(head_bytes(size, root, at))
        head = TreeHead(size, root, at, signature, certificate)
        try:
            number = await asyncio.to_thread(self._keep_head, head)
        except SQLAlchemyError as error:
            raise DatabaseError("A tree head cannot be kept; look at the disk of the server's database.") from error
        self._signed_size = size
        return replace(head, id=number)

    def _keep_head(self, head: TreeHead) -> int:
        with self._database.transaction() as connection:
            return treeheads.keep(connection, head)

    def statistics(self) -> LogStatistics:
        """Tell how the log is doing."""
        counters = self._writer.counters
        return LogStatistics(
            counters.appended, counters.failed, counters.commits, self._appending, counters.last_failure
        )

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._gathering.hand_over_all()
        if self._intake is not None:
            self._intake.close()
        await asyncio.to_thread(self._writer.stop)


def _handle(record: Record, row: Row) -> int | None:
    """Open what the writer must copy: a large body, if it is to be kept."""
    spooled = record.body.spooled
    return None if spooled is None or row[BODY_FORM] == BodyForm.NOT_LOGGED else spooled.duplicate()
