"""The ``[archive]`` table of NODE.toml: where archives go, how often, how they are grouped, and who can open them.

It says how the table looks and refuses to open any of it. The node's configuration has it as one of its parts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from serverkit.config import setting
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

# UG-SYSPAR, message log parameters: every six hours, 32 MiB a file, thirty days in the database.
INTERVAL_SECONDS: Final = 6 * 3600.0
MAX_FILE_BYTES: Final = 32 * 1024 * 1024
RETENTION_DAYS: Final = 30
# Records wait in memory as numbers and names only; this bounds one transaction too.
MAX_RECORDS: Final = 10_000
# A long key id or a fingerprint; a short id can be forged, a name can be somebody else's.
_KEY_ID: Final = r"(0x)?([0-9A-Fa-f]{16}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})"


class Grouping(StrEnum):
    """Whose messages share an archive."""

    NONE = "none"
    MEMBER = "member"
    SUBSYSTEM = "subsystem"

    def of(self, client: ClientId) -> ClientId | None:
        """Give the group of one of this server's clients."""
        match self:
            case Grouping.NONE:
                return None
            case Grouping.MEMBER:
                return client.member
            case Grouping.SUBSYSTEM:
                return client


@dataclass(frozen=True, slots=True)
class S3Settings:
    """An S3-compatible store; its credentials come from the environment (``AWS_ACCESS_KEY_ID`` and the like).

    Args:
        url: ``s3://bucket/prefix``.
        endpoint: of a store that is not Amazon's.
        region: where the bucket is.
    """

    url: str = setting(pattern=r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w./-]*)?", rule="must be s3://bucket/prefix")
    endpoint: str | None = setting(default=None, pattern=r"https?://[^\s]+", rule="must be an http(s) URL")
    region: str | None = None


@dataclass(frozen=True, slots=True)
class OpenPgpSettings:
    """Who can open the archives.

    Args:
        home: GnuPG's directory with the recipients' public keys.
        recipients: key ids or fingerprints for every group that has none of its own.
        groups: key ids or fingerprints by member identifier, as X-Road maps them.
    """

    home: Path
    recipients: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("recipients: name at least one key, for groups that have none of their own")
        if any(not keys for keys in self.groups.values()):
            raise ValueError("groups: each member that is named needs at least one key")
        _check_keys([self.recipients, *self.groups.values()])
        for name in self.groups:
            _check_member(name)

    def of(self, group: ClientId | None) -> tuple[str, ...]:
        """Give the keys of a group; subsystems have their member's."""
        own = self.groups.get(str(group.member)) if group else None
        return own or self.recipients


def _check_member(name: str) -> None:
    # Under a mistyped name a member's archives would be encrypted for others.
    rule = f"groups: {name}: name a member as INSTANCE/CLASS/MEMBER; its subsystems have the same keys"
    try:
        client = ClientId.parse(name)
    except XRoadError as error:
        raise ValueError(rule) from error
    if client.subsystem_code is not None or str(client) != name:
        raise ValueError(rule)


def _check_keys(lists: list[tuple[str, ...]]) -> None:
    for keys in lists:
        for key in keys:
            if not re.fullmatch(_KEY_ID, key):
                raise ValueError(f"{key}: give a fingerprint or a long key id")


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """All of ``[archive]``.

    Args:
        directory: where archives go; or
        s3: where archives go.
        interval_seconds: from one run to the next.
        grouping: whose messages share an archive.
        max_file_bytes: above this the next archive begins.
        max_records: as `max_file_bytes`, by number.
        retention_days: records stay in the database so long after they were archived.
        openpgp: how archives are encrypted; `None`: not.
    """

    directory: Path | None = None
    s3: S3Settings | None = None
    interval_seconds: float = setting(default=INTERVAL_SECONDS, minimum=1, maximum=31 * 24 * 3600)
    grouping: Grouping = Grouping.NONE
    max_file_bytes: int = setting(default=MAX_FILE_BYTES, minimum=1)
    max_records: int = setting(default=MAX_RECORDS, minimum=1, maximum=MAX_RECORDS)
    retention_days: int = setting(default=RETENTION_DAYS, minimum=0, maximum=36500)
    openpgp: OpenPgpSettings | None = None

    def __post_init__(self) -> None:
        if (self.directory is None) == (self.s3 is None):
            raise ValueError("give exactly one of directory and s3")

    @property
    def retention(self) -> timedelta:
        """How long records stay in the database after they were archived."""
        return timedelta(days=self.retention_days)
