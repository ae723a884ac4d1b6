"""The server's configuration as the pipelines ask it: an immutable value in which every look-up is one step.

It refuses to know where it comes from, and who is in a global group: that question goes to the trust snapshot.
`store` replaces it whole when an administrator has changed something.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from securityserver.serverconf.access import ANY_METHOD, ANY_PATH, PathPattern, readings
from securityserver.serverconf.bodylogging import BodyLogging
from securityserver.serverconf.declaration import (
    ClientDeclaration,
    Connection,
    Declaration,
    Endpoint,
    ServiceDeclaration,
)
from xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, ServiceId

Key = TypeVar("Key")
InGlobalGroup = Callable[[ClientId, GlobalGroupId], bool]


@dataclass(frozen=True, slots=True)
class Client:
    """A member or subsystem of this server.

    Args:
        id: who.
        connection: how its backend must connect.
        tls_certificates: one of these (DER) must be shown, when the connection is `https`.
        log: how bodies of its messages are logged.
    """

    id: ClientId
    connection: Connection
    tls_certificates: frozenset[bytes]
    log: BodyLogging = field(default_factory=BodyLogging)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a client.

    Args:
        id: its name on the bus.
        url: where it is.
        timeout: seconds that an answer may take.
        tls_certificate: the one certificate (DER) that an https service must show; `None` when that is one for its
            host's name by an authority that the machine trusts.
        disabled: what callers are told while it is switched off, or `None`.
        endpoints: parts of it that access rights name, without the whole.
    """

    id: ServiceId
    url: str
    timeout: float
    tls_certificate: bytes | None
    disabled: str | None
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class _Rights:
    """Who may use which parts of one service; members of local groups are among the clients."""

    clients: Mapping[ClientId, frozenset[Endpoint]]
    global_groups: Mapping[GlobalGroupId, frozenset[Endpoint]]

    def of(self, client: ClientId, in_global_group: InGlobalGroup) -> Iterable[Endpoint]:
        yield from self.clients.get(client, ())
        for group, endpoints in self.global_groups.items():
            if in_global_group(client, group):
                yield from endpoints


class ServerConf:
    """One state of the configuration.

    Args:
        declaration: what it says.
        version: number of the state; a greater one is later.
    """

    __slots__ = ("_clients", "_rights", "_services", "_services_of", "clients", "version")

    def __init__(self, declaration: Declaration, version: int) -> None:
        self.version = version
        self.clients = tuple(_client(client) for client in declaration.clients)
        self._clients = {client.id: client for client in self.clients}
        self._services_of = {client.id: tuple(map(_service, client.services)) for client in declaration.clients}
        self._services = {service.id: service for group in self._services_of.values() for service in group}
        self._rights = {
            service.id: _rights(service, client) for client in declaration.clients for service in client.services
        }

    def client(self, client: ClientId) -> Client | None:
        """Give a client of this server."""
        return self._clients.get(client)

    def service(self, service: ServiceId) -> Service | None:
        """Give a service of a client of this server."""
        return self._services.get(service)

    def services_of(self, client: ClientId) -> tuple[Service, ...]:
        """Give all services of a client of this server."""
        return self._services_of.get(client, ())

    def is_allowed(
        self,
        client: ClientId,
        service: ServiceId,
        method: str | None,
        path: str | None,
        in_global_group: InGlobalGroup,
    ) -> bool:
        """Tell whether a client may make this request; whatever is not allowed explicitly is refused.

        Args:
            client: who asks, out of the signed message.
            service: what is asked for; a right is for one version of a service.
            method: HTTP method, or `None` for a message that has none (SOAP): only rights to the whole service count.
            path: percent-encoded path within the service, without query; `None` as above.
            in_global_group: asks the trust snapshot.
        """
        rights = self._rights.get(service)
        if rights is None:
            return False
        paths = None if path is None else readings(path)
        return any(_covers(endpoint, method, paths) for endpoint in rights.of(client, in_global_group))

    def allowed_services(
        self, client: ClientId, provider: ClientId, in_global_group: InGlobalGroup
    ) -> tuple[Service, ...]:
        """Give the services of a provider of which a client may use at least a part (PR-MREST)."""
        return tuple(
            service
            for service in self.services_of(provider)
            if any(True for _ in self._rights[service.id].of(client, in_global_group))
        )


def _covers(endpoint: Endpoint, method: str | None, paths: tuple[str, ...] | None) -> bool:
    if method is None or paths is None:
        return endpoint == Endpoint()
    if endpoint.method not in (ANY_METHOD, method.upper()):
        return False
    pattern = PathPattern.compile(endpoint.path)
    return bool(paths) and (endpoint.path == ANY_PATH or all(pattern.matches(path) for path in paths))


def _client(declared: ClientDeclaration) -> Client:
    return Client(declared.id, declared.connection, declared.tls_certificates, declared.log)


def _service(declared: ServiceDeclaration) -> Service:
    parts = {right.endpoint for right in declared.access} - {Endpoint()}
    return Service(
        id=declared.id,
        url=declared.url,
        timeout=declared.timeout,
        tls_certificate=declared.tls_certificate,
        disabled=declared.disabled,
        endpoints=tuple(sorted(parts)),
    )


def _rights(service: ServiceDeclaration, owner: ClientDeclaration) -> _Rights:
    members = {group.id: group.members for group in owner.local_groups}
    clients: dict[ClientId, set[Endpoint]] = {}
    groups: dict[GlobalGroupId, set[Endpoint]] = {}
    for right in service.access:
        if isinstance(right.subject, GlobalGroupId):
            groups.setdefault(right.subject, set()).add(right.endpoint)
            continue
        holders = members[right.subject] if isinstance(right.subject, LocalGroupId) else (right.subject,)
        for holder in holders:
            clients.setdefault(holder, set()).add(right.endpoint)
    return _Rights(_frozen(clients), _frozen(groups))


def _frozen(table: Mapping[Key, set[Endpoint]]) -> Mapping[Key, frozenset[Endpoint]]:
    return MappingProxyType({key: frozenset(endpoints) for key, endpoints in table.items()})
