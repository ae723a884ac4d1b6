"""The history of a node's tables, and the door to a node's database.

It refuses to know how a database works: `serverkit.database` opens it.
A node's composition root and the commands beside it call `open_node_database` once.
"""

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from serverkit.database import Database, DatabaseUnusable, open_database
from serverkit.migrations import Migrations

# "SPNn": `file` and other tools tell a node's database by it, and no other program's is opened by mistake.
APPLICATION_ID = 0x53504E6E

NODE = Migrations(package=__name__, application_id=APPLICATION_ID)


def open_node_database(url: str) -> Database:
    """Open a node's one database, with message log and configuration; blocks.

    Raises:
        DatabaseUnusable: as `serverkit.database.open_database`, or it was here before and is gone.
    """
    _refuse_a_second_first_time(url)
    return open_database(url, NODE)


def _refuse_a_second_first_time(url: str) -> None:
    """Make no new database where there was one: records that are gone must be missed by somebody."""
    path = _file(url)
    if path is None or path.exists():
        return
    # A node leaves files with locks beside its database, and one that was killed its write-ahead log and its intake.
    # SQLite would even take the first for the new database's.
    left = sorted(each for kind in ("*.lock", "wal", "intake") for each in path.parent.glob(f"{path.name}-{kind}"))
    # Another process may have made the database between the two looks, and opened it: then both files are there.
    if left and not path.exists():
        raise DatabaseUnusable(
            f"{path}: the database is gone, though this server has used it ({left[0].name} is still there): put the "
            f"file back; or move {path.name}-* away, and restore a backup or begin with an empty message log."
        )


def _file(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None  # it is refused when it is opened
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
