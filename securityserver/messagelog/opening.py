"""Puts a message log's writing parts together: store, writer, and the intake before them where one is wanted.

It refuses to write. `MessageLog.open` calls it, in a thread.
"""

import asyncio
from contextlib import ExitStack
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.counters import Counters
from securityserver.messagelog.intake import Intake, Start
from securityserver.messagelog.intakefile import IntakeFile
from securityserver.messagelog.recovery import intake_path, leaf_at, note_path, recover
from securityserver.messagelog.store import StoreRefused, open_store
from securityserver.messagelog.treestate import LeavesMissing, TreeState
from securityserver.messagelog.writer import Writer
from serverkit.database import Database, DatabaseUnusable
from serverkit.logs import get_logger

log = get_logger("message-log")


def opened(database: Database, loop: asyncio.AbstractEventLoop | None) -> tuple[Writer, Intake | None]:
    """Give the writer, not running yet, and the intake; the database has what an earlier intake left. Blocks.

    Args:
        database: the node's.
        loop: that rows come from, when an intake is wanted.

    Raises:
        DatabaseUnusable: another process writes this log, or its end is gone.
    """
    try:
        with ExitStack() as parts:
            store = open_store(database)
            parts.callback(store.close)
            recover(database, store)
            counters = Counters()
            intake = None if loop is None else _intake(database, counters, loop)
            writer = Writer(store, partial(TreeState.load, database), counters, intake)
            if intake is not None:
                intake.begin(writer.submit, writer.commit)
            parts.pop_all()
            return writer, intake
    except LeavesMissing as error:
        raise DatabaseUnusable(str(error)) from error
    except (SQLAlchemyError, StoreRefused) as error:
        raise DatabaseUnusable("The message log cannot be opened; look at the server's database.") from error


def _intake(database: Database, counters: Counters, loop: asyncio.AbstractEventLoop) -> Intake | None:
    # Only SQLite's driver is needed here, and only where SQLite is.
    from securityserver.messagelog.sqlitestore import SqliteMessages  # noqa: PLC0415

    path = intake_path(database)
    if path is None:
        return None
    place = TreeState.load(database).frontier.size
    messages = SqliteMessages(database)
    try:
        start = Start(place, leaf_at(database, place - 1), messages.next_number())
        file = IntakeFile.create(path, note_path(database))
    except OSError as error:
        # A full disk, most likely: each commit into the database then says so, until there is room.
        log.warning("intake_unavailable", reason=error.strerror or "unknown")
        messages.close()
        return None
    except BaseException:
        messages.close()
        raise
    return Intake(file, start, messages, counters, loop)
