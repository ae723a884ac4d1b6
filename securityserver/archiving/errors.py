"""How archiving fails: the administrator of this server must act, and every text says how.

It refuses to know exchanges, which go on meanwhile. The loop writes these into the log and ``/healthz``, the commands
show them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError


class ArchivingFailed(Exception):  # noqa: N818 - says what the administrator meets
    """Records could not be archived; they stay in the database, and the next run goes on where this one stopped."""


class ArchiveRefused(Exception):  # noqa: N818 - a verdict over a file
    """An archive is not what it must be; the text says which file, and why."""


@contextmanager
def database_trouble() -> Iterator[None]:
    """Translate what the database refuses."""
    try:
        yield
    except SQLAlchemyError as error:
        raise ArchivingFailed("The message log's database refused; look at its disk, and at its server.") from error
