"""The trust snapshot: what the global configuration says, frozen, as one value that every verification is given.

It refuses to know files, clocks and downloads, and to answer with anything but what was signed.
A node builds a new one when the configuration changes, and hands it, with a time, to everything that judges.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from xroad.errors import IncorrectCertificate
from xroad.globalconf.errors import MalformedGlobalConf, OutdatedGlobalConf
from xroad.globalconf.index import ApprovedTsa, InstanceIndex, OcspResponder
from xroad.globalconf.parameters.model import (
    ApprovedCaInfo,
    GlobalGroup,
    MaintenanceMode,
    PrivateParameters,
    SecurityServer,
    SharedParameters,
)
from xroad.globalconf.profiles import member_of
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

__all__ = ["ApprovedTsa", "KnownInstance", "OcspResponder", "SecurityServer", "TrustSnapshot"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KnownInstance:
    """One instance's tables, and until when they may be used."""

    index: InstanceIndex
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """All trust of one moment. Equal snapshots have the same ``digest``, which leaves expiry out.

    Attributes:
        instance: the own instance.
        digest: names the contents; a refresh that changed nothing but the expiry keeps it, and caches with it.
        expires_at: when the own instance's configuration ends; aware UTC.
        private: the own instance's private parameters; None where only signatures are verified, offline.
        known: the own instance first, then the federated ones that were valid and readable.
        rejected: federated instances that were left out, with the reason, for the log.
        private_digest: names the private parameters; part of ``digest``.
    """

    instance: str
    digest: str
    expires_at: datetime = field(compare=False)
    private: PrivateParameters | None = field(compare=False, repr=False)
    known: Mapping[str, KnownInstance] = field(compare=False, repr=False)
    rejected: Mapping[str, str] = field(compare=False, repr=False, default_factory=dict)
    private_digest: str = field(compare=False, repr=False, default="")

    def current(self, at: datetime) -> "TrustSnapshot":
        """Give the snapshot as it may be used at that time: itself, or without federated instances that expired.

        Raises:
            OutdatedGlobalConf: the own instance's configuration has expired.
        """
        if at > self.expires_at:
            raise OutdatedGlobalConf(outdated_sentence(self.instance, self.expires_at, at))
        if all(each.expires_at >= at for each in self.known.values()):
            return self
        live = {name: each for name, each in self.known.items() if name == self.instance or each.expires_at >= at}
        return replace(self, known=live, digest=snapshot_digest(self.instance, live, self.private_digest))

    @property
    def version(self) -> int:
        """The version of the own instance's shared parameters."""
        return self._own.version

    @property
    def instances(self) -> tuple[str, ...]:
        """The own instance, then the federated ones."""
        return tuple(self.known)

    @property
    def ocsp_freshness_seconds(self) -> int:
        """For how long after its thisUpdate an OCSP response is believed; the own instance decides."""
        return self._own.shared.ocsp_freshness_seconds

    @property
    def time_stamping_interval_seconds(self) -> int:
        """After how many seconds at most a logged signature must be time-stamped."""
        if self.private is None:
            raise MalformedGlobalConf("The private parameters of the own instance are missing from the configuration.")
        return self.private.time_stamping_interval_seconds

    # Authorities

    def ca_certificates(self, instance: str | None = None) -> tuple[x509.Certificate, ...]:
        """Top and intermediate certificates of approved authorities, of one instance or of all."""
        return _joined(index.authorities.all for index in self._indexes(instance))

    def top_ca_certificates(self, instance: str | None = None) -> tuple[x509.Certificate, ...]:
        """The trust anchors alone."""
        return _joined(index.authorities.tops for index in self._indexes(instance))

    def signing_ca_certificates(self, instance: str | None = None) -> tuple[x509.Certificate, ...]:
        """Authorities whose certificates may sign messages: those that are not approved for authentication only."""
        return _joined(index.authorities.signing for index in self._indexes(instance))

    def cas_by_subject(self, subject: x509.Name, instance: str | None = None) -> tuple[x509.Certificate, ...]:
        """Authorities with that subject; several while an authority renews its certificate."""
        return _joined(index.authorities.by_subject.get(subject, ()) for index in self._indexes(instance))

    def approved_ca(self, ca: x509.Certificate, instance: str | None = None) -> ApprovedCaInfo | None:
        """The approval under which a top or intermediate CA stands."""
        found = (index.authorities.approvals.get(ca) for index in self._indexes(instance))
        return next((each for each in found if each is not None), None)

    def profile_for(self, ca: x509.Certificate, instance: str | None = None) -> str | None:
        """The name of the certificate profile of what a CA issues."""
        approval = self.approved_ca(ca, instance)
        return None if approval is None else approval.profile

    def ocsp_responders(self, ca: x509.Certificate) -> tuple[OcspResponder, ...]:
        """The responders approved for a CA, in the order of the configuration."""
        return _joined(index.authorities.responders.get(ca, ()) for index in self._indexes(None))

    def ocsp_responder_certificates(self, ca: x509.Certificate) -> frozenset[x509.Certificate]:
        """The certificates approved to sign OCSP responses for a CA."""
        return frozenset(each.certificate for each in self.ocsp_responders(ca) if each.certificate is not None)

    @property
    def time_stamping_authorities(self) -> tuple[ApprovedTsa, ...]:
        """The own instance's approved time-stamping authorities."""
        return self._own.authorities.tsas

    @property
    def tsa_certificates(self) -> frozenset[x509.Certificate]:
        """The certificates of all instances' time-stamping authorities."""
        return frozenset(tsa.certificate for index in self._indexes(None) for tsa in index.authorities.tsas)

    def subject_to_member(self, certificate: x509.Certificate, instance: str) -> ClientId:
        """Tell which member a signing certificate names, by the profile of the authority that issued it.

        Args:
            certificate: a certificate whose chain has been verified.
            instance: the instance of the member that is said to have signed; only its own authorities may name it.

        Raises:
            IncorrectCertificate: no approved authority of the instance issued it, or its subject breaks the profile.
        """
        candidates = self.cas_by_subject(certificate.issuer, instance)
        profiles = {profile for ca in candidates if (profile := self.profile_for(ca, instance)) is not None}
        if len(profiles) > 1:
            # Two authorities of one name with different profiles: only the key can tell which of them issued it.
            issuers = (ca for ca in candidates if _issued(ca, certificate))
            profiles = {profile for ca in issuers if (profile := self.profile_for(ca, instance)) is not None}
        if len(profiles) != 1:
            raise IncorrectCertificate(
                "The certificate was not issued by a certification authority that the instance approved; "
                "use a certificate of an approved one."
            )
        return member_of(certificate.subject, profiles.pop(), instance)

    # Members, subsystems, servers, groups

    def is_registered(self, client: ClientId) -> bool:
        """Whether the member or subsystem is in the configuration."""
        index = self._index(client.instance)
        return index is not None and client in index.names

    def member_name(self, client: ClientId) -> str | None:
        """The name of the member, or of the member that a subsystem belongs to."""
        index = self._index(client.instance)
        return None if index is None else index.names.get(client.member)

    def subsystem_name(self, client: ClientId) -> str | None:
        """The subsystem's own name, from version 5 on."""
        index = self._index(client.instance)
        return None if index is None else index.subsystem_names.get(client)

    def subsystems_of(self, member: ClientId) -> tuple[ClientId, ...]:
        """The member's subsystems, whether registered at a server or not."""
        index = self._index(member.instance)
        return () if index is None else index.subsystems.get(member.member, ())

    def clients(self, instance: str | None = None) -> tuple[ClientId, ...]:
        """All members and subsystems of one instance or of all, each member before its subsystems."""
        return _joined(tuple(index.names) for index in self._indexes(instance))

    def servers(self, instance: str | None = None) -> tuple[SecurityServer, ...]:
        """All security servers of one instance or of all."""
        return _joined(index.shared.servers for index in self._indexes(instance))

    def server(self, server_id: SecurityServerId) -> SecurityServer | None:
        """The server of that identifier."""
        index = self._index(server_id.instance)
        return None if index is None else index.servers.get(server_id)

    def servers_of(self, client: ClientId) -> tuple[SecurityServer, ...]:
        """The servers at which a client is registered; an owner is a client of its own servers."""
        index = self._index(client.instance)
        return () if index is None else index.servers_of.get(client, ())

    def server_has_client(self, server_id: SecurityServerId, client: ClientId) -> bool:
        """Whether the client is registered at that server, or owns it."""
        index = self._index(server_id.instance)
        return index is not None and client in index.server_clients.get(server_id, frozenset())

    def server_of_auth_certificate(self, der: bytes) -> SecurityServerId | None:
        """The server that registered this authentication certificate (DER)."""
        found = (index.server_of_auth_certificate(der) for index in self._indexes(None))
        return next((each for each in found if each is not None), None)

    def auth_certificate_matches(self, der: bytes, client: ClientId) -> bool:
        """Whether the certificate is of a server at which the client is registered."""
        server_id = self.server_of_auth_certificate(der)
        return server_id is not None and self.server_has_client(server_id, client)

    def maintenance_mode(self, server_id: SecurityServerId) -> MaintenanceMode | None:
        """The server's maintenance mode, or None when it is in service or unknown."""
        server = self.server(server_id)
        return None if server is None else server.maintenance

    def in_global_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Whether exactly this member or subsystem is in the group; a member's subsystems are not in by its name."""
        index = self._index(group.instance)
        return index is not None and client in index.groups.get(group, frozenset())

    def global_groups(self, instance: str | None = None) -> tuple[GlobalGroup, ...]:
        """The global groups of one instance or of all."""
        return _joined(index.shared.groups for index in self._indexes(instance))

    def shared(self, instance: str | None = None) -> SharedParameters | None:
        """The shared parameters of an instance as they were read; by default the own ones."""
        index = self._index(self.instance if instance is None else instance)
        return None if index is None else index.shared

    @property
    def _own(self) -> InstanceIndex:
        return self.known[self.instance].index

    def _index(self, instance: str) -> InstanceIndex | None:
        known = self.known.get(instance)
        return None if known is None else known.index

    def _indexes(self, instance: str | None) -> Iterable[InstanceIndex]:
        if instance is None:
            return (known.index for known in self.known.values())
        index = self._index(instance)
        return () if index is None else (index,)


def outdated_sentence(instance: str, expires_at: datetime, at: datetime) -> str:
    """Say until when a configuration was valid, and what to look at."""
    return (
        f"The global configuration of {instance} was valid until {expires_at:%Y-%m-%d %H:%M:%S} UTC "
        f"and this server's clock shows {at:%Y-%m-%d %H:%M:%S} UTC. "
        "Check that the central server can be reached from this server, and that this server's clock is right."
    )


def snapshot_digest(instance: str, known: Mapping[str, KnownInstance], private_digest: str) -> str:
    """Name the contents of a snapshot: the own instance and the digests of all files (hex SHA-256)."""
    lines = [
        instance,
        private_digest,
        *(f"{name} {known[name].index.version} {known[name].index.digest}" for name in sorted(known)),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _joined(groups: Iterable[tuple[_T, ...]]) -> tuple[_T, ...]:
    return tuple(chain.from_iterable(groups))


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
