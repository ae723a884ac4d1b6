"""Anchor files for tests that make a node and never let it fetch."""

from tests.support.globalconf import SigningSource
from xroad.globalconf.anchor import build_anchor


def an_anchor(instance: str = "KH-PILOT") -> bytes:
    return build_anchor(SigningSource.create(instance=instance).anchor)
