"""One instance's shared parameters, turned into tables so that every question is one look-up.

It refuses to judge certificates beyond reading them, and knows nothing of other instances or of time.
The trust snapshot holds one index per instance and keeps it as long as the instance's file does not change.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from cryptography import x509

from xroad.globalconf.errors import MalformedGlobalConf
from xroad.globalconf.parameters.model import (
    ApprovedCaInfo,
    CaInfo,
    CostType,
    Member,
    SecurityServer,
    SharedParameters,
    TsaInfo,
)
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

_K = TypeVar("_K")
_V = TypeVar("_V")

# Authentication certificates are registered by SHA-1 hash in version 2 and by SHA-256 since (PR-GCONF, version 3).
_SHA1_VERSION = 2


@dataclass(frozen=True, slots=True)
class OcspResponder:
    """A responder approved for a CA; ``certificate`` is the one it may sign with besides the CA's own."""

    url: str
    certificate: x509.Certificate | None
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class ApprovedTsa:
    """An approved time-stamping authority."""

    name: str
    url: str
    certificate: x509.Certificate
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class Authorities:
    """The approved certification and time-stamping authorities of one instance, by certificate and by subject."""

    all: tuple[x509.Certificate, ...]
    tops: tuple[x509.Certificate, ...]
    signing: tuple[x509.Certificate, ...]
    by_subject: Mapping[x509.Name, tuple[x509.Certificate, ...]]
    approvals: Mapping[x509.Certificate, ApprovedCaInfo]
    responders: Mapping[x509.Certificate, tuple[OcspResponder, ...]]
    tsas: tuple[ApprovedTsa, ...]


@dataclass(frozen=True, slots=True)
class InstanceIndex:
    """Everything a snapshot is asked about one instance. ``digest`` names the file it was built from."""

    shared: SharedParameters
    version: int
    digest: str
    authorities: Authorities
    names: Mapping[ClientId, str]
    subsystem_names: Mapping[ClientId, str]
    subsystems: Mapping[ClientId, tuple[ClientId, ...]]
    servers: Mapping[SecurityServerId, SecurityServer]
    servers_of: Mapping[ClientId, tuple[SecurityServer, ...]]
    server_clients: Mapping[SecurityServerId, frozenset[ClientId]]
    server_by_hash: Mapping[bytes, SecurityServerId]
    groups: Mapping[GlobalGroupId, frozenset[ClientId]]

    def server_of_auth_certificate(self, der: bytes) -> SecurityServerId | None:
        """The server that registered this certificate (DER)."""
        found = self.server_by_hash.get(hashlib.sha256(der).digest())
        if found is None and self.version == _SHA1_VERSION:
            return self.server_by_hash.get(hashlib.sha1(der).digest())  # noqa: S324  version 2 has no other
        return found


def build_index(shared: SharedParameters, version: int, digest: str) -> InstanceIndex:
    """Build the tables of one instance.

    Raises:
        MalformedGlobalConf: a certificate of an approved service cannot be read.
    """
    server_clients = {each.server_id: frozenset((each.owner, *each.clients)) for each in shared.servers}
    return InstanceIndex(
        shared=shared,
        version=version,
        digest=digest,
        authorities=_authorities(shared),
        names=_frozen({client: member.name for member in shared.members for client in _clients_of(member)}),
        subsystem_names=_frozen(
            {each.id: each.name for member in shared.members for each in member.subsystems if each.name is not None}
        ),
        subsystems=_frozen({member.id: tuple(each.id for each in member.subsystems) for member in shared.members}),
        servers=_frozen({each.server_id: each for each in shared.servers}),
        servers_of=_grouped((client, each) for each in shared.servers for client in server_clients[each.server_id]),
        server_clients=_frozen(server_clients),
        server_by_hash=_frozen(
            {each: server.server_id for server in shared.servers for each in server.auth_cert_hashes}
        ),
        groups=_frozen({group.id: frozenset(group.members) for group in shared.groups}),
    )


def _clients_of(member: Member) -> tuple[ClientId, ...]:
    return (member.id, *(subsystem.id for subsystem in member.subsystems))


def _frozen(table: dict[_K, _V]) -> Mapping[_K, _V]:
    return MappingProxyType(table)


def _grouped(pairs: Iterable[tuple[_K, _V]]) -> Mapping[_K, tuple[_V, ...]]:
    groups: defaultdict[_K, list[_V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return MappingProxyType({key: tuple(values) for key, values in groups.items()})


def _authorities(shared: SharedParameters) -> Authorities:
    read = partial(_load, {})
    approvals: dict[x509.Certificate, ApprovedCaInfo] = {}
    responders: dict[x509.Certificate, tuple[OcspResponder, ...]] = {}
    tops: dict[x509.Certificate, None] = {}
    signing: dict[x509.Certificate, None] = {}
    for approval in shared.approved_cas:
        tops[read(approval.top.certificate)] = None
        for ca in approval.cas:
            certificate = read(ca.certificate)
            approvals[certificate] = approval
            responders[certificate] = _responders(ca, read)
            if not approval.authentication_only:
                signing[certificate] = None
    return Authorities(
        all=tuple(approvals),
        tops=tuple(tops),
        signing=tuple(signing),
        by_subject=_grouped((each.subject, each) for each in approvals),
        approvals=_frozen(approvals),
        responders=_frozen(responders),
        tsas=tuple(_tsa(each, read) for each in shared.approved_tsas),
    )


def _responders(ca: CaInfo, read: Callable[[bytes], x509.Certificate]) -> tuple[OcspResponder, ...]:
    return tuple(
        OcspResponder(each.url, None if each.certificate is None else read(each.certificate), each.cost)
        for each in ca.ocsp
    )


def _tsa(tsa: TsaInfo, read: Callable[[bytes], x509.Certificate]) -> ApprovedTsa:
    return ApprovedTsa(tsa.name, tsa.url, read(tsa.certificate), tsa.cost)


def _load(loaded: dict[bytes, x509.Certificate], der: bytes) -> x509.Certificate:
    """Read a certificate once; the same responder often stands below several authorities."""
    if der not in loaded:
        try:
            loaded[der] = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise MalformedGlobalConf(
                "A certificate of an approved certification, OCSP or time-stamping service cannot be read; "
                "the governing authority must correct it in the central server."
            ) from error
    return loaded[der]
