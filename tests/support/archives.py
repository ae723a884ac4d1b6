"""Logs with time-stamped records, and archivers over them, for tests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from securityserver.archiving.archiver import Archiver
from securityserver.archiving.ledger import Ledger, Member
from securityserver.archiving.removal import Remover
from securityserver.archiving.settings import ArchiveSettings
from securityserver.archiving.stores import DirectoryStore
from securityserver.messagelog.records import COLUMNS, row_of
from securityserver.messagelog.tables import ARCHIVE, RECORD, TIMESTAMP, TREE_NODE
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.messagelog import AT, make_record
from xroad.asic.builder import Parts, build
from xroad.xades import SignatureData

NOW = AT + timedelta(hours=1)
NOTHING: tuple[bytes, ...] = ()


def parts(text: str, at: datetime = AT) -> Parts:
    return Parts(text.encode(), SignatureData(b"<signature/>", None, None), None, 0, at)


class SampleContents:
    """Stands for what an archive holds of a record: a small container, the same for the same record."""

    def __init__(self, record_id: int) -> None:
        self._record_id = record_id

    def write(self, sink: Callable[[bytes], object]) -> None:
        sink(build(parts(f"record {self._record_id}")))

    def sealed(self) -> Iterator[bytes]:
        yield from NOTHING


class SampleContainers:
    """Stands for the message log's containers."""

    def read(self, members: Sequence[Member]) -> Iterator[SampleContents]:
        return (SampleContents(member.id) for member in members)


def seed(database: Database, *changes: dict[str, Any], stamped: bool = True) -> list[int]:
    """Log records as the writer would, each with a time-stamp unless told otherwise."""
    numbers = []
    with database.transaction() as connection:
        stamp = {"time": 0, "token": b"token", "authority": "TSA"}
        number = connection.execute(insert(TIMESTAMP).values(stamp).returning(TIMESTAMP.c.id)).scalar_one()
        for change in changes:
            row = dict(zip(COLUMNS, row_of(make_record(**change)), strict=True))
            row["timestamp_id"] = number if stamped else None
            row["leaf_index"] = connection.execute(select(func.count()).select_from(RECORD)).scalar_one()
            row["leaf_hash"] = bytes(32)
            numbers.append(connection.execute(insert(RECORD).values(row).returning(RECORD.c.id)).scalar_one())
            node = {"level": 1, "position": row["leaf_index"] // 2, "hash": bytes(32)}
            connection.execute(insert(TREE_NODE).prefix_with("OR IGNORE"), node)
    return numbers


def some(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [{"query_id": f"q{number}", "at": AT + timedelta(seconds=number)} | changes for number in range(count)]


@contextmanager
def node_database(directory: Path) -> Any:
    database = open_node_database(f"sqlite:///{directory / 'node.db'}")
    try:
        yield database
    finally:
        database.close()


def archiver(database: Database, directory: Path, **changes: Any) -> Archiver:
    fields = {"directory": directory / "archives"} | changes.pop("settings", {})
    settings = ArchiveSettings(**fields)
    made: dict[str, Any] = {
        "settings": settings,
        "ledger": Ledger(database),
        "remover": Remover(database),
        "store": DirectoryStore(directory / "archives"),
        "containers": SampleContainers,
        "work": directory / "work",
        "now": lambda: NOW,
    }
    return Archiver(**(made | changes))


def archived(directory: Path) -> list[Path]:
    """Give the archives in a directory, oldest first."""
    folder = directory / "archives"
    return sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else []


def links(database: Database) -> list[tuple[int, int | None]]:
    """Give each record's archive."""
    with database.reading() as connection:
        rows: Sequence[Any] = connection.execute(select(RECORD.c.id, RECORD.c.archive_id).order_by(RECORD.c.id)).all()
    return [(row.id, row.archive_id) for row in rows]


def files_in_ledger(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(ARCHIVE.c.file_name).order_by(ARCHIVE.c.id)).scalars())


def marks(database: Database) -> list[int]:
    """Give the places in the tree whose records were removed."""
    query = select(TREE_NODE.c.position).where(TREE_NODE.c.level == 0, TREE_NODE.c.archive_id.is_not(None))
    with database.reading() as connection:
        return list(connection.execute(query.order_by(TREE_NODE.c.position)).scalars())
