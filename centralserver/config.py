"""CENTRAL.toml as frozen records: an instance's members, servers, approved services, groups and federation.

It refuses names that do not exist and certificates that cannot be read, and says which key breaks which rule.
The central server loads it at start and whenever the file changes; `centralserver.content` turns it into parameters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from serverkit.config import ConfigError, load_toml, setting
from serverkit.http import Listen
from xroad.globalconf.parameters import WRITABLE_VERSIONS
from xroad.globalconf.parameters.model import CostType, CsrFormat
from xroad.globalconf.profiles import FI_PROFILE
from xroad.identifiers import ClientId, SecurityServerId

KeyChoice = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"]

# X-Road's central server gives a directory ten minutes and makes a new one each minute.
DEFAULT_VALIDITY_SECONDS = 600
DEFAULT_REFRESH_SECONDS = 60


def _code() -> Any:  # noqa: ANN401  as serverkit.config.setting
    return setting(pattern=r"[^\x00-\x1f\x7f/\\%:;']+", rule="must be text without control characters or / \\ % : ; '")


def _url() -> Any:  # noqa: ANN401  as serverkit.config.setting
    return setting(pattern=r"https?://[^\s]+", rule="must be an http or https address")


def _host() -> Any:  # noqa: ANN401  as above
    """A host to connect to. What is published here reaches every server: a mistyped one would make each look for it."""
    label = r"(?!-)[0-9A-Za-z_-]{1,63}(?<!-)"
    return setting(
        default=None,
        pattern=rf"(?=.{{1,253}}\Z)({label})(\.{label})*\.?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+",
        rule="must be a host name or an IP address, without http:// and without a port",
    )


@dataclass(frozen=True, slots=True)
class MemberClassEntry:
    """``[[member_class]]``: a class of members."""

    code: str = _code()
    description: str = ""


@dataclass(frozen=True, slots=True)
class SubsystemEntry:
    """``[[member.subsystem]]``: a subsystem of a member."""

    code: str = _code()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """``[[member]]``: ``id = "INSTANCE/CLASS/CODE"``."""

    id: ClientId
    name: str = setting(minimum=1)
    subsystems: tuple[SubsystemEntry, ...] = setting(default=(), key="subsystem")

    @property
    def clients(self) -> tuple[ClientId, ...]:
        """The member and its subsystems, as those who may be registered at a server."""
        parts = (self.id.instance, self.id.member_class, self.id.member_code)
        return (self.id, *(ClientId(*parts, each.code) for each in self.subsystems))


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """``[[server]]``: ``id = "INSTANCE/CLASS/OWNER/SERVER"``; ``maintenance`` is the message shown while it is out."""

    id: SecurityServerId
    address: str | None = _host()
    auth_certificates: tuple[Path, ...] = ()
    clients: tuple[ClientId, ...] = ()
    maintenance: str | None = None


@dataclass(frozen=True, slots=True)
class OcspEntry:
    """``[[ca.ocsp]]``: a responder of a certification authority."""

    url: str = _url()
    certificate: Path | None = None
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class IntermediateEntry:
    """``[[ca.intermediate]]``: an authority below the top one."""

    certificate: Path
    ocsp: tuple[OcspEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class AcmeEntry:
    """``[ca.acme]``: how to get certificates automatically."""

    directory_url: str = _url()
    ip_address: str | None = None
    authentication_profile_id: str | None = None
    signing_profile_id: str | None = None


@dataclass(frozen=True, slots=True)
class CaEntry:
    """``[[ca]]``: an approved certification service."""

    name: str
    certificate: Path
    profile: str = FI_PROFILE
    authentication_only: bool = False
    ocsp: tuple[OcspEntry, ...] = ()
    intermediates: tuple[IntermediateEntry, ...] = setting(default=(), key="intermediate")
    csr_format: CsrFormat | None = None
    acme: AcmeEntry | None = None


@dataclass(frozen=True, slots=True)
class TsaEntry:
    """``[[tsa]]``: an approved time-stamping authority."""

    name: str
    certificate: Path
    url: str = _url()
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """``[[group]]``: a global group."""

    code: str = _code()
    description: str = ""
    members: tuple[ClientId, ...] = ()


@dataclass(frozen=True, slots=True)
class FederationEntry:
    """``[[federation]]``: another instance that is trusted, by its external anchor."""

    anchor: Path


@dataclass(frozen=True, slots=True)
class ManagementEntry:
    """``[management]``: where servers send registrations; a later part answers them, the schema asks for it now."""

    provider: ClientId
    address: str | None = None
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class TlsEntry:
    """``[tls]``: the certificate and key files with which downloads are served over HTTPS."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class CentralConfig:
    """A whole CENTRAL.toml.

    Attributes:
        instance: the instance identifier.
        pin_file, pin_env: where the PIN of the signing keys is read; exactly one of them.
        data_dir: signing keys, and the anchors unless they are named; beside the file by default.
        anchor, external_anchor: where the configuration anchors are written.
        listen, listen_https: addresses of the downloads; HTTPS needs ``[tls]``.
        metrics: addresses of the metrics, none by default.
        public_urls: how security servers reach the downloads; from ``listen`` by default.
        address: the central server's host name in the shared parameters; from the first public URL by default.
        key_type: of a signing key that is made; RSA by default, which servers before X-Road 7.6 verify too.
        versions: of the configuration that are published.
        validity_seconds, refresh_seconds: how long a directory is valid, and how often a new one is signed.
    """

    instance: str = _code()
    pin_file: Path | None = None
    pin_env: str | None = None
    data_dir: Path | None = None
    anchor: Path | None = None
    external_anchor: Path | None = None
    listen: tuple[Listen, ...] = (Listen("127.0.0.1", 8080),)
    listen_https: tuple[Listen, ...] = ()
    metrics: tuple[Listen, ...] = ()
    public_urls: tuple[str, ...] = ()
    address: str | None = _host()
    key_type: KeyChoice = "rsa-3072"
    versions: tuple[int, ...] = (3, 4, 5, 6)
    validity_seconds: int = setting(default=DEFAULT_VALIDITY_SECONDS, minimum=2, maximum=86_400)
    refresh_seconds: int = setting(default=DEFAULT_REFRESH_SECONDS, minimum=1)
    ocsp_freshness_seconds: int = setting(default=3600, minimum=1)
    time_stamping_interval_seconds: int = setting(default=60, minimum=1)
    tls: TlsEntry | None = None
    management: ManagementEntry | None = None
    member_classes: tuple[MemberClassEntry, ...] = setting(default=(), key="member_class")
    members: tuple[MemberEntry, ...] = setting(default=(), key="member")
    servers: tuple[ServerEntry, ...] = setting(default=(), key="server")
    cas: tuple[CaEntry, ...] = setting(default=(), key="ca")
    tsas: tuple[TsaEntry, ...] = setting(default=(), key="tsa")
    groups: tuple[GroupEntry, ...] = setting(default=(), key="group")
    federation: tuple[FederationEntry, ...] = field(default=())

    def __post_init__(self) -> None:
        """Hold the rules across keys that need no file."""
        if (self.pin_file is None) == (self.pin_env is None):
            raise ValueError("exactly one of pin_file and pin_env must say where the PIN of the signing keys is")
        if self.listen_https and self.tls is None:
            raise ValueError("listen_https needs a [tls] table with certificate and key")
        if self.refresh_seconds * 2 > self.validity_seconds:
            raise ValueError("refresh_seconds must be at most half of validity_seconds, or one delay ends the validity")
        if not self.versions or not set(self.versions) <= WRITABLE_VERSIONS:
            raise ValueError(f"versions must be some of {', '.join(map(str, sorted(WRITABLE_VERSIONS)))}")
        if not (self.listen or self.listen_https):
            raise ValueError("listen or listen_https must name an address")


def load_config(path: Path) -> CentralConfig:
    """Read and check a CENTRAL.toml; files that it names are read later.

    Raises:
        ConfigError: a key breaks a rule, or names a member, class or client that the file does not describe.
    """
    config = load_toml(path, CentralConfig)
    problem = next(_broken_references(config), None)
    if problem is not None:
        raise ConfigError(path.name, *problem)
    return config


def _broken_references(config: CentralConfig) -> Iterator[tuple[str, str, str]]:
    """Give key, value and rule of each name that leads nowhere."""
    clients = {client for member in config.members for client in member.clients}
    yield from _repeated("member", [str(client) for member in config.members for client in member.clients])
    yield from _repeated("server", [str(server.id) for server in config.servers])
    yield from _repeated("group", [group.code for group in config.groups])
    yield from _broken_members(config)
    for number, server in enumerate(config.servers, 1):
        if server.id.owner not in clients:
            yield f"server[{number}].id", str(server.id), "must be owned by a member of this file"
        for place, client in enumerate(server.clients, 1):
            if client not in clients:
                yield f"server[{number}].clients[{place}]", str(client), "must be a member or subsystem of this file"
    for number, group in enumerate(config.groups, 1):
        for place, client in enumerate(group.members, 1):
            if client.instance == config.instance and client not in clients:
                yield f"group[{number}].members[{place}]", str(client), "must be a member or subsystem of this file"


def _broken_members(config: CentralConfig) -> Iterator[tuple[str, str, str]]:
    classes = {each.code for each in config.member_classes}
    for number, member in enumerate(config.members, 1):
        key = f"member[{number}].id"
        if member.id.subsystem_code is not None:
            yield key, str(member.id), "must be INSTANCE/CLASS/CODE; subsystems stand below it"
        if member.id.instance != config.instance:
            yield key, str(member.id), f"must be of the instance {config.instance}"
        if member.id.member_class not in classes:
            yield key, str(member.id), "must be of a class that a [[member_class]] describes"


def _repeated(key: str, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield key, name, "must be there once"
        seen.add(name)
