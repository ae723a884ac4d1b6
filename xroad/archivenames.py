"""How message-log archives are named, as X-Road names them (UG-SS 11.1.6).

It refuses to know what they hold: `xroad.asic.builder` names the containers. The archiver names what it writes with it.
"""

import re
from datetime import UTC, datetime
from typing import Final

from xroad.identifiers import ClientId

# X-Road cuts at 200 characters, with which an encrypted archive's name has up to 259: file systems take 255 bytes.
_GROUP_MOST_BYTES: Final = 196
_DIGEST_SHOWN: Final = 16
_NO_FILE_NAME: Final = re.compile(r"[\\<>/:|*?\x00-\x1f\x7f-\x9f]")


def archive_name(group: ClientId | None, first: datetime, last: datetime, digest: str, *, encrypted: bool) -> str:
    """Name an archive.

    Args:
        group: the member or subsystem whose messages it holds, or `None` without grouping.
        first: time of its earliest record (aware).
        last: time of its latest record (aware).
        digest: last digest of its chain (hexadecimal).
        encrypted: OpenPGP encrypts it.
    """
    prefix = _cut(f"{_NO_FILE_NAME.sub('_', _shown(group))}-") if group else ""
    suffix = "zip.gpg" if encrypted else "zip"
    return f"mlog-{prefix}{_moment(first)}-{_moment(last)}-{digest[:_DIGEST_SHOWN]}.{suffix}"


def _shown(group: ClientId) -> str:
    # Not percent-encoded: what a file system cannot take becomes "_", and the rest stays readable.
    parts = (group.instance, group.member_class, group.member_code, group.subsystem_code)
    return "/".join(part for part in parts if part is not None)


def _cut(text: str) -> str:
    return text.encode()[:_GROUP_MOST_BYTES].decode(errors="ignore")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}"
