"""The configuration anchor: the one file that a new server is given by hand, and from which all trust follows.

It refuses to fetch anything and to believe an anchor's origin: a person compares the hash that is shown.
A node reads it at start, the central server writes it (PR-GCONF 2.2 and annex E).
"""

import hashlib

from xroad.errors import MalformedGlobalConf
from xroad.globalconf.errors import MalformedAnchor
from xroad.globalconf.parameters.model import Anchor, AnchorSource
from xroad.globalconf.parameters.private_reader import anchor_of
from xroad.globalconf.parameters.private_writer import fill_anchor
from xroad.globalconf.parameters.reading import parse_conf
from xroad.globalconf.parameters.writing import new_root, serialize

__all__ = ["Anchor", "AnchorSource", "anchor_hash", "build_anchor", "parse_anchor"]


def parse_anchor(data: bytes) -> Anchor:
    """Read an anchor file.

    Raises:
        MalformedAnchor: the file is not an anchor, or names no source or certificate.
    """
    try:
        return anchor_of(parse_conf(data, "configurationAnchor"))
    except MalformedGlobalConf as error:
        raise MalformedAnchor(
            f"The configuration anchor cannot be used: {error.detail} Get the file again from the governing authority."
        ) from error


def build_anchor(anchor: Anchor) -> bytes:
    """Write an anchor file; raise ValueError for one without a source or certificate."""
    root = new_root("configurationAnchor")
    fill_anchor(root, anchor)
    return serialize(root)


def anchor_hash(data: bytes) -> str:
    """Give the hash of an anchor file as X-Road's screens show it: SHA-224 in upper-case hex pairs with colons.

    A person compares it with what the governing authority says; SHA-224 is X-Road's choice, kept to be comparable.
    """
    return hashlib.sha224(data).digest().hex(":").upper()
