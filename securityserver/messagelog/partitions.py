"""A partition a day of records, keys and large bodies on PostgreSQL, so that a day is dropped at once, not row by row.

It refuses to know when: the store makes days ahead, and removal drops those that are archived.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from securityserver.messagelog.records import DAY_MILLISECONDS, day_of, milliseconds, moment

# Made while nobody waits: to make one takes a lock that waits for readers.
DAYS_AHEAD: Final = 7
_TABLES: Final = ("log_record", "log_message_key", "log_body_chunk")
_NAME: Final = re.compile(r"log_record_([0-9]{8})")
_PARTITIONS: Final = text(
    "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid"
    " WHERE inhparent = to_regclass('log_record') ORDER BY relname"
)


def name_of(table: str, day: int) -> str:
    """Give the name of a day's partition; `day` counts from 1970-01-01."""
    return f"{table}_{moment(day * DAY_MILLISECONDS):%Y%m%d}"


def make_statements(days: Iterable[int]) -> list[str]:
    """Give what makes those days' partitions, where they are missing."""
    statements = []
    for day in days:
        start, end = day * DAY_MILLISECONDS, (day + 1) * DAY_MILLISECONDS
        statements += [_made("log_record", day, start, end), _made("log_message_key", day, start, end)]
        statements.append(_made("log_body_chunk", day, day, day + 1))
    return statements


def _made(table: str, day: int, start: int, end: int) -> str:
    name = name_of(table, day)
    return f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ({start}) TO ({end})"


def days(connection: Connection) -> list[int]:
    """Give the days that have a partition, the oldest first."""
    names = (_NAME.fullmatch(name) for name in connection.execute(_PARTITIONS).scalars())
    starts = (datetime.strptime(name[1], "%Y%m%d").replace(tzinfo=UTC) for name in names if name is not None)
    return [day_of(milliseconds(start)) for start in starts]


def close_to_writers(connection: Connection, day: int) -> None:
    """Let nobody write into a day until the transaction ends; others read on."""
    connection.execute(text(f"LOCK TABLE {name_of('log_record', day)} IN EXCLUSIVE MODE"))


def drop(connection: Connection, day: int) -> None:
    """Drop a day, with all its records and large bodies; their marks in the tree must stand already."""
    connection.execute(text(f"DROP TABLE {', '.join(name_of(table, day) for table in _TABLES)}"))
