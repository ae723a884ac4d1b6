"""Records and logs for tests of the message log."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from securityserver.messagelog import EMPTY_BODY, Direction, MessageLog, Record, Side
from securityserver.migrations import open_node_database
from xroad.identifiers import ClientId, ServiceId

NSAF = ClientId("KH-SANDBOX", "GOV", "NSAF", "FAMILY-PACKAGE")
HOUSEHOLD = ServiceId(ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR"), "household")
AT = datetime(2026, 7, 1, 12, 0, 0, 123000, tzinfo=UTC)


def make_record(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "direction": Direction.REQUEST,
        "side": Side.CONSUMER,
        "query_id": "query",
        "request_id": str(uuid.uuid4()),
        "client": NSAF,
        "service": HOUSEHOLD,
        "user_id": None,
        "issue": None,
        "head": b"GET /r1/x HTTP/1.1\r\n",
        "body": EMPTY_BODY,
        "signature": b"<signature/>",
        "at": AT,
    }
    return Record(**(fields | changes))


def database_url(directory: Path) -> str:
    return f"sqlite:///{directory / 'node.db'}"


@asynccontextmanager
async def running_log(where: Path | str, **options: Any) -> AsyncIterator[MessageLog]:
    """Open the log of a directory (SQLite) or of a database's URL."""
    database = open_node_database(where if isinstance(where, str) else database_url(where))
    try:
        log = await MessageLog.open(database, **options)
        try:
            yield log
        finally:
            await log.close()
    finally:
        database.close()
