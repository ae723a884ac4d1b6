"""Reads rows of a synthetic register, for the servers that stand in for the systems above it.

Reading cannot write; the one who hands something in has a connection of its own for it. A query is a fixed statement
with values for its marks, as everywhere.
"""

import sqlite3
from contextlib import closing
from pathlib import Path


class Rows:
    """One register; made in the server's own thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._database.row_factory = sqlite3.Row

    def find(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Give the rows of a statement."""
        return self._database.execute(statement, values).fetchall()

    def add(self, statement: str, *values: object) -> None:
        """Run a statement that adds a row."""
        with closing(sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=rw", uri=True)) as database, database:
            database.execute(statement, values)

    def close(self) -> None:
        """Close the file."""
        self._database.close()
