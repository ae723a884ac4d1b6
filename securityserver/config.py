"""NODE.toml: what a node must know before it can open its database, as frozen values.

It says how the file looks and refuses what it does not know; it opens no key, database or socket. The commands and
``app`` load it once and hand its parts on.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pki.pin import Pin
from securityserver.archiving.settings import ArchiveSettings
from securityserver.limits import Limits
from securityserver.timestamping.settings import Timestamping
from serverkit.config import load_toml, setting
from serverkit.http import Listen
from xroad.identifiers import SecurityServerId

# PR-MESSTRANSP 2.1 and 2.2: the ports of every server of an instance, unless its authority decides otherwise.
MESSAGE_PORT: Final = 5500
OCSP_PORT: Final = 5577
# PR-GCONF: a client asks again each minute; more than an hour, and a revoked member is known too late.
REFRESH_SECONDS: Final = 60.0
REFRESH_SECONDS_MOST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Server:
    """Who the node is, where its trust starts, and where it keeps what it writes."""

    id: SecurityServerId
    anchor: Path
    data: Path
    database: str | None = None


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where the software token is, and where its PIN comes from: a file or an environment variable."""

    directory: Path
    pin_file: Path | None = None
    pin_env: str | None = None

    def __post_init__(self) -> None:
        if (self.pin_file is None) == (self.pin_env is None):
            raise ValueError("give exactly one of pin_file and pin_env")

    def pin(self) -> Pin:
        """Read the PIN.

        Raises:
            PinRefused: there is none, or it is not usable.
        """
        if self.pin_env is not None:
            return Pin.from_environment(self.pin_env)
        if self.pin_file is None:
            raise AssertionError("__post_init__ lets exactly one through")
        return Pin.from_file(self.pin_file)


@dataclass(frozen=True, slots=True)
class Listeners:
    """The addresses of each of a node's servers; port 0 means any free one."""

    client_http: tuple[Listen, ...] = ()
    client_https: tuple[Listen, ...] = ()
    message: tuple[Listen, ...] = ()
    ocsp: tuple[Listen, ...] = ()
    metrics: tuple[Listen, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerPorts:
    """Ports on which every server of the instance is reached: the global configuration has host names only."""

    message: int = setting(default=MESSAGE_PORT, minimum=1, maximum=65535)
    ocsp: int = setting(default=OCSP_PORT, minimum=1, maximum=65535)


@dataclass(frozen=True, slots=True)
class GlobalConfiguration:
    """How the node follows the global configuration."""

    refresh_seconds: float = setting(default=REFRESH_SECONDS, minimum=0.05, maximum=REFRESH_SECONDS_MOST)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Who can read encrypted bodies: the log's own key, under a PIN of its own if one is named, and auditors' keys."""

    auditors: tuple[Path, ...] = ()
    pin_file: Path | None = None
    pin_env: str | None = None

    def __post_init__(self) -> None:
        if self.pin_file is not None and self.pin_env is not None:
            raise ValueError("give at most one of pin_file and pin_env")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All of NODE.toml; paths are absolute."""

    server: Server
    token: TokenSource
    listen: Listeners
    ports: PeerPorts = field(default_factory=PeerPorts)
    globalconf: GlobalConfiguration = field(default_factory=GlobalConfiguration)
    timestamping: Timestamping = field(default_factory=Timestamping)
    log: LogSettings = field(default_factory=LogSettings)
    archive: ArchiveSettings | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.server.database or f"sqlite:///{self.server.data / 'node.db'}"

    @property
    def globalconf_directory(self) -> Path:
        """Where the downloaded global configuration is kept."""
        return self.server.data / "globalconf"

    @property
    def ocsp_directory(self) -> Path:
        """Where the OCSP responses of the node's own certificates are kept."""
        return self.server.data / "ocsp"

    @property
    def log_token(self) -> TokenSource:
        """The token of the log's own key; its PIN is that of the other token unless `[log]` names one."""
        own = self.log.pin_file is not None or self.log.pin_env is not None
        source = self.log if own else self.token
        return TokenSource(self.server.data / "log-token", source.pin_file, source.pin_env)

    @property
    def log_public_key(self) -> Path:
        """The public half of the log's own key, which is all that a running node needs."""
        return self.server.data / "log-key.pem"

    @property
    def spool_directory(self) -> Path:
        """Where large bodies wait while they are hashed and verified."""
        return self.server.data / "spool"

    @property
    def archive_work_directory(self) -> Path:
        """Where an archive is made before it goes to its store."""
        return self.server.data / "archive-work"

    @property
    def internal_tls_directory(self) -> Path:
        """Where the key and certificate are that the node shows to its own institution's systems."""
        return self.server.data / "internal-tls"


def load_config(file: Path) -> NodeConfig:
    """Read NODE.toml.

    Raises:
        ConfigError: the file cannot be read, or a key is missing, unknown or against its rule.
    """
    return load_toml(file, NodeConfig)
