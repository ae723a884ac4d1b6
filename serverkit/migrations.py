"""Tells whether a database's tables are those of the code, and has them brought up to it when they are not.

It refuses to know the tables, and how scripts run. `serverkit.database` calls it once a start, inside one transaction.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

# A script's file is named by its revision: v0001_what_it_does.py; their order is the history.
_SCRIPT: Final = re.compile(r"(v[0-9]{4})_\w+\.py")


@dataclass(frozen=True, slots=True)
class Migrations:
    """Where the scripts are, and the mark that tells this kind of database from others.

    Args:
        package: a package with a `versions` package of Alembic scripts inside.
        application_id: 32-bit number in the header of the file.
        version_table: where a database remembers its revision; tables that are guests beside another program's have
            one of their own.
    """

    package: str
    application_id: int
    version_table: str = "alembic_version"

    @property
    def newest(self) -> str:
        """The last revision of the history."""
        names = (_SCRIPT.fullmatch(entry.name) for entry in (files(self.package) / "versions").iterdir())
        return max(name[1] for name in names if name is not None)


class NewerSchema(Exception):  # noqa: N818 - becomes a DatabaseUnusable once the path is known
    """The database was written by a later version of the software."""


def migrate(connection: Connection, migrations: Migrations) -> None:
    """Apply what is missing, within the caller's transaction.

    Raises:
        NewerSchema: the database knows a migration that this code does not.
    """
    if not is_newest(connection, migrations):
        from serverkit.upgrades import upgrade  # noqa: PLC0415 - see there: seldom needed, slow to load

        upgrade(connection, migrations.package, migrations.version_table)


def is_newest(connection: Connection, migrations: Migrations) -> bool:
    """Tell whether nothing is missing; only reads, so that it waits for nobody who writes."""
    return _applied(connection, migrations.version_table) == [migrations.newest]


def _applied(connection: Connection, version_table: str) -> list[str]:
    if not inspect(connection).has_table(version_table):
        return []
    return list(connection.execute(select(column("version_num")).select_from(table(version_table))).scalars())
