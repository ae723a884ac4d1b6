"""What an administrator declares in SERVICES.toml: clients, their services, and who may use them.

It refuses to know databases: `store` makes a database match a declaration.
The command line reads a file with it; later the admin API makes the same values.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.serverconf.access import ANY_METHOD, ANY_PATH
from securityserver.serverconf.bodylogging import BodyLogging
from serverkit.config import ConfigError, parse_toml, read_text, setting
from xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, ServiceId, check_part, decode_segment

# A service that has not answered in a quarter of an hour will not; the caller's own connection is long gone.
MAX_TIMEOUT_SECONDS = 900
_MAX_TEXT = 2000
_BEGIN = "-----BEGIN"
_GROUP_PARTS = 2

Subject = ClientId | GlobalGroupId | LocalGroupId


class Connection(StrEnum):
    """How a client's backend must connect to its own security server."""

    HTTP = "http"
    HTTPS = "https"  # with one of the client's certificates
    HTTPS_NO_AUTH = "https-no-auth"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A part of a service: a method (`*`: any) and a path pattern (`**`: any)."""

    method: str = ANY_METHOD
    path: str = ANY_PATH


@dataclass(frozen=True, slots=True)
class AccessRight:
    """Somebody may use a part of a service."""

    subject: Subject
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class ServiceDeclaration:
    """A service of a client.

    Args:
        id: its name on the bus.
        url: where it is, in the institution's own network.
        timeout: seconds that an answer may take.
        tls_certificate: the one certificate (DER) that an https service must show; `None` when that is one for its
            host's name by an authority that the machine trusts.
        disabled: what callers are told while it is switched off, or `None`.
        access: who may use it; nobody else may.
    """

    id: ServiceId
    url: str
    timeout: float = 60.0
    tls_certificate: bytes | None = None
    disabled: str | None = None
    access: frozenset[AccessRight] = frozenset()


@dataclass(frozen=True, slots=True)
class LocalGroup:
    """Clients that a member names together in its own access rights."""

    id: LocalGroupId
    members: frozenset[ClientId]


@dataclass(frozen=True, slots=True)
class ClientDeclaration:
    """A member or subsystem of this server; services and groups are sorted by name."""

    id: ClientId
    connection: Connection = Connection.HTTP
    tls_certificates: frozenset[bytes] = frozenset()
    services: tuple[ServiceDeclaration, ...] = ()
    local_groups: tuple[LocalGroup, ...] = ()
    log: BodyLogging = field(default_factory=BodyLogging)


@dataclass(frozen=True, slots=True)
class Declaration:
    """All of it; equal when it means the same."""

    clients: tuple[ClientDeclaration, ...]

    @classmethod
    def of(cls, clients: Iterable[ClientDeclaration]) -> Self:
        """Sort by identifier."""
        return cls(tuple(sorted(clients, key=lambda client: str(client.id))))


@dataclass(frozen=True, slots=True)
class _GlobalGroup:
    value: GlobalGroupId

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `INSTANCE/GROUP`, percent-encoded as other identifiers."""
        parts = text.split("/")
        if len(parts) != _GROUP_PARTS:
            raise ValueError("must be INSTANCE/GROUP")
        return cls(GlobalGroupId(*map(decode_segment, parts)))


@dataclass(frozen=True, slots=True)
class _Code:
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one part of an identifier, as it is."""
        check_part(text, "code")
        return cls(text)


@dataclass(frozen=True, slots=True)
class _AccessTable:
    subject: ClientId | None = None
    global_group: _GlobalGroup | None = None
    local_group: _Code | None = None
    method: Literal["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] = "*"
    path: str = setting(default=ANY_PATH, maximum=_MAX_TEXT, pattern=r"\*\*|/.*", rule="must begin with / or be **")

    def __post_init__(self) -> None:
        if len([one for one in (self.subject, self.global_group, self.local_group) if one is not None]) != 1:
            raise ValueError("must have exactly one of subject, global_group and local_group")


@dataclass(frozen=True, slots=True)
class _ServiceTable:
    code: _Code
    url: str
    version: _Code | None = None
    timeout: float = setting(default=60.0, minimum=1, maximum=MAX_TIMEOUT_SECONDS)
    tls_verify: bool | None = None
    tls_certificate: str | None = None
    disabled: str | None = setting(default=None, maximum=_MAX_TEXT)
    access: tuple[_AccessTable, ...] = ()

    def __post_init__(self) -> None:
        # The administrator may write an IPv6 address or a port that is none: `urlsplit` and `port` raise ValueError.
        url = urlsplit(self.url)
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise ValueError("url must be http://host[:port][/path] or https://…")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("url must have no user name, password, query or fragment")
        if self.tls_verify is not None:
            # Whoever stands between the two would read every answer, and write it.
            raise ValueError(
                "tls_verify is no setting: an https service is always verified. Leave it out; where the machine does "
                'not trust the service\'s authority, pin its certificate: tls_certificate = "service.pem", which '
                f"`openssl s_client -connect {url.hostname}:{url.port or 443} -showcerts </dev/null` prints"
            )


@dataclass(frozen=True, slots=True)
class _GroupTable:
    code: _Code
    members: tuple[ClientId, ...] = ()


@dataclass(frozen=True, slots=True)
class _ClientTable:
    id: ClientId
    connection: Connection = Connection.HTTP
    tls_certificates: tuple[str, ...] = ()
    services: tuple[_ServiceTable, ...] = setting(default=(), key="service")
    local_groups: tuple[_GroupTable, ...] = setting(default=(), key="local_group")
    log: BodyLogging = field(default_factory=BodyLogging)

    def __post_init__(self) -> None:
        if self.connection is Connection.HTTPS and not self.tls_certificates:
            raise ValueError("connection https needs the backend's certificate in tls_certificates")
        _refuse_twice("service", ((service.code, service.version) for service in self.services))
        _refuse_twice("local_group", (group.code for group in self.local_groups))
        known = {group.code for group in self.local_groups}
        for right in (right for service in self.services for right in service.access):
            if right.local_group is not None and right.local_group not in known:
                raise ValueError(f"local_group {right.local_group.value} is used in access and not declared")


@dataclass(frozen=True, slots=True)
class _File:
    clients: tuple[_ClientTable, ...] = setting(default=(), key="client")

    def __post_init__(self) -> None:
        _refuse_twice("client", (client.id for client in self.clients))


def load_services(path: Path) -> Declaration:
    """Read SERVICES.toml.

    Raises:
        ConfigError: the file or a setting in it breaks a rule.
    """
    return parse_services(read_text(path), source=path.name, base=path.resolve().parent)


def parse_services(text: str, *, source: str, base: Path) -> Declaration:
    """Read the text of a SERVICES.toml.

    Args:
        text: the document.
        source: what errors call it.
        base: directory that relative paths of certificates are resolved against.

    Raises:
        ConfigError: a setting breaks a rule.
    """
    file = parse_toml(text, _File, source=source, base=base)
    return Declaration.of(_client(table, source, base) for table in file.clients)


def _client(table: _ClientTable, source: str, base: Path) -> ClientDeclaration:
    key = f"client {table.id}"
    certificates = (_certificate(text, f"{key}.tls_certificates", source, base) for text in table.tls_certificates)
    services = [_service(service, table.id, key, source, base) for service in table.services]
    groups = [LocalGroup(LocalGroupId(group.code.value), frozenset(group.members)) for group in table.local_groups]
    return ClientDeclaration(
        id=table.id,
        connection=table.connection,
        tls_certificates=frozenset(certificates),
        services=tuple(sorted(services, key=lambda service: str(service.id))),
        local_groups=tuple(sorted(groups, key=lambda group: str(group.id))),
        log=table.log,
    )


def _service(table: _ServiceTable, client: ClientId, key: str, source: str, base: Path) -> ServiceDeclaration:
    certificate = table.tls_certificate
    place = f"{key}.service {table.code.value}.tls_certificate"
    return ServiceDeclaration(
        id=ServiceId(client, table.code.value, None if table.version is None else table.version.value),
        url=table.url,
        timeout=table.timeout,
        tls_certificate=None if certificate is None else _certificate(certificate, place, source, base),
        disabled=table.disabled,
        access=frozenset(map(_right, table.access)),
    )


def _right(table: _AccessTable) -> AccessRight:
    endpoint = Endpoint(table.method, table.path)
    if table.global_group is not None:
        return AccessRight(table.global_group.value, endpoint)
    if table.local_group is not None:
        return AccessRight(LocalGroupId(table.local_group.value), endpoint)
    if table.subject is None:
        raise TypeError("the table has checked that there is one")
    return AccessRight(table.subject, endpoint)


def _certificate(text: str, key: str, source: str, base: Path) -> bytes:
    """Read a PEM file, or PEM text that stands in the document itself, as an export has it."""
    try:
        pem = text.encode() if text.lstrip().startswith(_BEGIN) else (base / text).read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except OSError as error:
        raise ConfigError(source, key, text, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(source, key, text, "is not a certificate in PEM form") from error


def _refuse_twice(what: str, names: Iterable[object]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what} {_readable(twice[0])} is declared twice")


def _readable(name: object) -> str:
    if isinstance(name, _Code):
        return name.value
    if isinstance(name, tuple):
        return "/".join(_readable(part) for part in name if part is not None)
    return str(name)
