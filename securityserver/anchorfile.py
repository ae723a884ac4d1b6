"""The anchor file that a node is given by hand: read, and held to be for this node's instance.

It refuses to fetch and to believe what the anchor leads to. ``node init`` looks at it before anything is made, a node
before it starts: with a broken one it would run until its stored configuration expires, and stop long after the cause.
"""

from pathlib import Path

from serverkit.config import ConfigError
from xroad.globalconf.anchor import Anchor, parse_anchor
from xroad.globalconf.errors import MalformedAnchor


def read_anchor(path: Path, instance: str) -> Anchor:
    """Read an anchor file.

    Raises:
        ConfigError: it cannot be read, is no anchor, or is another instance's.
    """
    try:
        anchor = parse_anchor(path.read_bytes())
    except OSError as error:
        raise ConfigError(str(path), "", None, f"cannot be read ({error.strerror}); put the anchor there") from error
    except MalformedAnchor as error:
        raise ConfigError(str(path), "", None, error.detail) from error
    if anchor.instance != instance:
        raise ConfigError(
            str(path),
            "",
            None,
            f"is the anchor of instance {anchor.instance}, and this server belongs to {instance}; use that one's",
        )
    return anchor
