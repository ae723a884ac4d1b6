"""A signed document in memory: read from its bytes, with every file in its place and none twice.

It refuses to know whether anything in it is true: that is `verification`'s.
Files that X-Road does not write are remembered by name, so that the judge can refuse them after he has looked at the
signature, whose failure says more.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xroad.asic import errors, names
from xroad.asic.errors import Defect, invalid
from xroad.asic.manifests import listed_files
from xroad.asic.zipreader import Archive, open_archive
from xroad.errors import PeerError
from xroad.xades import SignatureData


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside the message, told by its size and SHA-512; a REST body is the first."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class BatchStamp:
    """A time-stamp over the result of a hash chain that leads to this signature and to others."""

    token: bytes
    hash_chain_result: bytes
    hash_chain: bytes


@dataclass(frozen=True, slots=True)
class Container:
    """A container as it was read; nothing in it is verified yet.

    Args:
        message: `message.xml`: a SOAP message, or the head part of a REST message.
        signature: the signature's files.
        batch_stamp: the time-stamp of a batch, if there is one.
        own_stamp: a time-stamp of the signature alone in a file of its own; X-Road keeps it inside the signature.
        attachments: by name, `attachment1` first.
        files: the content of every small file of X-Road's, by name with a slash before, as references write it.
        listed: what the container's own manifest says it holds.
        surplus: names of files that X-Road does not write.
        in_order: whether `mimetype` comes first, as X-Road writes it and archives packed again by hand do not.
    """

    message: bytes
    signature: SignatureData
    batch_stamp: BatchStamp | None
    own_stamp: bytes | None
    attachments: Mapping[str, Attachment]
    files: Mapping[str, bytes]
    listed: frozenset[str]
    surplus: tuple[str, ...]
    in_order: bool
    _archive: Archive

    def attachment_chunks(self, name: str) -> Iterator[bytes]:
        """Unpack an attachment piece by piece; it was checked when the container was read."""
        return self._archive.chunks(name)


def read(data: bytes) -> Container:
    """Read a container.

    Raises:
        AsicInvalidContainer: not a ZIP that every reader reads alike, or with several signatures.
        AsicMimeTypeNotFound, AsicInvalidMimeType, AsicMessageNotFound, AsicSignatureNotFound, AsicManifestNotFound,
        AsicHashChainResultNotFound, AsicHashChainNotFound, AsicTimestampNotFound: a file is missing or empty.
    """
    archive = open_archive(data)
    known = {name: archive.content(name, limit) for name, limit in names.LIMITS.items() if name in archive.entries}
    _check_files(known)
    surplus = tuple(sorted(_surplus(archive)))
    if any(names.is_signature(name) for name in surplus):  # the valid one could be shown, and the other one used
        raise invalid(Defect.SEVERAL_SIGNATURES, "The container has several files with signatures instead of one.")
    batch = _batch_stamp(known)
    return Container(
        message=known[names.MESSAGE],
        signature=SignatureData(
            known[names.SIGNATURE], known.get(names.SIG_HASH_CHAIN_RESULT), known.get(names.SIG_HASH_CHAIN)
        ),
        batch_stamp=batch,
        own_stamp=None if batch is not None else known.get(names.TIMESTAMP),
        attachments=MappingProxyType(_attachments(archive)),
        files=MappingProxyType({f"/{name}": content for name, content in known.items()}),
        listed=listed_files(known.get(names.MANIFEST)),
        surplus=surplus,
        in_order=_in_order(archive),
        _archive=archive,
    )


def _check_files(known: Mapping[str, bytes]) -> None:
    _need(known, names.MIMETYPE, errors.AsicMimeTypeNotFound)
    if known[names.MIMETYPE] != names.MEDIA_TYPE.encode():
        raise errors.AsicInvalidMimeType("The container says that it is something other than an ASiC-E container.")
    _need(known, names.MESSAGE, errors.AsicMessageNotFound)
    _need(known, names.SIGNATURE, errors.AsicSignatureNotFound)
    for manifest in (names.MANIFEST, names.ASIC_MANIFEST):
        if manifest in known:
            _need(known, manifest, errors.AsicManifestNotFound)
    if names.TIMESTAMP in known or names.TS_HASH_CHAIN_RESULT in known:
        _need(known, names.TIMESTAMP, errors.AsicTimestampNotFound)
    for result, chain in (
        (names.SIG_HASH_CHAIN_RESULT, names.SIG_HASH_CHAIN),
        (names.TS_HASH_CHAIN_RESULT, names.TS_HASH_CHAIN),
    ):
        if result in known or chain in known:
            _need(known, result, errors.AsicHashChainResultNotFound)
            _need(known, chain, errors.AsicHashChainNotFound)


def _need(known: Mapping[str, bytes], name: str, error: type[PeerError]) -> None:
    if not known.get(name, b"").strip():
        raise error(f"The container has no file {name}, or it is empty.")


def _surplus(archive: Archive) -> set[str]:
    # Unpacked, for some programmes deflate even nothing, and behind "nothing" something could be hidden.
    folders = {name for name in names.FOLDERS if name in archive.entries and not archive.content(name, 0)}
    attachments = {name for name in archive.entries if names.is_attachment(name)}
    return set(archive.entries) - set(names.LIMITS) - folders - attachments


def _batch_stamp(known: Mapping[str, bytes]) -> BatchStamp | None:
    if names.TS_HASH_CHAIN_RESULT not in known or names.TIMESTAMP not in known:
        return None
    return BatchStamp(known[names.TIMESTAMP], known[names.TS_HASH_CHAIN_RESULT], known[names.TS_HASH_CHAIN])


def _attachments(archive: Archive) -> dict[str, Attachment]:
    found = sorted((name for name in archive.entries if names.is_attachment(name)), key=lambda name: (len(name), name))
    return {name: _attachment(archive, name) for name in found}


def _attachment(archive: Archive, name: str) -> Attachment:
    digest = hashlib.sha512()
    for chunk in archive.chunks(name):
        digest.update(chunk)
    return Attachment(archive.entries[name].size, digest.digest())


def _in_order(archive: Archive) -> bool:
    first = min(archive.entries.values(), key=lambda entry: entry.start)
    return first.name == names.MIMETYPE
