"""Opens a node's settings and token for the commands that work on them while the node may be running.

It refuses to start a node. ``node request`` and ``node import`` get their token here.
"""

from pathlib import Path
from typing import Final

from pki.errors import PkiError
from pki.token import SoftwareToken
from securityserver.archiving.errors import ArchivingFailed
from securityserver.config import NodeConfig, load_config
from securityserver.messagelog import LogKeyUnusable, SpoolUnusable
from serverkit.config import ConfigError
from serverkit.database import DatabaseUnusable
from xroad.errors import XRoadError

NODE_ERRORS: Final = (
    ArchivingFailed,
    ConfigError,
    DatabaseUnusable,
    LogKeyUnusable,
    PkiError,
    SpoolUnusable,
    XRoadError,
)
"""What a node's parts raise when an administrator can do something about it; their text says what."""


def opened(config_file: Path) -> tuple[NodeConfig, SoftwareToken]:
    """Read NODE.toml and open the token with its PIN."""
    config = load_config(config_file)
    return config, SoftwareToken.open(config.token.directory, config.token.pin())


def new_token(config_file: Path) -> SoftwareToken:
    """Make the token that NODE.toml names, under its PIN, and give it open."""
    source = load_config(config_file).token
    return SoftwareToken.create(source.directory, source.pin())
