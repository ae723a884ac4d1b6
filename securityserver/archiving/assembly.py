"""Puts an archiver together from a node's settings.

It refuses to run it. The node and ``spean archive run`` get theirs here; the packages that only some stores need are
imported here, when NODE.toml asks for them.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from securityserver.archiving.archiver import Archiver
from securityserver.archiving.containers import LoggedContainers
from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.ledger import Ledger
from securityserver.archiving.removal import Remover
from securityserver.archiving.settings import ArchiveSettings
from securityserver.archiving.stores import DirectoryStore, Store
from serverkit.database import Database


def assemble(settings: ArchiveSettings, database: Database, work: Path, now: Callable[[], datetime]) -> Archiver:
    """Put an archiver together.

    Args:
        settings: of NODE.toml.
        database: the node's.
        work: directory for archives in the making.
        now: gives the time.

    Raises:
        ArchivingFailed: a package that the settings need is not installed, or the store's address is wrong.
    """
    if settings.openpgp is not None:
        _need("gnupg", "openpgp")
    containers = partial(LoggedContainers, database)
    return Archiver(settings, Ledger(database), Remover(database), store_of(settings), containers, work, now)


def store_of(settings: ArchiveSettings) -> Store:
    """Give the store that the settings name."""
    if settings.s3 is not None:
        _need("obstore", "s3")
        from securityserver.archiving.s3 import S3Store  # noqa: PLC0415 - an extra: only who uses it installs it

        return S3Store(settings.s3)
    if settings.directory is None:
        raise AssertionError("__post_init__ lets exactly one through")
    return DirectoryStore(settings.directory)


def _need(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ArchivingFailed(f"[archive] {extra} needs a package that is not installed: pip install 'spean[{extra}]'.")
