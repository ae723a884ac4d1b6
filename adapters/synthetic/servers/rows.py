"""Reads rows of a synthetic register, for the servers that stand in for the systems above it.

It refuses to write. A query is a fixed statement with values for its marks, as everywhere.
"""

import sqlite3
from pathlib import Path


class Rows:
    """One register, read only; made in the server's own thread."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._database.row_factory = sqlite3.Row

    def find(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Give the rows of a statement."""
        return self._database.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
