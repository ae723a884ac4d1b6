"""The contents of shared and private parameters, independent of the version they were written in.

These records refuse to know XML, versions and certificates' insides: a certificate is its DER octets.
The readers make them, the writers and the trust snapshot use them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId


class CostType(StrEnum):
    """Whether a trust service asks money for its answers (PR-GCONF, version 6)."""

    FREE = "FREE"
    PAID = "PAID"
    UNDEFINED = "UNDEFINED"


class CsrFormat(StrEnum):
    """The form in which a certification authority likes its requests (PR-GCONF, version 6)."""

    PEM = "PEM"
    DER = "DER"


@dataclass(frozen=True, slots=True)
class OcspInfo:
    """One OCSP responder of a certification authority; ``certificate`` is DER, when it is named at all."""

    url: str
    certificate: bytes | None = None
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class CaInfo:
    """One CA certificate (DER) and the responders that answer for what it issued."""

    certificate: bytes
    ocsp: tuple[OcspInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class AcmeServer:
    """How to get certificates from an authority by ACME (PR-GCONF, versions 3 and 4)."""

    directory_url: str
    ip_address: str | None = None
    authentication_profile_id: str | None = None
    signing_profile_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovedCaInfo:
    """An approved certification service: its trust anchor, intermediates, and certificate profile (a class name)."""

    name: str
    top: CaInfo
    profile: str
    intermediates: tuple[CaInfo, ...] = ()
    authentication_only: bool = False
    default_csr_format: CsrFormat | None = None
    acme: AcmeServer | None = None

    @property
    def cas(self) -> tuple[CaInfo, ...]:
        """The top CA, then the intermediates."""
        return (self.top, *self.intermediates)


@dataclass(frozen=True, slots=True)
class TsaInfo:
    """An approved time-stamping authority and the certificate (DER) that signs its tokens."""

    name: str
    url: str
    certificate: bytes
    cost: CostType | None = None


@dataclass(frozen=True, slots=True)
class MemberClass:
    """A member class of the instance, such as GOV."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A subsystem; its name is carried from version 5 on."""

    id: ClientId
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member with its subsystems; ``class_description`` is what the file says beside the class code."""

    id: ClientId
    name: str
    class_description: str
    subsystems: tuple[Subsystem, ...] = ()


@dataclass(frozen=True, slots=True)
class MaintenanceMode:
    """The server is out of service on purpose, and says why (from version 5 on)."""

    message: str | None = None


@dataclass(frozen=True, slots=True)
class SecurityServer:
    """A security server, the hashes of its authentication certificates, and its registered clients.

    A hash of 32 octets is SHA-256 (versions 3 and up), one of 20 is SHA-1 (version 2).
    """

    server_id: SecurityServerId
    address: str | None = None
    auth_cert_hashes: tuple[bytes, ...] = ()
    clients: tuple[ClientId, ...] = ()
    maintenance: MaintenanceMode | None = None

    @property
    def owner(self) -> ClientId:
        """The member that answers for this server."""
        return self.server_id.owner


@dataclass(frozen=True, slots=True)
class GlobalGroup:
    """A group of members and subsystems, of this or of federated instances."""

    id: GlobalGroupId
    description: str
    members: tuple[ClientId, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigurationSource:
    """A central server's address and the certificates (DER) that sign its directories (from version 3 on)."""

    address: str
    internal_certificates: tuple[bytes, ...] = ()
    external_certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedParameters:
    """What members of this and of federated instances may know of one instance.

    ``left_out`` tells which members, servers and group members the reader had to leave out, because their identifiers
    have characters that this software refuses; older instances have some, and the rest of the instance goes on.
    """

    instance: str
    ocsp_freshness_seconds: int
    sources: tuple[ConfigurationSource, ...] = ()
    approved_cas: tuple[ApprovedCaInfo, ...] = ()
    approved_tsas: tuple[TsaInfo, ...] = ()
    members: tuple[Member, ...] = ()
    servers: tuple[SecurityServer, ...] = ()
    groups: tuple[GlobalGroup, ...] = ()
    member_classes: tuple[MemberClass, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnchorSource:
    """Where a configuration is fetched, and the certificates (DER) one of which must have signed it."""

    url: str
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The start of trust in one instance's configuration (PR-GCONF 2.2)."""

    instance: str
    generated_at: datetime | None
    sources: tuple[AnchorSource, ...]


@dataclass(frozen=True, slots=True)
class ManagementService:
    """Where security servers send registrations, and which member or subsystem answers them."""

    address: str
    provider: ClientId
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class PrivateParameters:
    """What only the members of the instance itself may know."""

    instance: str
    management: ManagementService
    time_stamping_interval_seconds: int
    anchors: tuple[Anchor, ...] = ()
