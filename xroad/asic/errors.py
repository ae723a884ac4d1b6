"""What can be wrong with a container before anything in it is believed; codes as X-Road's verifier names them.

It refuses to know signatures, time-stamps and trust: their errors are in `xroad.errors`.
`AsicInvalidContainer` has a suffix that names the trick or the damage, for an auditor must be able to look it up.
"""

# ruff: noqa: N818 - a leaf is named as its X-Road code

from enum import StrEnum

from xroad.errors import PeerError


class AsicInvalidContainer(PeerError):
    """The file is not a container, or not one that every reader reads alike."""


class AsicMimeTypeNotFound(PeerError):
    """The container has no file `mimetype`."""


class AsicInvalidMimeType(PeerError):
    """The container says that it is something else."""


class AsicMessageNotFound(PeerError):
    """The container has no message."""


class AsicSignatureNotFound(PeerError):
    """The container has no signature."""


class AsicHashChainResultNotFound(PeerError):
    """The container has a hash chain without its result."""


class AsicHashChainNotFound(PeerError):
    """The container has the result of a hash chain without the chain."""


class AsicTimestampNotFound(PeerError):
    """The container has no time-stamp, so that nobody but the signer says when it was signed."""


class AsicManifestNotFound(PeerError):
    """The container has an empty manifest."""


class AsicUnknownInstance(PeerError):
    """The trust configuration does not describe the signer's instance, so that nothing can be said (not X-Road's)."""


class Defect(StrEnum):
    """What is wrong with a container's ZIP or its set of files: the suffix of `AsicInvalidContainer`."""

    NOT_ZIP = "NotZip"
    SURPLUS_DATA = "SurplusData"
    COMMENT = "Comment"
    ZIP64 = "Zip64"
    DIRECTORY = "CentralDirectory"
    LOCAL_HEADER = "LocalHeader"
    ENCRYPTED = "Encrypted"
    METHOD = "CompressionMethod"
    EXTRA_FIELD = "ExtraField"
    SPECIAL_FILE = "SpecialFile"
    ENTRY_NAME = "EntryName"
    DUPLICATE_ENTRY = "DuplicateEntry"
    OVERLAP = "OverlappingEntries"
    TOO_LARGE = "TooLarge"
    BOMB = "CompressionBomb"
    CONTENT = "EntryContent"
    SURPLUS_ENTRY = "SurplusEntry"
    SEVERAL_SIGNATURES = "SeveralSignatures"
    MANIFEST = "Manifest"


def invalid(defect: Defect, detail: str) -> AsicInvalidContainer:
    """Return the refusal of a container for one defect."""
    return AsicInvalidContainer(detail, code_suffix=defect.value)
