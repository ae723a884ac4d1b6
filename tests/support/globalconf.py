"""A small instance for tests: shared and private parameters, the trust snapshot of them, and a source that signs them.

It takes certificates from `tests.support.pki` and goes through the same writers and readers as a real configuration.

    pki = Pki.create()
    auth = pki.issue_auth()
    trust = trust_snapshot(pki, servers=[server("GOV/MOP/SS1", auth=[auth.certificate], clients=["GOV/MOP/IDPOOR"])])
    source = SigningSource.create(pki)           # .anchor, .publish(shared), .contents
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.pki import AT, Pki, authority
from tests.support.stamps import Issued
from xroad.algorithms import default_algorithm
from xroad.globalconf.directory import SourceKind
from xroad.globalconf.parameters import CURRENT_VERSION, build_private, build_shared
from xroad.globalconf.parameters.model import (
    Anchor,
    AnchorSource,
    ApprovedCaInfo,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    MaintenanceMode,
    ManagementService,
    Member,
    MemberClass,
    OcspInfo,
    PrivateParameters,
    SecurityServer,
    SharedParameters,
    Subsystem,
    TsaInfo,
)
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xroad.globalconf.profiles import FI_PROFILE
from xroad.globalconf.publication import NewPart, build_directory
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import METADATA_SUFFIX, folder_of, load_directory
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

INSTANCE = "KH-SANDBOX"
MEMBERS: Mapping[str, Sequence[str]] = {
    "GOV/MOP": ("IDPOOR",),
    "GOV/NSSF": ("MEMBERS",),
    "GOV/NSAF": ("FAMILY-PACKAGE",),
}
OCSP_URL = "http://127.0.0.1:1/ocsp"
TSA_URL = "http://127.0.0.1:1/tsa"
VALIDITY = timedelta(minutes=10)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def client(path: str, instance: str = INSTANCE) -> ClientId:
    """``client("GOV/MOP/IDPOOR")``: an identifier of the instance, its instance left out."""
    return ClientId(instance, *path.split("/"))


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server to be: ``path`` is CLASS/MEMBER/SERVER, clients are CLASS/MEMBER[/SUBSYSTEM]."""

    path: str
    address: str | None = "127.0.0.1"
    auth: Sequence[x509.Certificate] = ()
    clients: Sequence[str] = ()
    maintenance: MaintenanceMode | None = None

    def of(self, instance: str) -> SecurityServer:
        return SecurityServer(
            SecurityServerId(instance, *self.path.split("/")),
            self.address,
            tuple(each.fingerprint(hashes.SHA256()) for each in self.auth),
            tuple(client(each, instance) for each in self.clients),
            self.maintenance,
        )


def server(
    path: str,
    *,
    address: str | None = "127.0.0.1",
    auth: Sequence[x509.Certificate] = (),
    clients: Sequence[str] = (),
    maintenance: MaintenanceMode | None = None,
) -> ServerSpec:
    return ServerSpec(path, address, auth, clients, maintenance)


def shared_parameters(
    pki: Pki,
    *,
    instance: str = INSTANCE,
    members: Mapping[str, Sequence[str]] = MEMBERS,
    servers: Sequence[ServerSpec] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    profile: str = FI_PROFILE,
    authentication_only: bool = False,
    ocsp_url: str = OCSP_URL,
    tsa_url: str = TSA_URL,
    ocsp_freshness_seconds: int = 3600,
    with_responder: bool = True,
    more_cas: Sequence[ApprovedCaInfo] = (),
) -> SharedParameters:
    """Shared parameters with one approved authority (`pki`), its responder and its time-stamping authority."""
    responder = OcspInfo(ocsp_url, der(pki.ocsp_responder.certificate) if with_responder else None)
    top, *rest = (CaInfo(der(each), (responder,)) for each in pki.ca_certificates)
    return SharedParameters(
        instance=instance,
        ocsp_freshness_seconds=ocsp_freshness_seconds,
        sources=(ConfigurationSource("central.example"),),
        approved_cas=(
            ApprovedCaInfo("Test CA", top, profile, intermediates=tuple(rest), authentication_only=authentication_only),
            *more_cas,
        ),
        approved_tsas=(TsaInfo("Test TSA", tsa_url, der(pki.tsa.certificate)),),
        members=tuple(_member(instance, path, codes) for path, codes in members.items()),
        servers=tuple(each.of(instance) for each in servers),
        groups=tuple(
            GlobalGroup(GlobalGroupId(instance, code), code, tuple(client(each, instance) for each in inside))
            for code, inside in (groups or {}).items()
        ),
        member_classes=(MemberClass("GOV", "Government"),),
    )


def _member(instance: str, path: str, codes: Sequence[str]) -> Member:
    member = client(path, instance)
    subsystems = tuple(Subsystem(client(f"{path}/{code}", instance), f"{code} (test)") for code in codes)
    return Member(member, f"Member {path}", "Government", subsystems)


def private_parameters(instance: str = INSTANCE, anchors: Sequence[Anchor] = ()) -> PrivateParameters:
    return PrivateParameters(
        instance=instance,
        management=ManagementService("https://central.example:4001/managementservice/", client("GOV/MOP", instance)),
        time_stamping_interval_seconds=60,
        anchors=tuple(anchors),
    )


def stored_files(
    shared: SharedParameters,
    private: PrivateParameters | None = None,
    *,
    federated: Sequence[SharedParameters] = (),
    expires_at: datetime = AT + VALIDITY,
    federated_expires_at: datetime | None = None,
    version: int = CURRENT_VERSION,
) -> dict[str, bytes]:
    """The stored layout of a downloaded configuration."""
    files = {"instance-identifier": shared.instance.encode()}
    _store(files, shared, version, expires_at)
    folder = folder_of(shared.instance)
    files[f"{folder}/private-params.xml"] = build_private(private or private_parameters(shared.instance), version)
    files[f"{folder}/private-params.xml{METADATA_SUFFIX}"] = _metadata(version, expires_at)
    for each in federated:
        _store(files, each, version, federated_expires_at or expires_at)
    return files


def _store(files: dict[str, bytes], shared: SharedParameters, version: int, expires_at: datetime) -> None:
    name = f"{folder_of(shared.instance)}/shared-params.xml"
    files[name] = build_shared(shared, version)
    files[name + METADATA_SUFFIX] = _metadata(version, expires_at)


def _metadata(version: int, expires_at: datetime) -> bytes:
    text = f'{{"expirationDate": "{expires_at:%Y-%m-%dT%H:%M:%SZ}", "configurationVersion": "{version}"}}'
    return text.encode()


def trust_snapshot(
    pki: Pki | None = None,
    *,
    at: datetime = AT,
    expires_at: datetime | None = None,
    federated: Sequence[SharedParameters] = (),
    private: PrivateParameters | None = None,
    instance: str = INSTANCE,
    members: Mapping[str, Sequence[str]] = MEMBERS,
    servers: Sequence[ServerSpec] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    profile: str = FI_PROFILE,
    authentication_only: bool = False,
    ocsp_url: str = OCSP_URL,
    tsa_url: str = TSA_URL,
    ocsp_freshness_seconds: int = 3600,
    with_responder: bool = True,
    more_cas: Sequence[ApprovedCaInfo] = (),
) -> TrustSnapshot:
    """Build a snapshot through the same writers and readers that a real configuration passes."""
    shared = shared_parameters(
        pki or Pki.create(),
        instance=instance,
        members=members,
        servers=servers,
        groups=groups,
        profile=profile,
        authentication_only=authentication_only,
        ocsp_url=ocsp_url,
        tsa_url=tsa_url,
        ocsp_freshness_seconds=ocsp_freshness_seconds,
        with_responder=with_responder,
        more_cas=more_cas,
    )
    files = stored_files(shared, private, federated=federated, expires_at=expires_at or at + VALIDITY)
    return load_directory(files, at)


@dataclass
class SigningSource:
    """A configuration source with its own key: what a central server serves, for tests of those who download."""

    signer: Issued
    instance: str = INSTANCE
    version: int = CURRENT_VERSION
    url: str = "http://central.example/internalconf"
    contents: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def create(cls, pki: Pki | None = None, *, instance: str = INSTANCE, label: str = "source") -> "SigningSource":
        key_type = "ec-p256" if pki is None else pki.key_type
        return cls(authority(f"{instance} {label}", key_type, AT), instance)

    @property
    def certificate(self) -> bytes:
        return der(self.signer.certificate)

    @property
    def anchor(self) -> Anchor:
        return Anchor(self.instance, AT, (AnchorSource(self.url, (self.certificate,)),))

    def sign(
        self,
        parts: Sequence[NewPart],
        *,
        instance: str | None = None,
        expires_at: datetime = AT + VALIDITY,
        version: int | None = None,
    ) -> bytes:
        """Sign a directory of any parts."""
        unsigned = build_directory(
            parts, instance=instance or self.instance, version=version or self.version, expires_at=expires_at
        )
        algorithm = default_algorithm(self.signer.certificate.public_key())
        signature = algorithm.sign(self.signer.key, unsigned.data_to_sign)
        return unsigned.complete(signature, algorithm, self.certificate)

    def publish(
        self,
        shared: SharedParameters,
        private: PrivateParameters | None = None,
        *,
        kind: SourceKind = SourceKind.INTERNAL,
        expires_at: datetime = AT + VALIDITY,
    ) -> bytes:
        """Sign the directory of these parameters; their contents are then in `contents`, by location."""
        prefix = f"/V{self.version}/20260314092653000000000"
        parts = [NewPart(SHARED_PARAMETERS, f"{prefix}/shared-params.xml", build_shared(shared, self.version))]
        if kind is SourceKind.INTERNAL:
            content = build_private(private or private_parameters(self.instance), self.version)
            parts.append(NewPart(PRIVATE_PARAMETERS, f"{prefix}/private-params.xml", content))
        self.contents |= {part.location: part.content for part in parts}
        return self.sign(parts, expires_at=expires_at)
