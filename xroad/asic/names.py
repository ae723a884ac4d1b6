"""The names of a container's files, as X-Road has them, and how large each may be.

It refuses to know ZIP and XML: both the builder and the reader take their names from here.
Sources: ETSI TS 102 918 (ASiC), UG-SIGDOC, the reference's entry names.
"""

import re
from typing import Final

MIMETYPE: Final = "mimetype"
MESSAGE: Final = "message.xml"
SIGNATURE: Final = "META-INF/signatures.xml"
SIG_HASH_CHAIN_RESULT: Final = "sig-hashchainresult.xml"
SIG_HASH_CHAIN: Final = "sig-hashchain.xml"
TS_HASH_CHAIN_RESULT: Final = "ts-hashchainresult.xml"
TS_HASH_CHAIN: Final = "ts-hashchain.xml"
MANIFEST: Final = "META-INF/manifest.xml"
ASIC_MANIFEST: Final = "META-INF/ASiCManifest.xml"
TIMESTAMP: Final = "META-INF/timestamp.tst"
ATTACHMENT: Final = "attachment"

MEDIA_TYPE: Final = "application/vnd.etsi.asic-e+zip"
COMMENT: Final = f"mimetype={MEDIA_TYPE}".encode()  # X-Road writes it (ASiC A.1); no other comment is read
SUFFIX: Final = ".asice"

# A ZIP programme that packs a folder again adds it as an entry of its own; it holds nothing.
FOLDERS: Final = frozenset({"META-INF/"})

_MIB: Final = 1024 * 1024
# Larger than X-Road's own limit on SOAP messages; a REST head has 64 KiB at most.
MAX_MESSAGE_BYTES: Final = 16 * _MIB
LIMITS: Final = {
    MIMETYPE: 100,
    MESSAGE: MAX_MESSAGE_BYTES,
    SIGNATURE: _MIB,
    SIG_HASH_CHAIN_RESULT: _MIB,
    SIG_HASH_CHAIN: _MIB,
    TS_HASH_CHAIN_RESULT: _MIB,
    TS_HASH_CHAIN: _MIB,
    MANIFEST: _MIB,
    ASIC_MANIFEST: _MIB,
    TIMESTAMP: _MIB,
}

_ATTACHMENT = re.compile(r"attachment[1-9][0-9]{0,5}")
_SIGNATURES = re.compile(r"META-INF/.*signatures.*\.xml", re.IGNORECASE)


def is_attachment(name: str) -> bool:
    """Tell whether a file is an attachment; a REST body is the first."""
    return _ATTACHMENT.fullmatch(name) is not None


def is_signature(name: str) -> bool:
    """Tell whether a file may be a signature to some reader: ASiC-E allows several, X-Road writes one."""
    return _SIGNATURES.fullmatch(name) is not None
