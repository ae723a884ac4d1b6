"""Opens the crosswalk of an adapter file for a command, and says who runs it.

It refuses an adapter file whose source is no crosswalk.
"""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.config import load_config
from adapters.crosswalk.opening import Opened, open_crosswalk
from adapters.errors import ConfigError, EventsError
from adapters.source.connection import CrosswalkConnection
from spean.commands.common import told
from spean.errors import CommandError


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Give the crosswalk; errors of its files and database are the command's."""
    with told(ConfigError, EventsError):
        connection = load_config(path).connection
        if not isinstance(connection, CrosswalkConnection):
            raise CommandError(
                f"{path} is no crosswalk: its source has another kind. Name the crosswalk's adapter file."
            )
        found = open_crosswalk(connection)
        try:
            yield found
        finally:
            found.store.database.close()


def whoever(given: str) -> str:
    """Return who decides, as the record of decisions names them."""
    return given.strip() or getpass.getuser()
