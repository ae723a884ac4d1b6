"""Shared and private parameters: the two files of the global configuration that carry trust.

Versions 2 to 6 are read and 3 to 6 written, from and to the same frozen records; no certificate is judged here.
The trust snapshot is built from them, the central server builds them.
"""

from xroad.globalconf.parameters.private_reader import parse_private
from xroad.globalconf.parameters.private_writer import build_private
from xroad.globalconf.parameters.shared_reader import parse_shared
from xroad.globalconf.parameters.shared_writer import build_shared
from xroad.globalconf.parameters.versions import (
    CURRENT_VERSION,
    DEFAULT_VERSION,
    READABLE_VERSIONS,
    WRITABLE_VERSIONS,
    project,
)

__all__ = [
    "CURRENT_VERSION",
    "DEFAULT_VERSION",
    "READABLE_VERSIONS",
    "WRITABLE_VERSIONS",
    "build_private",
    "build_shared",
    "parse_private",
    "parse_shared",
    "project",
]
