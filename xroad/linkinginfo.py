"""The chain of digests that ties the containers of a message-log archive together, and each archive to the one before.

It refuses to know ZIP files and containers: it gets their SHA-512 digests. The archiver builds a chain and writes it
into the archive as ``linkinginfo``; whoever verifies reads it from there and walks it again.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LINKING_INFO: Final = "linkinginfo"
"""Name of the chain's own entry in an archive (UG-SS 11.1)."""

# X-Road reads the shorter ones too; this project, as X-Road by default, has never written another than SHA-512.
_ALGORITHM: Final = "SHA-512"
_NOTHING: Final = "-"
_DIGEST: Final = re.compile(r"[0-9a-f]{128}")
# The names are URL-encoded where X-Road writes them, so that white space can only be a forged line.
_NAME: Final = re.compile(r"[^\s/\\\x00-\x1f\x7f]{1,512}")
_ENTRY_WORDS: Final = 2
_HEAD_WORDS: Final = 3
# A line is about 200 bytes; an archive of X-Road's or of this project has at most some 10,000 containers.
MAX_BYTES: Final = 64 * 1024 * 1024


class LinkingError(Exception):
    """A chain is not what it must be; the text says where and how."""


@dataclass(frozen=True, slots=True)
class Link:
    """One point of a chain: a digest (128 lower-case hexadecimal digits, or empty) and the file that ends there."""

    digest: str
    file_name: str


START: Final = Link("", "")
"""What comes before the first archive of all."""


@dataclass(frozen=True, slots=True)
class LinkingInfo:
    """The content of ``linkinginfo``: where the archive begins, and the chain's digest after each container."""

    previous: Link
    containers: tuple[Link, ...]

    @property
    def last(self) -> str:
        """The digest that the next archive begins with."""
        return self.containers[-1].digest if self.containers else self.previous.digest


def chained(previous: str, content_digest: bytes) -> str:
    """Give the chain's digest after one more file.

    Args:
        previous: the digest before, empty at the very first file.
        content_digest: SHA-512 of the file (64 bytes).
    """
    return hashlib.sha512(f"{previous}{content_digest.hex()}".encode()).hexdigest()


class Chain:
    """A chain in the making.

    Args:
        previous: the digest and file name of the archive before, or `START`.
    """

    def __init__(self, previous: Link) -> None:
        self._previous = previous
        self._containers: list[Link] = []

    @property
    def last(self) -> str:
        """The digest so far."""
        return self._containers[-1].digest if self._containers else self._previous.digest

    def add(self, name: str, content_digest: bytes) -> None:
        """Put a container at the end: its name within the archive and its SHA-512 digest."""
        self._containers.append(Link(chained(self.last, content_digest), name))

    def info(self) -> LinkingInfo:
        """Give what was made."""
        return LinkingInfo(self._previous, tuple(self._containers))


def build(info: LinkingInfo) -> bytes:
    """Write ``linkinginfo`` (UTF-8): a line for the archive before, a line for each container."""
    previous = info.previous
    head = f"{previous.digest or _NOTHING} {previous.file_name or _NOTHING} {_ALGORITHM}"
    lines = [head, *(f"{link.digest} {link.file_name}" for link in info.containers)]
    return "".join(f"{line}\n" for line in lines).encode()


def parse(data: bytes) -> LinkingInfo:
    """Read ``linkinginfo``.

    Raises:
        LinkingError: it is not one, or it names a container twice.
    """
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise LinkingError("linkinginfo is not UTF-8 text") from error
    if not lines:
        raise LinkingError("linkinginfo is empty")
    containers = tuple(_entry(number, line) for number, line in enumerate(lines[1:], start=2))
    if len({link.file_name for link in containers}) != len(containers):
        raise LinkingError("linkinginfo names a container twice")
    return LinkingInfo(_head(lines[0]), containers)


def verify(info: LinkingInfo, found: Iterable[tuple[str, bytes]]) -> Link:
    """Walk the chain over the containers that are really there.

    Args:
        info: the chain as the archive has it.
        found: name and SHA-512 digest of each container, in the archive's order.

    Returns:
        the last container and the chain's digest after it.

    Raises:
        LinkingError: a container is changed, missing, surplus or in another place, or there is none.
    """
    last = info.previous
    expected = iter(info.containers)
    for name, digest in found:
        link = next(expected, None)
        if link is None:
            raise LinkingError(f"{name}: linkinginfo does not name it, so it was put in later")
        if link.file_name != name:
            raise LinkingError(f"{name}: linkinginfo has {link.file_name} in its place: removed, surplus or reordered")
        last = Link(chained(last.digest, digest), name)
        if not hmac.compare_digest(last.digest, link.digest):
            raise LinkingError(f"{name}: its digest is not the one in linkinginfo, so one of the two was changed")
    missing = next(expected, None)
    if missing is not None:
        raise LinkingError(f"{missing.file_name}: linkinginfo names it, but it is not there")
    if last is info.previous:
        raise LinkingError("there is no container in it")
    return last


def _head(line: str) -> Link:
    words = line.split(" ")
    if len(words) != _HEAD_WORDS:
        raise LinkingError("linkinginfo does not begin with the digest, file and algorithm of the archive before")
    digest, name, algorithm = words
    if algorithm != _ALGORITHM:
        raise LinkingError("linkinginfo is not built with SHA-512")
    if (digest == _NOTHING) != (name == _NOTHING):
        raise LinkingError("linkinginfo has only one half of the link to the archive before")
    return START if digest == _NOTHING else _link(1, digest, name)


def _entry(number: int, line: str) -> Link:
    words = line.split(" ")
    if len(words) != _ENTRY_WORDS:
        raise LinkingError(f"line {number} of linkinginfo is not a digest and a name")
    return _link(number, *words)


def _link(number: int, digest: str, name: str) -> Link:
    if not _DIGEST.fullmatch(digest):
        raise LinkingError(f"line {number} of linkinginfo has no SHA-512 digest")
    if not _NAME.fullmatch(name):
        raise LinkingError(f"line {number} of linkinginfo has no usable file name")
    return Link(digest, name)
